"""GPU seconds of experiments: held when an agent submits, booked when the experiment has ended."""

from agents.lifecycle import BudgetKind
from agents.models import Agent, Reservation
from agents.services import budgets
from experiments.lifecycle import EXPERIMENT_TERMINAL
from experiments.models import Experiment

SECONDS_PER_SEED = {"probe": 1, "lora": 120, "full": 300}  # held per seed; what it really took is booked afterwards
_KEY = "experiment:"


def reserve(*, agent: Agent, key: str, student: str, seeds: int) -> None:
    """Hold the seconds an experiment may take. Raises: OverBudget."""
    budgets.reserve(agent=agent, key=key, amounts={BudgetKind.GPU_SECONDS: SECONDS_PER_SEED[student] * seeds})


def key_of(experiment_id: int) -> str:
    """What an experiment's time is booked under."""
    return f"{_KEY}{experiment_id}"


def settle_ended() -> None:
    """Book every ended experiment whose time is still held."""
    held = Reservation.objects.filter(spent__isnull=True, key__startswith=_KEY).select_related("agent")
    by_experiment = {int(each.key.removeprefix(_KEY)): each for each in held}
    ended = Experiment.objects.filter(pk__in=by_experiment, state__in=EXPERIMENT_TERMINAL)
    for pk, seconds in ended.values_list("pk", "worker_seconds"):
        reservation = by_experiment[pk]
        spent = {BudgetKind.GPU_SECONDS.value: -int(-seconds // 1)}
        budgets.settle(agent=reservation.agent, key=reservation.key, spent=spent)
