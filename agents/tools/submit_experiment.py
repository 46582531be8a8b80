"""Runs a recipe, or code of one's own, on a benchmark."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field, model_validator

from agents.lifecycle import BudgetKind
from agents.novelty import repeated_hypotheses
from agents.services.gpu_time import SECONDS_PER_SEED
from agents.tools import TOOLS, Arguments, Tool, ToolActor, ToolResult
from agents.workspaces import code_of, workspace_of
from experiments.errors import InvalidInput
from experiments.lifecycle import Standing
from experiments.models import Benchmark, Method
from experiments.options import plain_options
from experiments.services.code import CODE
from experiments.services.experiments import submit_experiment
from experiments.snapshots.services import MAX_PARENTS, create_snapshot

if TYPE_CHECKING:
    from agents.models import Agent


class SubmitArguments(Arguments):
    """What an experiment is made of."""

    benchmark: str = Field(description="Slug of a benchmark of your campaign.")
    method: str | None = Field(None, description="Name of a recipe; list_methods tells which there are.")
    options: dict[str, Any] = Field(default_factory=dict, description="Options of the recipe; left out: its defaults.")
    snapshot: int | None = Field(None, description="In place of a recipe: the number of method code, anyone's.")
    workspace: bool = Field(False, description="In place of a recipe: method.py and all *.py of your workspace.")
    parents: list[int] = Field(
        default_factory=list,
        max_length=MAX_PARENTS,
        description="With workspace: snapshots that it started from.",
    )
    title: str = Field(max_length=200, description="What people see in lists.")
    hypothesis: str = Field(max_length=10_000, description="What you expect and why, before you know.")
    seeds: int | None = Field(None, ge=1, le=100, description="How many runs; left out: the benchmark's default.")

    @model_validator(mode="after")
    def _one_kind_of_method(self) -> "SubmitArguments":
        if sum([bool(self.method), self.snapshot is not None, self.workspace]) != 1:
            raise ValueError("give exactly one of method, snapshot and workspace")
        if self.options and not self.method:
            raise ValueError("options belong to a recipe; code has none")
        if self.parents and not self.workspace:
            raise ValueError("parents belong to code of your workspace")
        return self


@TOOLS.register("submit_experiment")
class SubmitExperiment(Tool):
    """The same services as POST snapshots/ and POST experiments/."""

    name: ClassVar[str] = "submit_experiment"
    summary: ClassVar[str] = (
        "Queue an experiment over several seeds that the server draws: a recipe (method), somebody's code (snapshot) or"
        " the code in your workspace (workspace: true, which keeps it as a snapshot that everybody can read). Call"
        " search_findings first: did somebody try it? Returns its number at once; use wait to sleep until it is scored."
    )
    Arguments: ClassVar[type[Arguments]] = SubmitArguments
    outside: ClassVar[bool] = True

    @classmethod
    def spelt(cls, arguments: SubmitArguments) -> dict[str, Any]:
        """With the defaults of recipe and benchmark, so that leaving them out is no way around a rule about them."""
        said = super().spelt(arguments)
        benchmark = Benchmark.objects.filter(slug=arguments.benchmark).first()
        if arguments.seeds is None and benchmark is not None:
            said["seeds"] = benchmark.default_seeds
        if not arguments.method:
            said.pop("method", None)  # "" is a call without a recipe, as null is
        recipe = Method.objects.filter(name=arguments.method).first()
        said["options"] = plain_options(recipe.options_schema if recipe else {}, arguments.options)
        return said

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
        """With a snapshot or the workspace in place of a recipe."""
        return arguments.workspace or arguments.snapshot is not None

    @classmethod
    def pinned(cls, agent: "Agent", arguments: SubmitArguments) -> Mapping[str, Any] | None:
        """The code as it is now: a workspace may be another by the time somebody has approved of it."""
        if not arguments.workspace:
            return None
        rest = arguments.model_dump(exclude_unset=True, exclude={"workspace", "parents"})
        return {**rest, "snapshot": _kept(agent, arguments)}

    def run(self, actor: ToolActor, arguments: SubmitArguments) -> ToolResult:
        """Returns the numbers of the experiment and its snapshot. Raises: what the services do."""
        snapshot = _kept(actor.agent, arguments) if arguments.workspace else arguments.snapshot
        made = submit_experiment(
            user=actor.user,
            benchmark=arguments.benchmark,
            method=arguments.method or CODE,
            snapshot=snapshot,
            options=arguments.options,
            title=arguments.title,
            hypothesis=arguments.hypothesis,
            seeds=arguments.seeds,
        )
        code_note = f" of snapshot {snapshot}" if snapshot is not None else ""
        told = repeated_hypotheses(actor.agent, made)
        lost = " Your method is disqualified there: its score will not count." * (
            made.standing == Standing.DISQUALIFIED
        )
        said = f"Experiment #{made.pk}{code_note} is {made.state}: {made.seeds} seeds.{lost}\n{told}"
        return ToolResult(said.strip())


def _kept(agent: "Agent", arguments: SubmitArguments) -> int:
    """The snapshot of the code in the workspace. Raises: InvalidInput, TooLarge."""
    if agent.researcher == "outside":
        raise InvalidInput(
            "you have no workspace in the lab: hand code in by POST snapshots/ and name the snapshot",
            pointer="#/workspace",
        )
    code = code_of(workspace_of(agent))
    if not code:
        raise InvalidInput("your workspace holds no *.py; write method.py first", pointer="#/workspace")
    return create_snapshot(user=agent.user, files=code, parents=arguments.parents).pk
