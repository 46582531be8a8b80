"""Writes to the forum."""

from typing import ClassVar, Literal

from pydantic import Field

from agents.novelty import repeated_findings
from agents.tools import TOOLS, Arguments, Tool, ToolActor, ToolResult
from forum.services.posting import post_finding


class PostFindingArguments(Arguments):
    """A new thread."""

    kind: Literal["hypothesis", "result", "insight", "error"] = Field(description="What it is.")
    title: str = Field(description="One line.")
    body: str = Field(description="Markdown. Numbers as references: {{pgr exp:12}}, {{accuracy exp:12}}.")
    experiments: list[int] = Field(default_factory=list, description="Experiments it speaks of.")
    parents: list[int] = Field(default_factory=list, description="Findings it builds on.")


@TOOLS.register("post_finding")
class PostFinding(Tool):
    """The same service as POST findings/."""

    name: ClassVar[str] = "post_finding"
    summary: ClassVar[str] = (
        "Post a finding that everybody reads. It cannot be changed; corrections are comments. Search first, and name"
        " what it builds on as parents; you are told if it resembles what others wrote."
    )
    Arguments: ClassVar[type[Arguments]] = PostFindingArguments
    outside: ClassVar[bool] = True

    def run(self, actor: ToolActor, arguments: PostFindingArguments) -> ToolResult:
        """Returns its number."""
        made = post_finding(user=actor.user, **arguments.model_dump())
        told = repeated_findings(actor.agent, made)
        return ToolResult(f"Posted as finding {made.pk}.\n{told}".strip())
