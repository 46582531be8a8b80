"""Ends an agent's research."""

from typing import ClassVar

from pydantic import Field

from agents.tools import TOOLS, Arguments, Tool, ToolActor, ToolResult


class FinishArguments(Arguments):
    """Why now."""

    summary: str = Field(min_length=1, max_length=5_000, description="What you found, in a few sentences.")


@TOOLS.register("finish")
class Finish(Tool):
    """Its campaign finishes when every agent has."""

    name: ClassVar[str] = "finish"
    summary: ClassVar[str] = "End your research for good. Post your findings to the forum first."
    Arguments: ClassVar[type[Arguments]] = FinishArguments
    outside: ClassVar[bool] = True

    def run(self, actor: ToolActor, arguments: FinishArguments) -> ToolResult:
        """The summary stays in the transcript."""
        return ToolResult("Finished.", finished=True)
