"""Runs a recipe on a benchmark."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from agents.lifecycle import BudgetKind
from agents.novelty import repeated_hypotheses
from agents.services.gpu_time import SECONDS_PER_SEED
from agents.tools import TOOLS, Arguments, Tool, ToolActor, ToolResult
from experiments.models import Benchmark
from experiments.services.experiments import submit_experiment

if TYPE_CHECKING:
    from agents.models import Agent


class SubmitArguments(Arguments):
    """What an experiment is made of."""

    benchmark: str = Field(description="Slug of a benchmark of your campaign.")
    method: str = Field(description="Name of a recipe; list_methods tells which there are.")
    options: dict[str, Any] = Field(default_factory=dict, description="Options of the recipe; left out: its defaults.")
    title: str = Field(max_length=200, description="What people see in lists.")
    hypothesis: str = Field(max_length=10_000, description="What you expect and why, before you know.")
    seeds: int | None = Field(None, ge=1, le=100, description="How many runs; left out: the benchmark's default.")


@TOOLS.register("submit_experiment")
class SubmitExperiment(Tool):
    """The same service as POST experiments/."""

    name: ClassVar[str] = "submit_experiment"
    summary: ClassVar[str] = (
        "Queue an experiment: a recipe on a benchmark over several seeds that the server draws. Call search_findings"
        " first: did somebody try it? Returns its number at once; use wait to sleep until it is scored."
    )
    Arguments: ClassVar[type[Arguments]] = SubmitArguments
    outside: ClassVar[bool] = True

    @classmethod
    def cost(cls, agent: "Agent", arguments: SubmitArguments) -> Mapping[str, int]:
        """GPU seconds that are held for it."""
        benchmark = Benchmark.objects.filter(slug=arguments.benchmark).first()
        if benchmark is None:
            return {}
        seeds = benchmark.default_seeds if arguments.seeds is None else arguments.seeds
        return {BudgetKind.GPU_SECONDS.value: SECONDS_PER_SEED[benchmark.student] * seeds}

    @classmethod
    def runs_code(cls, arguments: SubmitArguments) -> bool:
        """With a snapshot in place of a recipe."""
        return getattr(arguments, "snapshot", None) is not None

    def run(self, actor: ToolActor, arguments: SubmitArguments) -> ToolResult:
        """Returns the experiment's number."""
        made = submit_experiment(
            user=actor.user,
            benchmark=arguments.benchmark,
            method=arguments.method,
            options=arguments.options,
            title=arguments.title,
            hypothesis=arguments.hypothesis,
            seeds=arguments.seeds,
        )
        told = repeated_hypotheses(actor.agent, made)
        return ToolResult(f"Experiment #{made.pk} is {made.state}: {made.seeds} seeds.\n{told}".strip())
