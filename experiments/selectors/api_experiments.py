"""Experiments as the API tells of them: scores read, runs counted, holdout left out where it is not allowed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_user_model
from django.db.models import Count, QuerySet
from django.urls import reverse

from experiments.errors import InvalidInput, NotFound
from experiments.models import Benchmark, Experiment, Method, Run
from experiments.permissions import can_see_holdout, can_view_lab
from experiments.selectors.experiment_table import matching
from experiments.selectors.scores import Score, dev_score, holdout_score, vanilla_difference
from experiments.selectors.sealed import for_agents

if TYPE_CHECKING:
    from experiments.permissions import Actor

LOG_TAIL_LINES = 40
FILTERS = ("benchmark", "submitter", "method", "state", "standing", "class", "search")


@dataclass(frozen=True, slots=True)
class RunFacts:
    """One seed, with the end of its log."""

    run: Run
    log_tail: str


@dataclass(frozen=True, slots=True)
class ExperimentFacts:
    """What serializers show; the holdout's scores are None for whoever may not see them."""

    experiment: Experiment
    run_states: Mapping[str, int]
    links: Mapping[str, str]
    dev: Score | None
    dev_over_vanilla: Score | None
    holdout: Score | None
    holdout_over_vanilla: Score | None
    flags: Sequence[Mapping[str, Any]] = ()
    runs: Sequence[RunFacts] = field(default=())
    provenance: Mapping[str, Any] = field(default_factory=dict)


def experiments_for(user: "Actor", query: Mapping[str, Any]) -> QuerySet[Experiment]:
    """Experiments that the filters let through.

    Raises: InvalidInput for a benchmark, method or account that does not exist, naming those that do.
    """
    _known(Benchmark.objects.visible_to(user), "slug", query, "benchmark")
    _known(Method.objects.all(), "name", query, "method")
    name = query.get("submitter")
    if name and not get_user_model().objects.filter(username=name).exists():
        raise InvalidInput(f"there is no account {name!r}", pointer="?submitter")
    found = matching(user, {key: query[key] for key in FILTERS if query.get(key)})
    return found.select_related("benchmark", "method", "submitter").defer("provenance", "search")


def experiment_facts(user: "Actor", experiments: Sequence[Experiment]) -> list[ExperimentFacts]:
    """Their lines, runs counted in one query."""
    counts = _run_states([each.pk for each in experiments])
    return [_facts(user, each, counts.get(each.pk, {})) for each in experiments]


def experiment_of(user: "Actor", experiment_id: int) -> Experiment:
    """Raises: NotFound, also for one that this user may not see."""
    found = Experiment.objects.visible_to(user).select_related("benchmark", "method", "submitter", "rerun_of")
    experiment: Experiment | None = found.filter(pk=experiment_id).first()
    if experiment is None:
        raise NotFound(f"there is no experiment {experiment_id}")
    return experiment


def experiment_detail(user: "Actor", experiment_id: int) -> ExperimentFacts:
    """One experiment with its runs. Raises: NotFound."""
    experiment = experiment_of(user, experiment_id)
    runs = list(experiment.runs.order_by("seed_index"))
    states: dict[str, int] = {}
    for run in runs:
        states[run.state] = states.get(run.state, 0) + 1
    provenance = experiment.provenance if can_see_holdout(user) else for_agents(experiment.provenance)
    return _facts(
        user,
        experiment,
        states,
        runs=[RunFacts(run, "\n".join(run.log.splitlines()[-LOG_TAIL_LINES:])) for run in runs],
        provenance=provenance,
    )


def _facts(user: "Actor", experiment: Experiment, states: Mapping[str, int], **detail: Any) -> ExperimentFacts:
    holdout = can_see_holdout(user)
    told_of_flags = can_view_lab(user) or experiment.submitter_id == user.pk
    here = {"experiment_id": experiment.pk}
    return ExperimentFacts(
        experiment=experiment,
        run_states=states,
        links={
            "self": reverse("api_experiment", kwargs=here),
            "cancel": reverse("api_experiment_cancel", kwargs=here),
            "rerun": reverse("api_experiment_rerun", kwargs=here),
            "benchmark": reverse("api_benchmark", kwargs={"slug": experiment.benchmark.slug}),
        },
        dev=dev_score(experiment),
        dev_over_vanilla=vanilla_difference(experiment.dev_score),
        flags=experiment.flags if told_of_flags else (),
        holdout=holdout_score(experiment) if holdout else None,
        holdout_over_vanilla=vanilla_difference(experiment.holdout_score) if holdout else None,
        **detail,
    )


def _run_states(ids: Sequence[int]) -> dict[int, dict[str, int]]:
    counts: dict[int, dict[str, int]] = {}
    rows = Run.objects.filter(experiment_id__in=ids).order_by().values_list("experiment_id", "state")
    for pk, state, number in rows.annotate(Count("id")):
        counts.setdefault(pk, {})[state] = number
    return counts


def _known(rows: QuerySet[Any], column: str, query: Mapping[str, Any], parameter: str) -> None:
    name = query.get(parameter)
    if name and not rows.filter(**{column: name}).exists():
        known = ", ".join(rows.order_by(column).values_list(column, flat=True))
        raise InvalidInput(f"{name!r} is not one of: {known}", pointer=f"?{parameter}")
