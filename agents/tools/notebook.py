"""Writes the agent's own memory."""

from typing import ClassVar

from pydantic import Field

from agents.services.notebooks import save_notebook
from agents.services.transcript import LONGEST_NOTEBOOK
from agents.tools import TOOLS, Arguments, Tool, ToolActor, ToolResult


class NotebookArguments(Arguments):
    """The whole new text."""

    body: str = Field(max_length=LONGEST_NOTEBOOK, description="Markdown; replaces the notebook, old ones are kept.")


@TOOLS.register("notebook")
class WriteNotebook(Tool):
    """The same service as PUT me/notebook/."""

    name: ClassVar[str] = "notebook"
    summary: ClassVar[str] = (
        "Replace your notebook: what you know, what you tried, what comes next. It stays when older parts of the"
        " conversation are summed up."
    )
    Arguments: ClassVar[type[Arguments]] = NotebookArguments
    outside: ClassVar[bool] = True

    def run(self, actor: ToolActor, arguments: NotebookArguments) -> ToolResult:
        """Returns the version."""
        saved = save_notebook(agent_id=actor.agent.pk, body=arguments.body)
        return ToolResult(f"Notebook saved, version {saved.version}.")
