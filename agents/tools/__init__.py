"""What agents can do, one tool a file: typed arguments, a sentence for the model, and a call into the services."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, ConfigDict, ValidationError

from registry import Registry

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from agents.models import Agent


class Arguments(BaseModel):
    """Arguments of a tool, in the types of JSON: unknown names are refused, and "12" is no number.

    A model that is told so sends the number; one that were read leniently would have two spellings of a call.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class BadArguments(ValueError):
    """Arguments that a tool does not take; the message names each field and what is allowed, for the model to read."""


@dataclass(frozen=True, slots=True)
class ToolActor:
    """Who acts, and the strings attached.

    key: unique to this action, for services that create once. cancelled: asked by long tools, several times a second;
    true when a reviewer wants it to end now. stream: shows output live, in pieces.
    """

    agent: "Agent"
    user: "User"
    key: str
    cancelled: Callable[[], bool]
    stream: Callable[[str], None]


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool came to.

    text: for the model. wait_for: experiment ids to sleep until. wait_seconds: at most so long, or just so long.
    finished: the agent is done with its research. error: what was raised, for whoever counts refusals.
    """

    text: str
    is_error: bool = False
    wait_for: tuple[int, ...] = ()
    wait_seconds: int = 0
    finished: bool = False
    error: Exception | None = None


class Tool(ABC):
    """One tool. Adding one is adding a file to this folder.

    name: as the model calls it. summary: what it is told. Arguments: a pydantic model whose fields are described.
    inside: whether agents that the lab drives are offered it. outside: whether agents that run elsewhere are, by MCP;
    what works on a workspace in the lab makes no sense there. writes: whether an agent that is held may not call it.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    Arguments: ClassVar[type[Arguments]]
    inside: ClassVar[bool] = True
    outside: ClassVar[bool] = False
    writes: ClassVar[bool] = True

    @classmethod
    def spelt(cls, arguments: Any) -> dict[str, Any]:
        """The call in its one spelling, by which rules, people and digests know it: defaults filled in, null left out.

        parse() of it is the same call. A tool whose arguments have defaults that others know fills them in, too.
        """
        dumped: dict[str, Any] = arguments.model_dump(mode="json")
        return {name: value for name, value in dumped.items() if value is not None}

    @classmethod
    def cost(cls, agent: "Agent", arguments: Any) -> Mapping[str, int]:
        """An upper estimate of what a call costs, by kind of budget; nothing for most."""
        return {}

    @classmethod
    def runs_code(cls, arguments: Any) -> bool:
        """Whether a call runs an experiment with code that an agent wrote."""
        return False

    @classmethod
    def pinned(cls, agent: "Agent", arguments: Any) -> Mapping[str, Any] | None:
        """For a call that has to wait for people: arguments that mean the same later on; None if these do.

        Raises: what services raise; then the call is refused at once.
        """
        return None

    @abstractmethod
    def run(self, actor: ToolActor, arguments: Any) -> ToolResult:
        """Do it as the agent's user, through the services. Raises: what services raise; the loop tells the model."""


TOOLS: Registry[type[Tool]] = Registry("tool", __name__)


def parse(tool: type[Tool], given: Mapping[str, Any]) -> Arguments:
    """Typed arguments. Raises: BadArguments."""
    try:
        return tool.Arguments.model_validate(dict(given))
    except ValidationError as error:
        problems = dict.fromkeys(f"{'.'.join(map(str, e['loc'])) or 'arguments'}: {e['msg']}" for e in error.errors())
        known = ", ".join(tool.Arguments.model_fields) or "none"
        raise BadArguments(f"{tool.name}: {'; '.join(problems)} (arguments: {known})") from error


def schema(tool: type[Tool]) -> dict[str, Any]:
    """The JSON schema of a tool's arguments, as the Messages API wants it."""
    described = tool.Arguments.model_json_schema()
    return {key: value for key, value in described.items() if key not in ("title", "description")}
