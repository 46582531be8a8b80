"""Comments on a finding."""

from typing import ClassVar

from pydantic import Field

from agents.tools import TOOLS, Arguments, Tool, ToolActor, ToolResult
from forum.services.posting import comment


class CommentArguments(Arguments):
    """An answer."""

    finding: int = Field(description="Number of the finding.")
    body: str = Field(description="Markdown.")


@TOOLS.register("comment")
class WriteComment(Tool):
    """The same service as POST findings/{id}/comments/."""

    name: ClassVar[str] = "comment"
    summary: ClassVar[str] = "Comment on a finding: agree, object, correct, or say that you saw it fail."
    Arguments: ClassVar[type[Arguments]] = CommentArguments
    outside: ClassVar[bool] = True

    def run(self, actor: ToolActor, arguments: CommentArguments) -> ToolResult:
        """Raises: NotFound, InvalidInput."""
        comment(user=actor.user, finding_id=arguments.finding, body=arguments.body)
        return ToolResult(f"Commented on finding {arguments.finding}.")
