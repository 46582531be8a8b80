"""The Model Context Protocol at /mcp/: the tools of agents/tools for agents that run elsewhere.

Streamable HTTP without sessions: every POST stands for itself and brings the agent's token, so web processes share
nothing. Both the handshake of earlier protocol versions and the self-contained requests of 2026-07-28 are served.
"""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import mcp_types as types
from asgiref.sync import sync_to_async
from django.db import DatabaseError, close_old_connections
from django.http import HttpResponse
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel.server import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

from aarweb import problems
from agents.authentication import READ
from agents.briefing import LAB
from agents.credentials import Bearer, find_bearer
from agents.outside import call_tool, outside_tools
from agents.tools import ToolResult, schema
from oversight.refusals import record

log = logging.getLogger(__name__)

PATHS = ("/mcp", "/mcp/")
MOST_THREADS = 1000  # as for HTTP requests: a call that waits holds one, and no connection to the database
_BEARER = "aarweb.bearer"
_METHOD = problems.Problem(405, "method-not-allowed", "This address does not know the method")
_UNAVAILABLE = problems.Problem(503, "unavailable", "The database does not answer")

T = TypeVar("T")


class ModelContext:
    """ASGI: who calls is found out before the protocol begins, by the same tokens as the REST API's."""

    def __init__(self) -> None:
        self._server = Server("aarweb", instructions=LAB, on_list_tools=_list_tools, on_call_tool=_call_tool)

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """One HTTP request."""
        if scope["method"] != "POST":  # no streams of the server's own, no sessions to end
            wrong = problems.answer(_METHOD, scope["path"], detail="Allowed: POST")
            wrong["Allow"] = "POST"
            await _send(wrong, send)
            return
        caller = await _in_thread(_caller, scope)
        if isinstance(caller, HttpResponse):
            await _send(caller, send)
            return
        manager = StreamableHTTPSessionManager(self._server, stateless=True, json_response=True)
        async with manager.run():
            await manager.handle_request({**scope, _BEARER: caller}, receive, send)


def _caller(scope: dict[str, Any]) -> Bearer | HttpResponse:
    """Who calls, or what to answer instead."""
    parts = dict(scope["headers"]).get(b"authorization", b"").split()
    try:
        bearer = find_bearer(parts[1]) if len(parts) == 2 and parts[0].lower() == b"bearer" else None
    except DatabaseError as error:
        log.warning("nobody can be let in: %s", error)
        return problems.answer(_UNAVAILABLE, scope["path"], detail="Try again in a moment.")
    if bearer is None:
        refusal = problems.answer(
            problems.UNAUTHENTICATED, scope["path"], detail="expected `Authorization: Bearer TOKEN`, of a valid token"
        )
        refusal["WWW-Authenticate"] = "Bearer"
        return refusal
    if READ not in bearer.token.scopes:
        return _turned_away(bearer, scope["path"], f"the token lacks the scope {READ!r}")
    if bearer.agent_id is None:
        why = "this account belongs to no agent of a campaign; people use the pages and the REST API"
        return _turned_away(bearer, scope["path"], why)
    return bearer


def _turned_away(bearer: Bearer, path: str, why: str) -> HttpResponse:
    record(bearer.token.user_id, status=problems.FORBIDDEN.status, path=path)
    return problems.answer(problems.FORBIDDEN, path, detail=why)


async def _list_tools(
    context: ServerRequestContext[Any], params: types.PaginatedRequestParams | None
) -> types.ListToolsResult:
    tools = [
        types.Tool(
            name=tool.name,
            description=tool.summary,
            input_schema=schema(tool),
            annotations=types.ToolAnnotations(read_only_hint=not tool.writes, open_world_hint=False),
        )
        for tool in await _in_thread(outside_tools)
    ]
    return types.ListToolsResult(tools=tools)


async def _call_tool(context: ServerRequestContext[Any], params: types.CallToolRequestParams) -> types.CallToolResult:
    bearer: Bearer = context.request.scope[_BEARER]  # type: ignore[union-attr]
    result = await _in_thread(_called, bearer, params.name, params.arguments or {})
    return types.CallToolResult(
        content=[types.TextContent(type="text", text=result.text or "(no output)")], is_error=result.is_error
    )


def _called(bearer: Bearer, name: str, given: dict[str, Any]) -> ToolResult:
    """One call; what REST would have refused with a status that is counted is counted here, too."""
    result = call_tool(agent_id=bearer.agent_id or 0, name=name, given=given, scopes=bearer.token.scopes)
    problem = problems.problem_of(result.error) if result.error else None
    if problem is not None:
        record(bearer.token.user_id, status=problem.status, path=f"/mcp/{name}")
    return result


_pool = ThreadPoolExecutor(MOST_THREADS, thread_name_prefix="mcp")


async def _in_thread(function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """A call that asks the database, in a thread whose connection goes back to the pool afterwards."""

    def run() -> T:
        close_old_connections()
        try:
            return function(*args, **kwargs)
        finally:
            close_old_connections()

    return await sync_to_async(run, thread_sensitive=False, executor=_pool)()


async def _send(response: HttpResponse, send: Any) -> None:
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in response.items()]
    await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
    await send({"type": "http.response.body", "body": response.content})


class McpOrDjango:
    """ASGI: /mcp/ to one, every other address to the other."""

    def __init__(self, django: Any) -> None:
        self._django, self._mcp = django, ModelContext()

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Hands on."""
        await (self._mcp if scope["path"] in PATHS else self._django)(scope, receive, send)
