"""Who thinks: a researcher is given what an agent knows and says what it wants to do; it changes no row itself."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from agents.services.actions import Call
from registry import Registry

if TYPE_CHECKING:
    from agents.models import Agent, Entry


class Cancelled(Exception):
    """The stream was cut because the agent is held now; `partial` is what it had said, `usage` what it had cost."""

    def __init__(self, partial: str, usage: Mapping[str, int]) -> None:
        super().__init__("cancelled by a reviewer")
        self.partial, self.usage = partial, usage


class ModelUnavailable(Exception):
    """The model could not answer. again: whether to try later; after_seconds: what the server asked for.

    usage: what the broken call had cost as far as it is known.
    """

    def __init__(
        self,
        message: str,
        *,
        again: bool = True,
        after_seconds: float | None = None,
        partial: str = "",
        usage: Mapping[str, int] | None = None,
    ) -> None:
        super().__init__(message)
        self.again, self.after_seconds, self.partial = again, after_seconds, partial
        self.usage: Mapping[str, int] = usage or {}


@dataclass(frozen=True, slots=True)
class View:
    """What an agent knows when it thinks.

    entries: its transcript since the last compaction, the news of this step at the end.
    notebook: its own memory. budgets: what is left, in words. last_stop: why its last reply ended.
    summarise: the answer is to sum the transcript up, and to call nothing.
    """

    agent: "Agent"
    entries: Sequence["Entry"]
    notebook: str
    budgets: str
    last_stop: str = ""
    summarise: bool = False


@dataclass(frozen=True, slots=True)
class Thought:
    """What a researcher answered. content: blocks for the transcript. usage: input, output, cache_read, cache_write."""

    content: list[dict[str, Any]]
    calls: Sequence[Call]
    stop_reason: str
    usage: Mapping[str, int] = field(default_factory=dict)


class Researcher(Protocol):
    """One way to think. Stateless: what it must remember is in the agent's rows."""

    def worst_case(self, view: View) -> dict[str, int]:
        """What the next call may cost at most, by kind of budget: reserved before it. Raises: NoPrice."""
        ...

    def cost(self, agent: "Agent", usage: Mapping[str, int]) -> dict[str, int]:
        """What a call with this usage has cost, by kind of budget."""
        ...

    def think(self, view: View, *, say: Callable[[str], None], may_go_on: Callable[[], bool]) -> Thought:
        """Answer. say: is given text as it comes. may_go_on: asked at every chunk; False: raise Cancelled.

        Raises: Cancelled, ModelUnavailable.
        """
        ...

    def is_crowded(self, view: View) -> bool:
        """Whether the transcript is to be summed up before the next step."""
        ...


RESEARCHERS: Registry[type[Researcher]] = Registry("researcher", __name__)
