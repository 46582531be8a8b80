"""One tool call of an agent that runs elsewhere: the same tools, services, gate and budgets as inside the lab."""

import json
import logging
import time
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from django.core.exceptions import ObjectDoesNotExist
from django.db import DatabaseError, connection, transaction

from agents import gate
from agents.admitted import admitted
from agents.authentication import WRITE
from agents.errors import Held
from agents.models import Agent
from agents.observation import experiment_line
from agents.services.admission import admit_outside
from agents.services.outside import check_outside, finish_outside, lock_outside, record_call, state_of
from agents.tools import TOOLS, Arguments, BadArguments, Tool, ToolActor, ToolResult, parse
from experiments.errors import Forbidden, LabError
from experiments.lifecycle import EXPERIMENT_TERMINAL
from experiments.models import Experiment
from registry import UnknownName

log = logging.getLogger(__name__)

WAIT_SECONDS = 25.0  # clients give up after 30 s or more; whoever wants to sleep longer calls again
LOOK_SECONDS = 0.5


def outside_tools() -> list[type[Tool]]:
    """What is offered outside, by name."""
    return [tool for tool in map(TOOLS.get, TOOLS.names()) if tool.outside]


def call_tool(*, agent_id: int, name: str, given: Mapping[str, Any], scopes: Collection[str]) -> ToolResult:
    """Run one call and write it into the agent's transcript. Whatever is objected to comes back as a tool error.

    scopes: of the token. A tool that writes, its record and the look at what holds the agent are one transaction, so
    an agent that is shown as paused has no call in flight, and a web process that dies leaves no half of a call.
    """
    try:
        tool = _tool(name)
        arguments = parse(tool, given)
        if tool.writes:
            if WRITE not in scopes:
                raise Forbidden(f"the token lacks the scope {WRITE!r}")
            return _write(agent_id, tool, arguments)
        return _read(agent_id, tool, arguments)
    except Held as error:
        return ToolResult(held_text(error), is_error=True, error=error)
    except (LabError, UnknownName, BadArguments) as error:
        return ToolResult(str(error), is_error=True, error=error)
    except DatabaseError as error:
        log.warning("a call of %s by agent %s: %s", name, agent_id, error)
        return ToolResult("the database does not answer; nothing was done: try again in a moment", is_error=True)


def held_text(error: Held) -> str:
    """What holds the agent and since when, for it to read."""
    since = f" since {error.since:%Y-%m-%dT%H:%M:%SZ}" if error.since else ""
    return (
        f"held by the latch {error.latch!r}{since}: {error}. You may read; what writes is refused until people release"
        " it. Wait, and try again later."
    )


def _tool(name: str) -> type[Tool]:
    """Raises: UnknownName, also for one that is not offered outside."""
    known = outside_tools()
    found = next((tool for tool in known if tool.name == name), None)
    if found is None:
        raise UnknownName(f"unknown tool {name[:60]!r}; known: {', '.join(tool.name for tool in known)}")
    return found


def _write(agent_id: int, tool: type[Tool], arguments: Arguments) -> ToolResult:
    with transaction.atomic():
        agent = lock_outside(agent_id)
        gate.check(agent.pk)
        result = _admitted(agent, tool, arguments)
        _record(agent, tool, arguments, result)
        if result.finished:
            finish_outside(agent, summary=str(getattr(arguments, "summary", "")))
    return result


def _read(agent_id: int, tool: type[Tool], arguments: Arguments) -> ToolResult:
    agent = Agent.objects.select_related("campaign", "user").get(pk=agent_id)
    check_outside(agent)
    result = _slept(_admitted(agent, tool, arguments))
    with transaction.atomic():
        _record(lock_outside(agent_id), tool, arguments, result)
    return result


def _admitted(agent: Agent, tool: type[Tool], arguments: Arguments) -> ToolResult:
    """Run it if the campaign's policy lets it; else what the policy or a person said of it."""
    with transaction.atomic():
        to_run, answer = admit_outside(lock_outside(agent.pk), tool, arguments)
    if answer:
        return ToolResult(answer, is_error=True)
    with admitted():
        return _run(agent, tool, to_run)


def _run(agent: Agent, tool: type[Tool], arguments: Arguments) -> ToolResult:
    actor = ToolActor(agent=agent, user=agent.user, key="", cancelled=lambda: False, stream=lambda text: None)
    try:
        with transaction.atomic():
            return tool().run(actor, arguments)
    except (LabError, ObjectDoesNotExist) as error:
        pointer = getattr(error, "pointer", None)
        return ToolResult(f"{error} ({pointer})" if pointer else str(error), is_error=True, error=error)
    except DatabaseError:
        raise
    except Exception as error:
        # the boundary: a tool's bug becomes its answer, people find it in the log
        log.exception("the tool %s failed for agent %s", tool.name, agent.pk)
        return ToolResult(f"the tool failed: {type(error).__name__}", is_error=True)


def _record(agent: Agent, tool: type[Tool], arguments: Arguments, result: ToolResult) -> None:
    shown = json.loads(json.dumps(tool.spelt(arguments)).replace("\\u0000", ""))  # PostgreSQL's JSON takes no NUL
    record_call(
        agent, tool=tool.name, arguments=shown, result=result.text, is_error=result.is_error,
        state=state_of(result.is_error),
    )  # fmt: skip


def _slept(result: ToolResult) -> ToolResult:
    """Wait as the lab's loop would, at most WAIT_SECONDS, without holding a database connection meanwhile."""
    if result.is_error or not (result.wait_for or result.wait_seconds):
        return result
    end = time.monotonic() + min(result.wait_seconds or WAIT_SECONDS, WAIT_SECONDS)
    awaited = Experiment.objects.filter(pk__in=result.wait_for).select_related("benchmark", "method").order_by("pk")
    while True:
        found = list(awaited)
        at_work = [each for each in found if each.state not in EXPERIMENT_TERMINAL]
        if (found and not at_work) or time.monotonic() >= end:
            break
        connection.close()
        time.sleep(LOOK_SECONDS)
    lines = [experiment_line(each) for each in found if each not in at_work]
    if at_work:
        numbers = ", ".join(f"#{each.pk}" for each in at_work)
        lines.append(f"Still at work: {numbers}. Call wait again, or do something else meanwhile.")
    return replace(result, text="\n".join(lines) or "The time is over.")
