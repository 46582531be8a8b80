"""The gap-free event log."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from experiments.api.access import require_lab
from experiments.api.reading import link, read_query
from experiments.hidden_words import hidden_from
from experiments.selectors.api_events import events_after, last_number
from experiments.serializers import evaluations as shapes


class Events(APIView):
    """What happened in the lab."""

    @extend_schema(operation_id="events_list", parameters=[shapes.EventQuery], responses=shapes.EventPage)
    def get(self, request: Request) -> Response:
        """Events after a number, oldest first; the WebSocket sends the same objects live."""
        require_lab(request)
        query = read_query(shapes.EventQuery, request)
        campaign, size = query["campaign"], query["page_size"]
        last = last_number(campaign)
        found = list(events_after(campaign, query["after"], subject=query.get("subject", ""))[: size + 1])
        shown, hidden = found[:size], hidden_from(request.user)
        for each in shown:
            each.payload = hidden.taken_out(each.payload)
        following = link(request, after=shown[-1].number) if len(found) > size else None
        return Response({"results": shapes.Event(shown, many=True).data, "next": following, "last_number": last})
