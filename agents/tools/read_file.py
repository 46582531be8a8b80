"""Shows a file of the agent's workspace."""

from typing import ClassVar

from pydantic import Field

from agents.tools import TOOLS, Arguments, Tool, ToolActor, ToolResult
from agents.tools._lines import some_lines
from agents.workspaces import listing, read_text, workspace_of


class ReadFileArguments(Arguments):
    """Which part of which file."""

    path: str = Field("", max_length=1_000, description='Like "method.py" or "parts/labels.py"; empty: list all files.')
    first_line: int = Field(1, ge=1, description="From which line on.")
    lines: int = Field(500, ge=1, le=2_000, description="How many lines.")


@TOOLS.register("read_file")
class ReadFile(Tool):
    """Links are not followed, wherever they lead."""

    name: ClassVar[str] = "read_file"
    summary: ClassVar[str] = "Read a text file of your workspace, or list its files."
    Arguments: ClassVar[type[Arguments]] = ReadFileArguments
    writes: ClassVar[bool] = False

    def run(self, actor: ToolActor, arguments: ReadFileArguments) -> ToolResult:
        """Raises: InvalidInput."""
        workspace = workspace_of(actor.agent)
        if arguments.path in ("", ".", "/workspace", "/workspace/"):
            return ToolResult("\n".join(listing(workspace)) or "Your workspace is empty.")
        return ToolResult(some_lines(read_text(workspace, arguments.path), arguments.first_line, arguments.lines))
