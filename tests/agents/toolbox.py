"""Calls an agent's tools as the loop does, for tests."""

from agents.tools import TOOLS, ToolActor, parse
from experiments.errors import LabError


def actor_of(agent, *, cancelled=lambda: False, heard=None):
    """heard: a list that what is streamed is added to."""
    return ToolActor(
        agent=agent,
        user=agent.user,
        key="action:1",
        cancelled=cancelled,
        stream=(heard if heard is not None else []).append,
    )


def use(agent, tool, *, cancelled=lambda: False, heard=None, **arguments):
    """The result of one call. Raises: BadArguments, LabError."""
    kind = TOOLS.get(tool)
    return kind().run(actor_of(agent, cancelled=cancelled, heard=heard), parse(kind, arguments))


def refused(agent, tool, **arguments):
    """What a call is refused with; it must be refused."""
    try:
        result = use(agent, tool, **arguments)
    except LabError as error:
        return str(error)
    assert result.is_error, result
    return result.text
