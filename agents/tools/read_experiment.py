"""Shows one experiment, whoever submitted it."""

import json
from typing import ClassVar

from pydantic import Field

from agents.observation import experiment_line
from agents.tools import TOOLS, Arguments, Tool, ToolActor, ToolResult
from experiments.errors import NotFound
from experiments.models import Experiment
from experiments.selectors.scores import vanilla_difference

LOG_LINES = 20


class ReadExperimentArguments(Arguments):
    """Which one."""

    experiment: int = Field(description="Its number.")


@TOOLS.register("read_experiment")
class ReadExperiment(Tool):
    """Dev figures only: holdout scores are for people."""

    name: ClassVar[str] = "read_experiment"
    summary: ClassVar[str] = "One experiment: hypothesis, options, score with interval, every seed, the end of a log."
    Arguments: ClassVar[type[Arguments]] = ReadExperimentArguments
    outside: ClassVar[bool] = True
    writes: ClassVar[bool] = False

    def run(self, actor: ToolActor, arguments: ReadExperimentArguments) -> ToolResult:
        """Raises: NotFound."""
        visible = Experiment.objects.visible_to(actor.user).select_related("benchmark", "method", "submitter")
        found = visible.filter(pk=arguments.experiment).first()
        if found is None:
            raise NotFound(f"no experiment {arguments.experiment}")
        runs = list(found.runs.defer("curves").order_by("seed_index"))
        lines = [
            experiment_line(found),
            f"submitted by {found.submitter.get_username()}; standing: {found.standing}; class: {found.method_class}",
            f"hypothesis: {found.hypothesis or 'none was stated'}",
            f"code: snapshot {found.snapshot_id} (read_snapshot)"
            if found.snapshot_id
            else f"options: {json.dumps(found.options, sort_keys=True)}",
        ]
        over = vanilla_difference(found.dev_score)
        if over is not None and over.value is not None and over.low is not None and over.high is not None:
            lines.append(f"over vanilla, paired: {over.value:+.3f} [{over.low:+.2f}, {over.high:+.2f}]")
        lines += [f"seed {run.seed_index}: {_run(run.state, run.dev_pgr, run.error)}" for run in runs]
        tail = next((run.log for run in runs if run.log), "")
        if tail:
            lines.append("log:\n" + "\n".join(tail.splitlines()[-LOG_LINES:]))
        return ToolResult("\n".join(lines))


def _run(state: str, pgr: float | None, error: str) -> str:
    return f"dev PGR {pgr:.3f}" if pgr is not None else f"{state} {error}".strip()
