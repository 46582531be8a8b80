"""One experiment with everything its page shows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from experiments.lifecycle import RUN_TERMINAL
from experiments.looks import MOVING
from experiments.models import Baseline, Experiment, Run
from experiments.permissions import can_see_holdout
from experiments.selectors.api_experiments import experiment_of
from experiments.selectors.scores import Score, dev_score, holdout_score, vanilla_difference

if TYPE_CHECKING:
    from experiments.permissions import Actor

LOG_TAIL_LINES = 40


@dataclass(frozen=True, slots=True)
class OptionLine:
    """One option with the method's default beside it."""

    name: str
    value: Any
    default: Any

    @property
    def changed(self) -> bool:
        """Whether the submitter departed from the default."""
        return bool(self.value != self.default)


@dataclass(frozen=True, slots=True)
class RunLine:
    """One seed as the table shows it; `holdout_pgr` is None for whoever may not see it."""

    run: Run
    moving: bool
    holdout_pgr: float | None
    log_tail: str


@dataclass(frozen=True, slots=True)
class SharedError:
    """Seeds that failed for the same reason."""

    error: str
    seeds: list[int]


@dataclass(frozen=True, slots=True)
class ExperimentPage:
    """What the page of one experiment shows."""

    experiment: Experiment
    options: list[OptionLine]
    runs: list[RunLine]
    runs_done: int
    errors: list[SharedError]
    moving: bool
    dev: Score | None
    holdout: Score | None
    vanilla: Score | None
    vanilla_holdout: Score | None
    sees_holdout: bool
    reruns: list[Experiment]
    provenance: list[tuple[str, str]]

    @property
    def has_logs(self) -> bool:
        """Whether any run wrote one."""
        return any(line.log_tail for line in self.runs)

    @property
    def key(self) -> str:
        """The id as the live stream writes it."""
        return str(self.experiment.pk)


def experiment_page_of(user: "Actor", experiment_id: int) -> ExperimentPage:
    """Raises: Http404."""
    experiment = experiment_of(user, experiment_id)
    holdout = can_see_holdout(user)
    runs = list(experiment.runs.defer("curves").order_by("seed_index"))
    return ExperimentPage(
        experiment=experiment,
        options=option_lines(experiment),
        runs=[_run_line(run, holdout) for run in runs],
        runs_done=sum(run.state in RUN_TERMINAL for run in runs),
        errors=_shared_errors(runs),
        moving=experiment.state in MOVING,
        dev=dev_score(experiment),
        holdout=holdout_score(experiment) if holdout else None,
        vanilla=vanilla_difference(experiment.dev_score),
        vanilla_holdout=vanilla_difference(experiment.holdout_score) if holdout else None,
        sees_holdout=holdout,
        provenance=flat(experiment.provenance),
        reruns=list(experiment.reruns.only("id", "title", "replicate", "state").order_by("id")[:20]),
    )


def flat(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Nested facts as lines: {"versions": {"torch": "2.13"}} is ("versions torch", "2.13")."""
    lines = []
    for key, value in sorted(values.items()):
        name = f"{prefix} {key}".strip().replace("_", " ")
        lines += flat(value, name) if isinstance(value, Mapping) else [(name, str(value))]
    return lines


def option_lines(experiment: Experiment) -> list[OptionLine]:
    """The options as they were submitted, and the defaults of those left out."""
    properties = experiment.method.options_schema.get("properties", {})
    defaults = {name: schema.get("default") for name, schema in properties.items()}
    names = sorted({*defaults, *experiment.options})
    return [OptionLine(name, experiment.options.get(name, defaults.get(name)), defaults.get(name)) for name in names]


def export_of(user: "Actor", experiment_id: int) -> dict[str, Any]:
    """Everything about one experiment that this user may see, as JSON values. Raises: Http404."""
    experiment = experiment_of(user, experiment_id)
    holdout = can_see_holdout(user)
    hidden = set() if holdout else {"holdout_accuracy", "holdout_pgr", "holdout_score"}
    facts = [
        "id", "title", "hypothesis", "options", "method_class", "method_digest", "seeds", "replicate", "state",
        "standing", "error", "created_at", "started_at", "finished_at", "worker_seconds", "provenance",
        "dev_accuracy", "dev_pgr", "dev_score", "holdout_accuracy", "holdout_pgr", "holdout_score",
    ]  # fmt: skip
    per_run = [
        "seed_index", "seed", "state", "attempt", "worker", "started_at", "finished_at", "dev_accuracy", "dev_pgr",
        "holdout_accuracy", "holdout_pgr", "curves", "log", "error",
    ]  # fmt: skip
    return {
        **{name: getattr(experiment, name) for name in facts if name not in hidden},
        "benchmark": experiment.benchmark.slug,
        "method": experiment.method.name,
        "submitter": experiment.submitter.get_username(),
        "rerun_of": experiment.rerun_of_id,
        "baselines": [
            _baseline(line)
            for line in Baseline.objects.filter(benchmark=experiment.benchmark)
            if holdout or line.split != "holdout"
        ],
        "runs": [
            {name: getattr(run, name) for name in per_run if name not in hidden}
            for run in experiment.runs.order_by("seed_index")
        ],
    }


def _baseline(line: Baseline) -> dict[str, Any]:
    names = ("arm", "split", "mean", "se", "se_seeds", "n_items", "accuracies")
    return {name: getattr(line, name) for name in names}


def _shared_errors(runs: list[Run]) -> list[SharedError]:
    seeds: dict[str, list[int]] = {}
    for run in runs:
        if run.error:
            seeds.setdefault(run.error, []).append(run.seed_index)
    return [SharedError(error, own) for error, own in seeds.items()]


def _run_line(run: Run, holdout: bool) -> RunLine:
    return RunLine(
        run=run,
        moving=run.state in MOVING,
        holdout_pgr=run.holdout_pgr if holdout else None,
        log_tail="\n".join(run.log.splitlines()[-LOG_TAIL_LINES:]),
    )
