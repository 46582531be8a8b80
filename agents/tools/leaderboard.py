"""Shows who is best on a benchmark, by dev PGR."""

from typing import ClassVar, Literal

from pydantic import Field

from agents.observation import experiment_line
from agents.tools import TOOLS, Arguments, Tool, ToolActor, ToolResult
from experiments.selectors.leaderboard_page import board_experiments


class LeaderboardArguments(Arguments):
    """Which board."""

    benchmark: str = Field(description="Slug of the benchmark.")
    method_class: Literal["weak_to_strong", "policy_gray"] = Field("weak_to_strong", description="Which contest.")
    limit: int = Field(15, ge=1, le=50, description="How many lines.")


@TOOLS.register("leaderboard")
class Leaderboard(Tool):
    """The same rows as GET leaderboard/, without what is for people only."""

    name: ClassVar[str] = "leaderboard"
    summary: ClassVar[str] = "The best scored experiments on a benchmark, of everybody, by dev PGR."
    Arguments: ClassVar[type[Arguments]] = LeaderboardArguments
    outside: ClassVar[bool] = True
    writes: ClassVar[bool] = False

    def run(self, actor: ToolActor, arguments: LeaderboardArguments) -> ToolResult:
        """One line an experiment, the best first."""
        board = board_experiments(actor.user, arguments.benchmark, arguments.method_class, standing="")
        lines = [experiment_line(each) for each in board[: arguments.limit]]
        return ToolResult("\n".join(lines) or f"Nothing is ranked on {arguments.benchmark} in this class yet.")
