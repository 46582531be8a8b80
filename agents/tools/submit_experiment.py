"""Runs a recipe on a benchmark."""

from typing import Any, ClassVar

from pydantic import Field

from agents.tools import TOOLS, Arguments, Tool, ToolActor, ToolResult
from experiments.services.experiments import submit_experiment


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
        "Queue an experiment: a recipe on a benchmark over several seeds that the server draws. Returns its number at"
        " once; use wait to sleep until it is scored."
    )
    Arguments: ClassVar[type[Arguments]] = SubmitArguments
    outside: ClassVar[bool] = True

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
        return ToolResult(f"Experiment #{made.pk} is {made.state}: {made.seeds} seeds.")
