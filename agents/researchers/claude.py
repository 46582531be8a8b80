"""Claude as a researcher: one streamed call of the Messages API a step, against ANTHROPIC_BASE_URL.

Retries are the loop's: a call that fails is a row that says when it is made again, so nobody sleeps in a worker.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import anthropic
import httpx2
from django.conf import settings

from agents.briefing import LAB
from agents.errors import NoPrice
from agents.lifecycle import BudgetKind
from agents.messages_api.client import client, trouble_of
from agents.messages_api.messages import CACHE, Reply, most_tokens, to_messages
from agents.messages_api.stream import Left, events
from agents.prices import cost_of, price_of, worst_of
from agents.researchers import RESEARCHERS, Cancelled, ModelUnavailable, Thought, View
from agents.services import budgets
from agents.tools import TOOLS, schema

if TYPE_CHECKING:
    from agents.models import Agent, Entry

# Claude 4.6 and later decide themselves how much to think; older models have no such mode.
_ADAPTIVE = re.compile(r"^claude-(?:(?:opus|sonnet)-4-[6-9]|(?:opus|sonnet|haiku|fable|mythos)-(?:[5-9]|mythos))")
MOST_REFUSALS = 3  # in a row, before a person has to look
COMPACT_ABOVE = 0.6  # of the window: what is left must hold the summary and the next replies
LIKELY = 0.3  # of most_tokens: English and code have about 3.5 characters a token, where it counts one
SUMMARISE = """\
Your conversation has grown long and is about to be cut. Write what you will need to go on: what you set out to find,
what you ran and what came of it (with experiment numbers), what you believe now and how sure you are, which findings
of others matter, what you wanted to do next, and what waits for an answer. Your notebook and the newest results stay
anyway. Answer with the summary alone."""


@RESEARCHERS.register("claude")
class ClaudeResearcher:
    """See agents.researchers.Researcher."""

    def worst_case(self, view: View) -> dict[str, int]:
        """All input written to the cache at its price, and every output token that may come."""
        tokens_in, tokens_out = most_tokens(self._request(view)), settings.CLAUDE_MAX_TOKENS
        amounts = {BudgetKind.TOKENS.value: tokens_in + tokens_out}
        if not budgets.has_limit(view.agent, BudgetKind.MONEY):
            return amounts
        money = worst_of(price_of(view.agent.model), tokens_in=tokens_in, tokens_out=tokens_out)
        return {**amounts, BudgetKind.MONEY.value: money}

    def cost(self, agent: "Agent", usage: Mapping[str, int]) -> dict[str, int]:
        """Booked to the micro-dollar where the model has a price."""
        counts = {name: usage.get(name, 0) for name in ("input", "output", "cache_read", "cache_write")}
        spent = {BudgetKind.TOKENS.value: sum(counts.values())}
        try:
            price = price_of(agent.model)
        except NoPrice:
            return spent
        return {**spent, BudgetKind.MONEY.value: cost_of(price, usage)}

    def is_crowded(self, view: View) -> bool:
        """When the transcript fills most of the window, or when the last reply found no room."""
        likely = most_tokens([entry.content for entry in view.entries]) * LIKELY
        crowded = likely > COMPACT_ABOVE * settings.CLAUDE_CONTEXT_TOKENS
        return crowded or view.last_stop == "model_context_window_exceeded"

    def think(self, view: View, *, say: Callable[[str], None], may_go_on: Callable[[], bool]) -> Thought:
        """Stream one reply. Raises: Cancelled, ModelUnavailable."""
        reply, request = Reply(), self._request(view)
        try:
            for event in events(partial(client().messages.create, **request, stream=True), may_go_on=may_go_on):
                text = reply.add(event)
                if text:
                    say(text)
        except Left:
            # nothing had come: what was sent is paid for all the same, at most so much
            unknown = {"input": most_tokens(request), "estimated": 1}
            raise Cancelled(reply.text, reply.spent_so_far() or unknown) from None
        except (anthropic.APIError, httpx2.HTTPError) as error:
            raise _unavailable(error, reply) from error
        return _thought(view, reply)

    def _request(self, view: View) -> dict[str, Any]:
        system = {"type": "text", "text": LAB, "cache_control": CACHE}
        request: dict[str, Any] = {
            "model": view.agent.model,
            "max_tokens": settings.CLAUDE_MAX_TOKENS,
            "system": [system],
            "messages": to_messages(
                _fitting(view.entries) if view.summarise else view.entries,
                SUMMARISE if view.summarise else _status(view),
            ),
            "tools": _tools(),
        }
        if view.summarise:
            request["tool_choice"] = {"type": "none"}
        if _ADAPTIVE.match(view.agent.model):
            # summarised, or people would see nothing while the model thinks between two calls
            request["thinking"] = {"type": "adaptive", "display": "summarized"}
        return request


def _fitting(entries: Sequence["Entry"]) -> list["Entry"]:
    """The brief and as much of the end as leaves room for a summary; results never without the call they answer."""
    brief, rest = list(entries[:1]), list(entries[1:])
    room = COMPACT_ABOVE * settings.CLAUDE_CONTEXT_TOKENS
    while len(rest) > 1 and most_tokens([entry.content for entry in rest]) * LIKELY > room:
        rest.pop(0)
        while rest and rest[0].kind == "results":
            rest.pop(0)
    return brief + rest


def _thought(view: View, reply: Reply) -> Thought:
    usage = reply.usage
    if not reply.stop_reason:
        raise ModelUnavailable("the stream ended before the reply did", partial=reply.text, usage=reply.spent_so_far())
    if reply.stop_reason == "refusal":
        raise ModelUnavailable(
            "the model refused to answer",
            again=view.agent.failures + 1 < MOST_REFUSALS,
            after_seconds=60,
            partial=reply.text,
            usage=usage,
        )
    content = reply.content()
    if not content and reply.stop_reason != "model_context_window_exceeded":
        raise ModelUnavailable("the model answered with nothing", after_seconds=30, usage=usage)
    return Thought(content=content, calls=reply.calls(), stop_reason=reply.stop_reason, usage=usage)


def _unavailable(error: anthropic.APIError | httpx2.HTTPError, reply: Reply) -> ModelUnavailable:
    trouble = trouble_of(error)
    return ModelUnavailable(
        trouble.words,
        again=trouble.again,
        after_seconds=trouble.after_seconds,
        partial=reply.text,
        usage=reply.spent_so_far(),
    )


def _status(view: View) -> str:
    """What changes from step to step; the last thing the model reads."""
    parts = [f"Left of your budgets:\n{view.budgets}"]
    if view.notebook:
        parts.append(f"Your notebook:\n{view.notebook}")
    if view.last_stop == "max_tokens":
        parts.append(f"Your last reply was cut off at {settings.CLAUDE_MAX_TOKENS} tokens: be shorter.")
    parts.append("Go on with your research, with tools. Call finish when you are done.")
    return "\n\n".join(parts)


@cache
def _tools() -> list[dict[str, Any]]:
    """Every tool, in one order: the cached prefix must not change."""
    tools = [tool for tool in map(TOOLS.get, TOOLS.names()) if tool.inside]
    return [{"name": tool.name, "description": tool.summary, "input_schema": schema(tool)} for tool in tools]
