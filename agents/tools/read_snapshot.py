"""Shows method code that somebody has submitted, and where it comes from."""

from typing import ClassVar

from pydantic import Field

from agents.observation import experiment_line
from agents.tools import TOOLS, Arguments, Tool, ToolActor, ToolResult
from agents.tools._lines import some_lines
from experiments.models import Experiment
from experiments.snapshots.selectors import children_of, file_facts, file_text, snapshot_detail

MOST_EXPERIMENTS = 10
MOST_CHILDREN = 50


class ReadSnapshotArguments(Arguments):
    """Which part of which code."""

    snapshot: int = Field(description="Its number; read_experiment tells it.")
    path: str = Field("", max_length=1_000, description="One of its files; empty: what it is, and its list of files.")
    first_line: int = Field(1, ge=1, description="From which line on.")
    lines: int = Field(500, ge=1, le=2_000, description="How many lines.")


@TOOLS.register("read_snapshot")
class ReadSnapshot(Tool):
    """The same selectors as GET snapshots/{id}/."""

    name: ClassVar[str] = "read_snapshot"
    summary: ClassVar[str] = (
        "Read anyone's method code: what it grew out of, what grew out of it, how it scored, its files; or one file."
    )
    Arguments: ClassVar[type[Arguments]] = ReadSnapshotArguments
    outside: ClassVar[bool] = True
    writes: ClassVar[bool] = False

    def run(self, actor: ToolActor, arguments: ReadSnapshotArguments) -> ToolResult:
        """Raises: NotFound."""
        if arguments.path:
            text = file_text(arguments.snapshot, arguments.path)
            return ToolResult(some_lines(text, arguments.first_line, arguments.lines))
        found = snapshot_detail(arguments.snapshot)
        parents = ", ".join(str(each.pk) for each in found.parents.all())
        children = ", ".join(map(str, children_of(found.pk, MOST_CHILDREN)))
        run_with = (
            Experiment.objects.visible_to(actor.user)
            .filter(snapshot=found)
            .select_related("benchmark", "method")
            .order_by("-pk")[:MOST_EXPERIMENTS]
        )
        lines = [
            f"snapshot {found.pk}, first submitted by {found.submitter.get_username()}",
            f"started from: {parents or 'nothing'}; started from it: {children or 'nothing yet'}",
            "experiments:",
            *([experiment_line(each) for each in run_with] or ["- none yet"]),
            "files:",
            *(f"- {each.path}: {each.n_lines} lines, {each.size_bytes:,} bytes" for each in file_facts(found)),
        ]
        return ToolResult("\n".join(lines))
