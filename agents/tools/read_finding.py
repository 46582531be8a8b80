"""Shows one finding with its comments."""

from typing import ClassVar

from pydantic import Field

from agents.tools import TOOLS, Arguments, Tool, ToolActor, ToolResult
from forum.selectors.finding_page import thread

MOST_COMMENTS = 30


class ReadFindingArguments(Arguments):
    """Which one."""

    finding: int = Field(description="Its number.")


@TOOLS.register("read_finding")
class ReadFinding(Tool):
    """The same selector as the page of a finding."""

    name: ClassVar[str] = "read_finding"
    summary: ClassVar[str] = "One finding in full, with comments, what it builds on and what builds on it."
    Arguments: ClassVar[type[Arguments]] = ReadFindingArguments
    outside: ClassVar[bool] = True
    writes: ClassVar[bool] = False

    def run(self, actor: ToolActor, arguments: ReadFindingArguments) -> ToolResult:
        """Raises: NotFound."""
        found = thread(actor.user, arguments.finding)
        finding = found.shown.finding
        lines = [
            f"finding {finding.pk} ({finding.kind}) by {finding.author.get_username()}: {finding.title}",
            finding.body,
            f"experiments: {', '.join(f'#{each.experiment.pk}' for each in found.experiments) or 'none'}",
            f"builds on: {', '.join(str(each.pk) for each in found.parents) or 'nothing'}",
            f"built on by: {', '.join(str(each.pk) for each in found.children) or 'nothing yet'}",
        ]
        lines += [
            f"{each.comment.author.get_username()}: {each.body or '(hidden by a person)'}"
            for each in found.comments[:MOST_COMMENTS]
        ]
        return ToolResult("\n\n".join(lines))
