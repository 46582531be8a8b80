"""Writes a file of the agent's workspace."""

from typing import ClassVar

from pydantic import Field

from agents.tools import TOOLS, Arguments, Tool, ToolActor, ToolResult
from agents.workspaces import MOST_FILE_BYTES, workspace_of, write_text


class WriteFileArguments(Arguments):
    """A whole file."""

    path: str = Field(min_length=1, max_length=1_000, description='Like "method.py"; folders are made.')
    content: str = Field(max_length=MOST_FILE_BYTES, description="The whole text; replaces what was there.")


@TOOLS.register("write_file")
class WriteFile(Tool):
    """Links are not followed, wherever they lead."""

    name: ClassVar[str] = "write_file"
    summary: ClassVar[str] = "Write a text file of your workspace, whole."
    Arguments: ClassVar[type[Arguments]] = WriteFileArguments

    def run(self, actor: ToolActor, arguments: WriteFileArguments) -> ToolResult:
        """Raises: InvalidInput."""
        size = write_text(workspace_of(actor.agent), arguments.path, arguments.content)
        return ToolResult(f"Wrote {size:,} bytes to {arguments.path}.")
