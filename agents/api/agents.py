"""Agents: read them and their transcripts, pause, resume, stop, message."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from agents.models import Agent
from agents.selectors.campaigns import agent_of, agents_for, entries_after
from agents.serializers import agents as shapes
from agents.serializers.budgets import amounts
from agents.services.control import message_agent, pause_agent, resume_agent, stop_agent
from experiments.api.access import caller
from experiments.api.reading import link, page, read_body, read_query
from experiments.hidden_words import hidden_from
from experiments.serializers.fields import ReasonInput, page_of


class Agents(APIView):
    """Agents of the lab."""

    @extend_schema(
        operation_id="agents_list",
        parameters=[shapes.AgentQuery],
        responses=page_of(shapes.AgentFacts, "AgentPage"),
    )
    def get(self, request: Request) -> Response:
        """Newest first; an agent sees itself."""
        query = read_query(shapes.AgentQuery, request)
        rows = agents_for(request.user, campaign=query.get("campaign"), state=query.get("state", ""))
        return page(request, rows, query, lambda found: shapes.AgentFacts(found, many=True).data)


class AgentView(APIView):
    """One agent."""

    @extend_schema(operation_id="agents_read", responses=shapes.AgentFacts)
    def get(self, request: Request, agent_id: int) -> Response:
        """Its confirmed state, what it does, what holds it."""
        return Response(shapes.AgentFacts(agent_of(request.user, agent_id)).data)


class Transcript(APIView):
    """What an agent was told, said and did."""

    @extend_schema(
        operation_id="agents_transcript", parameters=[shapes.TranscriptQuery], responses=shapes.TranscriptPage
    )
    def get(self, request: Request, agent_id: int) -> Response:
        """Messages after a number, oldest first."""
        agent = agent_of(request.user, agent_id)
        query = read_query(shapes.TranscriptQuery, request)
        found = list(entries_after(agent, query["after"])[: query["page_size"] + 1])
        shown, hidden = found[: query["page_size"]], hidden_from(request.user)
        for each in shown:
            each.content = hidden.taken_out(each.content)
        following = link(request, after=shown[-1].number) if len(found) > len(shown) else None
        return Response({"results": shapes.EntryFacts(shown, many=True).data, "next": following})


class Pause(APIView):
    """Holding one agent."""

    @extend_schema(operation_id="agents_pause", request=shapes.PauseInput, responses=shapes.AgentFacts)
    def post(self, request: Request, agent_id: int) -> Response:
        """Set the reviewer's latch; `paused` is shown once the loop has confirmed it."""
        given = read_body(shapes.PauseInput, request)
        return _shown(request, pause_agent(user=caller(request), agent_id=agent_id, **given))


class Resume(APIView):
    """Letting one agent go on."""

    @extend_schema(operation_id="agents_resume", request=shapes.ResumeInput, responses=shapes.AgentFacts)
    def post(self, request: Request, agent_id: int) -> Response:
        """Release latches, with more budget if it is needed."""
        given = read_body(shapes.ResumeInput, request)
        agent = resume_agent(
            user=caller(request),
            agent_id=agent_id,
            reason=given["reason"],
            add_budget=amounts(given["add_budget"]),
            kinds=given["latches"] or None,
        )
        return _shown(request, agent)


class Stop(APIView):
    """Ending one agent."""

    @extend_schema(operation_id="agents_stop", request=ReasonInput, responses=shapes.AgentFacts)
    def post(self, request: Request, agent_id: int) -> Response:
        """For good: its tokens are revoked, what is in flight is cancelled."""
        given = read_body(ReasonInput, request)
        return _shown(request, stop_agent(user=caller(request), agent_id=agent_id, reason=given["reason"]))


class Message(APIView):
    """Talking to one agent."""

    @extend_schema(operation_id="agents_message", request=shapes.MessageInput, responses=shapes.AgentFacts)
    def post(self, request: Request, agent_id: int) -> Response:
        """It reads it at its next step."""
        given = read_body(shapes.MessageInput, request)
        return _shown(request, message_agent(user=caller(request), agent_id=agent_id, text=given["message"]))


def _shown(request: Request, agent: Agent) -> Response:
    return Response(shapes.AgentFacts(agent_of(request.user, agent.pk)).data)
