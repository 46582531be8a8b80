"""What flags and verdicts touch, locked before the first event is written.

Lock order: agents by id, the flag, the lock of descent (experiments/services/descent.py: no experiment is added from
then on), experiments by id, the detector's setting; the event counters last, the lab's first.
Workers hold an experiment, and agents' writes their agent, when they write an event: whoever held the log first and
then asked for one of them would wait for ever.
"""

from collections.abc import Collection
from typing import TYPE_CHECKING

from agents.models import Agent
from experiments.models import Experiment
from experiments.services.descent import lock_for_judging
from experiments.services.standing import lock_judged

if TYPE_CHECKING:
    from django.db.models import QuerySet


def lock_agents(agents: Collection[int]) -> None:
    """Whoever may be latched. Needs a transaction, at its beginning."""
    rows = Agent.objects.select_for_update(no_key=True, of=("self",)).filter(pk__in=agents)
    list(rows.order_by("pk").values_list("pk", flat=True))


def lock_experiments(experiments: Collection[int], *, agents: Collection[int]) -> None:
    """Every experiment that effects on these reach. Needs a transaction that holds the agents' rows."""
    if experiments:
        lock_for_judging()
    judged = set(experiments)
    for experiment in Experiment.objects.filter(pk__in=experiments):
        judged.update(alike(experiment).values_list("pk", flat=True))
    accounts = Agent.objects.filter(pk__in=agents).values_list("user", flat=True)
    lock_judged(judged, submitters=list(accounts))


def alike(experiment: Experiment) -> "QuerySet[Experiment]":
    """Wherever the same submitter ran the same method on that benchmark, this one too: a verdict on it is on all."""
    found: QuerySet[Experiment] = Experiment.objects.filter(
        method_digest=experiment.method_digest, benchmark=experiment.benchmark_id, submitter=experiment.submitter_id
    )
    return found
