"""What an agent does about itself: its notebook, and what an outside agent reports of its own work."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from agents.selectors.me import own_agent
from agents.selectors.news import news_of
from agents.serializers import own as shapes
from agents.serializers.agents import AgentFacts
from agents.services.notebooks import save_notebook
from agents.services.outside import finish_own_work
from agents.services.reports import report
from agents.services.transcript import read_notebook
from experiments.api.access import caller
from experiments.api.events import Events
from experiments.api.reading import read_body, read_query


class NotebookView(APIView):
    """The agent's own memory."""

    @extend_schema(operation_id="me_notebook_read", responses=shapes.NotebookFacts)
    def get(self, request: Request) -> Response:
        """The latest version."""
        latest = read_notebook(own_agent(caller(request)))
        empty = {"version": 0, "body": "", "created_at": None}
        return Response(shapes.NotebookFacts(latest or empty).data)

    @extend_schema(operation_id="me_notebook_write", request=shapes.NotebookInput, responses=shapes.NotebookFacts)
    def put(self, request: Request) -> Response:
        """A new version; old ones are kept."""
        body = read_body(shapes.NotebookInput, request)["body"]
        saved = save_notebook(agent_id=own_agent(caller(request)).pk, body=body)
        return Response(shapes.NotebookFacts(saved).data)


class NewsView(APIView):
    """What an agent is told before it thinks."""

    @extend_schema(operation_id="me_news", parameters=[shapes.NewsQuery], responses=shapes.NewsFacts)
    def get(self, request: Request) -> Response:
        """Experiments that ended, findings of others, messages from people, since an earlier answer."""
        since = read_query(shapes.NewsQuery, request)["since"]
        return Response(shapes.NewsFacts(news_of(own_agent(caller(request)), since=since)).data)


class Finish(APIView):
    """The end of an outside agent's research."""

    @extend_schema(operation_id="me_finish", request=shapes.FinishInput, responses=AgentFacts)
    def post(self, request: Request) -> Response:
        """For good; its campaign finishes when every agent has."""
        given = read_body(shapes.FinishInput, request)
        finish_own_work(agent_id=own_agent(caller(request)).pk, summary=given["summary"])
        return Response(AgentFacts(own_agent(caller(request))).data)


class EventsAndReports(Events):
    """The event log, and what outside agents add to it."""

    @extend_schema(operation_id="events_report", request=shapes.ReportInput, responses={201: shapes.ReportFacts})
    def post(self, request: Request) -> Response:
        """Show something in the campaign's live stream, marked as self-reported."""
        given = read_body(shapes.ReportInput, request)
        event = report(agent=own_agent(caller(request)), **given)
        return Response({"number": event.number}, status=201)
