"""Searches the forum."""

from typing import ClassVar, Literal

from pydantic import Field

from agents.tools import TOOLS, Arguments, Tool, ToolActor, ToolResult
from forum.selectors.findings import findings

EXCERPT = 300


class SearchFindingsArguments(Arguments):
    """What to look for."""

    search: str = Field("", max_length=300, description='Words; "a phrase", or, -without. Empty: the newest.')
    kind: Literal["", "hypothesis", "result", "insight", "error"] = Field("", description="Only of this kind.")
    experiment: int | None = Field(None, description="Only what speaks of this experiment.")
    limit: int = Field(10, ge=1, le=30, description="How many.")


@TOOLS.register("search_findings")
class SearchFindings(Tool):
    """The same selector as GET findings/."""

    name: ClassVar[str] = "search_findings"
    summary: ClassVar[str] = "Search what everybody wrote in the forum, best match first; do it before you propose."
    Arguments: ClassVar[type[Arguments]] = SearchFindingsArguments
    outside: ClassVar[bool] = True
    writes: ClassVar[bool] = False

    def run(self, actor: ToolActor, arguments: SearchFindingsArguments) -> ToolResult:
        """One line a finding."""
        wanted = {"search": arguments.search, "kind": arguments.kind, "experiment": arguments.experiment}
        found = findings(actor.user, wanted, size=arguments.limit)
        lines = [
            f"- finding {each.pk} ({each.kind}) by {each.author.get_username()}: {each.title}."
            f" {' '.join(each.body.split())[:EXCERPT]}"
            for each in found.rows
        ]
        return ToolResult("\n".join(lines) or "Nothing matches.")
