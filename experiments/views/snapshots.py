"""Pages of snapshots: the list, one of them, one file, the difference of two, the archive, and running one."""

from typing import TypeVar

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from experiments.charts import prepare
from experiments.errors import LabError
from experiments.forms import RunSnapshot
from experiments.permissions import can_submit
from experiments.selectors.new_experiment import benchmarks_for_code
from experiments.selectors.snapshot_pages import comparison_of, snapshot_list, snapshot_page_of
from experiments.services.experiments import submit_experiment
from experiments.snapshots import selectors
from experiments.snapshots.archives import write_archive
from experiments.views.access import form_page, page, person, show

Answer = TypeVar("Answer")


@page
def snapshots(request: HttpRequest) -> HttpResponse:
    """The newest first; ?search= by id, digest, submitter or experiment; ?left=&right= goes on to their difference."""
    left, right = request.GET.get("left", ""), request.GET.get("right", "")
    if all(each.isdecimal() and len(each) < 19 for each in (left, right)):
        return redirect("snapshot_diff", int(left), int(right))
    search, before = request.GET.get("search", "").strip()[:200], request.GET.get("before", "")
    found = snapshot_list(
        request.user,
        search=search.replace("\x00", ""),
        before=int(before) if before.isdecimal() and len(before) < 19 else None,
    )
    return show(request, "experiments/snapshot_list.html", {"found": found, "search": search})


@page
def snapshot(request: HttpRequest, snapshot_id: int) -> HttpResponse:
    """One of them: files, lineage, experiments."""
    shown = snapshot_page_of(request.user, snapshot_id)
    context = {"shown": shown, "snapshot": shown.snapshot, "can_submit": can_submit(request.user)}
    context["lineage"] = prepare("snapshot-lineage", request.user, {"snapshot": snapshot_id})
    return show(request, "experiments/snapshot_detail.html", context)


@page
def snapshot_file(request: HttpRequest, snapshot_id: int, path: str) -> HttpResponse:
    """One file on a page of its own."""
    text = selectors.file_text(snapshot_id, path)
    context = {"snapshot_id": snapshot_id, "path": path, "text": text}
    return show(request, "experiments/snapshot_file.html", context)


@page
def snapshot_diff(request: HttpRequest, snapshot_id: int, other: int) -> HttpResponse:
    """What changed from the first to the second."""
    compared = comparison_of(snapshot_id, other)
    return show(request, "experiments/snapshot_diff.html", {"compared": compared})


@page
def snapshot_archive(request: HttpRequest, snapshot_id: int) -> HttpResponse:
    """All files as tar.gz."""
    files = selectors.files_of(snapshot_id)
    name = f'attachment; filename="snapshot-{snapshot_id}.tar.gz"'
    headers = {"Content-Disposition": name}
    return HttpResponse(write_archive(files), content_type="application/gzip", headers=headers)


@require_http_methods(["GET", "POST"])
@form_page
def snapshot_run(request: HttpRequest, snapshot_id: int) -> HttpResponse:
    """An experiment with this code."""
    found = selectors.snapshot_detail(snapshot_id)
    if not can_submit(request.user):
        raise PermissionDenied
    form = RunSnapshot(request.POST or None, benchmarks=benchmarks_for_code(request.user))
    if request.method == "POST" and form.is_valid():
        try:
            made = submit_experiment(user=person(request), snapshot=snapshot_id, **form.arguments())
        except LabError as error:
            form.blame(error.pointer, str(error))
        else:
            messages.success(request, f"Submitted as #{made.pk}: {made.seeds} seeds wait for a worker.")
            return redirect("experiment", made.pk)
    answer = show(request, "experiments/snapshot_run.html", {"form": form, "snapshot": found})
    answer.status_code = 422 if form.errors else 200
    return answer
