"""Figures as Plotly JSON and as CSV: one view each, for every chart there is."""

import json
from hashlib import sha256

from django.core.serializers.json import DjangoJSONEncoder
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.utils.cache import get_conditional_response

from experiments.charts import CHARTS, prepare
from experiments.charts._chart import Chart
from experiments.views.access import page
from experiments.views.exports import csv_answer
from registry import UnknownName


@page
def chart(request: HttpRequest, name: str) -> HttpResponse:
    """The figure; with an ETag, so that an unchanged one is not sent again."""
    drawn = _chart_or_404(name)
    body = json.dumps(drawn.figure(drawn.rows(request.user, request.GET.dict())), cls=DjangoJSONEncoder)
    answer = HttpResponse(body, content_type="application/json")
    etag = f'"{sha256(body.encode()).hexdigest()[:32]}"'
    answer["ETag"] = etag
    return get_conditional_response(request, etag=etag, response=answer) or answer


@page
def chart_table(request: HttpRequest, name: str) -> HttpResponse:
    """The rows beside the figure, for live updates."""
    _chart_or_404(name)
    prepared = prepare(name, request.user, request.GET.dict())
    return render(request, "components/chart_table.html", {"chart": prepared})


@page
def chart_csv(request: HttpRequest, name: str) -> StreamingHttpResponse:
    """The rows behind the figure, unrounded."""
    drawn = _chart_or_404(name)
    return csv_answer(f"{name}.csv", drawn.csv_rows(drawn.rows(request.user, request.GET.dict())))


def _chart_or_404(name: str) -> Chart[object]:
    try:
        return CHARTS.get(name)()
    except UnknownName as error:
        raise Http404(str(error)) from error
