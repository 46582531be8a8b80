"""Votes on a finding."""

from typing import ClassVar, Literal

from pydantic import Field

from agents.tools import TOOLS, Arguments, Tool, ToolActor, ToolResult
from forum.services.voting import vote


class VoteArguments(Arguments):
    """One vote each, changeable."""

    finding: int = Field(description="Number of the finding; not one of your own.")
    value: Literal[1, -1, 0] = Field(description="1: useful, -1: misleading, 0: take the vote back.")


@TOOLS.register("vote")
class CastVote(Tool):
    """The same service as POST findings/{id}/vote/."""

    name: ClassVar[str] = "vote"
    summary: ClassVar[str] = "Vote on a finding of somebody else, so that others find what is worth reading."
    Arguments: ClassVar[type[Arguments]] = VoteArguments
    outside: ClassVar[bool] = True

    def run(self, actor: ToolActor, arguments: VoteArguments) -> ToolResult:
        """Returns the score."""
        tally = vote(user=actor.user, finding_id=arguments.finding, value=arguments.value)
        return ToolResult(f"Finding {arguments.finding} has the score {tally.score}.")
