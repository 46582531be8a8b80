"""Replaces a passage in a file of the agent's workspace."""

from typing import ClassVar

from pydantic import Field

from agents.tools import TOOLS, Arguments, Tool, ToolActor, ToolResult
from agents.workspaces import MOST_FILE_BYTES, read_text, workspace_of, write_text
from experiments.errors import InvalidInput


class EditFileArguments(Arguments):
    """What stands there, and what is to stand there."""

    path: str = Field(min_length=1, max_length=1_000, description='Like "method.py".')
    old: str = Field(min_length=1, max_length=MOST_FILE_BYTES, description="Exactly as in the file, spaces included.")
    new: str = Field(max_length=MOST_FILE_BYTES, description="What takes its place; empty to take it out.")
    everywhere: bool = Field(False, description="Replace every occurrence; otherwise there must be exactly one.")


@TOOLS.register("edit_file")
class EditFile(Tool):
    """Exact matches alone: a guess at what was meant would be a change that nobody has seen."""

    name: ClassVar[str] = "edit_file"
    summary: ClassVar[str] = "Replace a passage in a text file of your workspace; it must be given exactly."
    Arguments: ClassVar[type[Arguments]] = EditFileArguments

    def run(self, actor: ToolActor, arguments: EditFileArguments) -> ToolResult:
        """Raises: InvalidInput."""
        workspace = workspace_of(actor.agent)
        text = read_text(workspace, arguments.path)
        found = text.count(arguments.old)
        if found == 0:
            raise InvalidInput(f"{arguments.path} does not hold that passage; read it first", pointer="#/old")
        if found > 1 and not arguments.everywhere:
            raise InvalidInput(
                f"{arguments.path} holds that passage {found} times: give more of what stands around it, or say"
                " everywhere",
                pointer="#/old",
            )
        write_text(workspace, arguments.path, text.replace(arguments.old, arguments.new))
        return ToolResult(f"Replaced {found} passage{'s' if found > 1 else ''} in {arguments.path}.")
