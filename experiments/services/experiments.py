"""Submit, cancel and rerun experiments."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from django.db import transaction
from django.db.models import Max, Q

from experiments import dispatch, events
from experiments.errors import Forbidden, IllegalTransition, InvalidInput, NotFound, NotReady, Refused
from experiments.guard import Call, guard
from experiments.lifecycle import (
    EXPERIMENT_TERMINAL,
    RUN_TERMINAL,
    BenchmarkState,
    ExperimentState,
    RunState,
)
from experiments.models import Benchmark, Experiment, Method, Run
from experiments.offers import lacking
from experiments.options import complete_options
from experiments.permissions import can_cancel, can_rerun, can_submit
from experiments.seeds import MOST_SEEDS, draw_seeds
from experiments.services.code import (
    CODE,
    check_takes_code,
    code_method,
    frozen_digest,
    read_ahead,
    seed_digest,
    snapshot_of,
    snapshot_row,
)
from experiments.services.descent import lock_for_adding
from experiments.services.standing import judge, lock_judged, own_standing, retaint
from experiments.services.states import move_experiment, move_runs, tell
from experiments.snapshots.models import Snapshot
from experiments.verdicts import verdict_on_method

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.db.models import QuerySet

LONGEST_TITLE = 200
LONGEST_HYPOTHESIS = 10_000
_PRIORITIES = range(-100, 101)


@transaction.atomic
def submit_experiment(
    *,
    user: "User",
    benchmark: str,
    method: str = CODE,
    options: Mapping[str, Any],
    snapshot: int | None = None,
    title: str = "",
    hypothesis: str = "",
    seeds: int | None = None,
    priority: int = 0,
) -> Experiment:
    """Freeze a method with its options on a benchmark, draw the seeds, and queue one run for each.

    benchmark: slug. method: name of a recipe, or CODE with a snapshot. seeds: how many; None for the benchmark's
    default. title: empty for a plain one.
    Raises: Forbidden; InvalidInput with a pointer; NotReady; Refused.
    """
    if not can_submit(user):
        raise Forbidden("you may not submit experiments")
    if (method == CODE) != (snapshot is not None):
        raise InvalidInput("name a recipe, or the snapshot of your code, not both", pointer="#/method")
    if snapshot is not None:
        read_ahead(snapshot)
    said: dict[str, Any] = {"method": method} if snapshot is None else {"snapshot": snapshot}
    said |= {"benchmark": benchmark, "options": options, "title": title, "hypothesis": hypothesis, "seeds": seeds}
    campaign = guard().admit(user, Call("submit_experiment", said))
    place = _ready_benchmark(benchmark)
    code = None if snapshot is None else snapshot_row(snapshot)
    recipe = _runnable(place, method, code)
    complete = complete_options(recipe.options_schema, options)
    _check_offers(recipe, complete, place)
    return _create(
        user=user,
        campaign=campaign,
        benchmark=place,
        method=recipe,
        snapshot=code,
        options=complete,
        title=_checked_text(
            title.strip() or f"{_called(recipe, code)} on {place.title}"[:LONGEST_TITLE], LONGEST_TITLE, "#/title"
        ),
        hypothesis=_checked_text(hypothesis, LONGEST_HYPOTHESIS, "#/hypothesis"),
        seeds=_checked_seeds(place.default_seeds if seeds is None else seeds),
        priority=_checked_priority(priority),
        replicate=0,
    )


@transaction.atomic
def rerun_experiment(*, user: "User", experiment_id: int) -> Experiment:
    """The same method and options with fresh seeds, as an experiment of its own.

    Its replicate is one above the highest so far, so that no two reruns share seeds. The method's code may have
    changed since: then the rerun is of today's code, and its digest says so.
    Raises: NotFound, Forbidden, IllegalTransition while the original is at work, NotReady, Refused, InvalidInput.
    """
    original = _visible(user, experiment_id)
    if not can_rerun(user):
        raise Forbidden("you may not rerun experiments")
    campaign = guard().admit(user, Call("rerun_experiment", {"experiment": experiment_id}))
    if original.state not in EXPERIMENT_TERMINAL:
        raise IllegalTransition(f"experiment {original.pk} is {original.state}: rerun it when it has ended")
    again = on_benchmark(original, original.benchmark.slug)
    return _create(
        user=user,
        campaign=campaign,
        **again._asdict(),
        title=original.title,
        hypothesis=original.hypothesis,
        seeds=original.seeds,
        priority=original.priority,
        replicate=max(next_replicate(again), original.replicate + 1),
        rerun_of=original,
    )


class MethodThere(NamedTuple):
    """What an experiment ran, as it would run on some benchmark today."""

    benchmark: Benchmark
    method: Method
    snapshot: Snapshot | None
    options: dict[str, Any]

    @property
    def digest(self) -> str:
        """Of today's code and the options."""
        return frozen_digest(self.method, self.snapshot, self.options)

    def earlier(self) -> "QuerySet[Experiment]":
        """All that ran it there, or code that draws the same seeds."""
        same = Q(method_digest=self.digest)
        if self.snapshot is not None:
            same |= Q(provenance__seed_digest=seed_digest(self.method, self.snapshot, self.options))
        return Experiment.objects.filter(same, benchmark=self.benchmark, method=self.method)


def on_benchmark(original: Experiment, slug: str) -> MethodThere:
    """The method and options of an experiment on a benchmark, which need not be its own.

    Raises: NotReady, Refused, InvalidInput.
    """
    place = _ready_benchmark(slug)
    code = snapshot_of(original)
    recipe = _runnable(place, original.method.name, code)
    options = complete_options(recipe.options_schema, original.options)
    _check_offers(recipe, options, place)
    return MethodThere(place, recipe, code, options)


def next_replicate(there: MethodThere) -> int:
    """The number of a rerun whose seeds no run of this method has had there. Needs a transaction.

    Reruns of one method wait for each other here, so that each sees the replicate before it.
    """
    Method.objects.select_for_update(no_key=True).get(pk=there.method.pk)
    latest = there.earlier().aggregate(latest=Max("replicate"))["latest"]
    return 0 if latest is None else latest + 1


def replicate_elsewhere(
    *, user: "User", there: MethodThere, seeds: int, replicate: int, title: str, hypothesis: str
) -> Experiment:
    """A method on another benchmark with seeds of its own. Needs a transaction; who may ask, the caller has checked."""
    return _create(
        user=user, campaign=events.LAB, **there._asdict(), seeds=seeds, replicate=replicate, title=title,
        hypothesis=hypothesis, priority=0,
    )  # fmt: skip


@transaction.atomic
def cancel_experiment(*, user: "User", experiment_id: int) -> Experiment:
    """Stop whatever has not ended; runs that were scored keep their scores.

    A worker at work on it learns of it at its next step, and what it then writes is refused.
    Raises: NotFound, IllegalTransition if it has ended, Forbidden.
    """
    experiment = _visible(user, experiment_id)
    guard().admit(user, Call("cancel_experiment", {"experiment": experiment_id}))
    locked = Experiment.objects.select_for_update(no_key=True, of=("self",)).select_related("benchmark")
    experiment = locked.get(pk=experiment.pk)
    if experiment.state in EXPERIMENT_TERMINAL:
        raise IllegalTransition(f"experiment {experiment.pk} is {experiment.state} and cannot be cancelled")
    if not can_cancel(user, experiment):
        raise Forbidden("you may not cancel this experiment")
    cancel_locked(experiment, actor=user)
    experiment.refresh_from_db()
    return experiment


def cancel_locked(experiment: Experiment, *, actor: "User") -> None:
    """Stop an unfinished experiment, whose row the caller has locked and whose actor it has checked."""
    runs = list(
        experiment.runs.exclude(state__in=RUN_TERMINAL)
        .select_for_update(no_key=True)
        .only("id", "seed_index")
        .order_by("id")
    )
    move_runs(experiment, runs, RunState.CANCELLED)
    move_experiment(experiment, ExperimentState.CANCELLED, actor=actor)


def _create(
    *, user: "User", benchmark: Benchmark, method: Method, snapshot: Snapshot | None, **fields: Any
) -> Experiment:
    lock_for_adding()
    drawn_from = seed_digest(method, snapshot, fields["options"])
    experiment = Experiment(
        submitter=user,
        benchmark=benchmark,
        method=method,
        snapshot=snapshot,
        method_class=method.method_class,
        method_digest=frozen_digest(method, snapshot, fields["options"]),
        provenance={"code_digest": method.code_digest}
        | ({"snapshot": snapshot.digest, "seed_digest": drawn_from} if snapshot else {}),
        **fields,
    )
    experiment.standing = own_standing(experiment)
    experiment.save(force_insert=True)
    for changed in retaint([experiment.pk]):
        experiment.tainted_by_id = changed.by
    verdict = verdict_on_method(experiment)
    if verdict is not None:
        lock_judged([experiment.pk], submitters=[])
    drawn = draw_seeds(drawn_from, benchmark.slug, experiment.replicate, experiment.seeds)
    Run.objects.bulk_create(Run(experiment=experiment, seed_index=i, seed=seed) for i, seed in enumerate(drawn))
    guard().book(experiment)
    payload = {"experiment": experiment.pk, "benchmark": benchmark.slug, "state": experiment.state}
    tell(experiment, "experiment.submitted", actor=user, payload=payload)
    if verdict is not None:
        judge(experiment_id=experiment.pk, standing=verdict.standing, flags=[], reason=verdict.reason)
        experiment.standing = verdict.standing
    dispatch.train(experiment.pk)
    return experiment


def _visible(user: "User", experiment_id: int) -> Experiment:
    visible = Experiment.objects.visible_to(user).select_related("benchmark", "method")
    found: Experiment | None = visible.filter(pk=experiment_id).first()
    if found is None:
        raise NotFound(f"no experiment {experiment_id}")
    return found


def _ready_benchmark(slug: str) -> Benchmark:
    found = None if "\x00" in slug else Benchmark.objects.filter(slug=slug).first()  # PostgreSQL takes no NUL
    if found is None:
        known = ", ".join(Benchmark.objects.exclude(state=BenchmarkState.REFERENCE).values_list("slug", flat=True))
        raise InvalidInput(f"no benchmark {slug!r}; known: {known or 'none yet'}", pointer="#/benchmark")
    if found.state == BenchmarkState.READY:
        return found
    if found.state == BenchmarkState.REFERENCE:
        raise Refused(f"{slug} holds published figures only; nothing can run on it", pointer="#/benchmark")
    if found.state == BenchmarkState.PREPARING:
        raise NotReady(f"{slug} is being prepared ({found.stage or 'waiting for a worker'})", pointer="#/benchmark")
    if found.state == BenchmarkState.FAILED:
        raise NotReady(f"the preparation of {slug} failed: {found.error}", pointer="#/benchmark")
    raise NotReady(f"{slug} has not been prepared yet", pointer="#/benchmark")


def _runnable(benchmark: Benchmark, method: str, snapshot: Snapshot | None) -> Method:
    """The method's row, if it may run there. Raises: InvalidInput, Refused."""
    if snapshot is None:
        return _enabled_method(method)
    check_takes_code(benchmark)
    return code_method()


def _called(method: Method, snapshot: Snapshot | None) -> str:
    return method.title if snapshot is None else f"Snapshot {snapshot.pk}"


def _enabled_method(name: str) -> Method:
    found = Method.objects.filter(name=name).first()
    if found is None:
        known = ", ".join(Method.objects.filter(enabled=True).values_list("name", flat=True))
        raise InvalidInput(
            f"no method {name!r}; known: {known or 'none: no worker has announced its methods yet'}",
            pointer="#/method/recipe",
        )
    if not found.enabled:
        raise Refused(f"the method {name} is switched off", pointer="#/method/recipe")
    return found


def _check_offers(method: Method, options: Mapping[str, Any], benchmark: Benchmark) -> None:
    missing = lacking(method.uses, method.options_schema, options, benchmark.offers)
    if not missing:
        return
    always = lacking(method.uses, {}, {}, benchmark.offers)
    what = method.name if always else f"{method.name} with these options"
    offered = ", ".join(benchmark.offers) or "weak labels only"
    raise Refused(
        f"{what} needs {', '.join(missing)}, which {benchmark.slug} keeps back (it offers {offered})",
        pointer="#/method/recipe" if always else "#/method/options",
    )


def _checked_text(text: str, longest: int, pointer: str) -> str:
    if "\x00" in text:
        raise InvalidInput("text must not hold NUL characters", pointer=pointer)
    if len(text) > longest:
        raise InvalidInput(f"{len(text)} characters; at most {longest} are allowed", pointer=pointer)
    return text.strip()


def _checked_seeds(seeds: int) -> int:
    if not 1 <= seeds <= MOST_SEEDS:
        raise InvalidInput(f"seeds={seeds}: expected 1 to {MOST_SEEDS}", pointer="#/seeds")
    return seeds


def _checked_priority(priority: int) -> int:
    if priority not in _PRIORITIES:
        raise InvalidInput(f"priority={priority}: expected -100 to 100", pointer="#/priority")
    return priority
