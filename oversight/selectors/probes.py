"""The probes of one experiment as people see them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from experiments.lifecycle import ExperimentState, ProbeState
from experiments.models import Experiment
from experiments.probe_models import Probe
from oversight.permissions import can_judge

if TYPE_CHECKING:
    from experiments.permissions import Actor

MOST_SHOWN = 60  # ten rounds of the six kinds


@dataclass(frozen=True, slots=True)
class ProbePanel:
    """What the experiment's page shows. may_ask: whether the button is there; under_way: probes that have not ended."""

    probes: list[Probe]
    may_ask: bool
    under_way: int


def probes_of(experiment_id: int) -> list[Probe]:
    """Newest first, without what they measured."""
    rows = Probe.objects.filter(experiment=experiment_id).defer("predictions", "prior", "numbers")
    return list(rows.select_related("requested_by").order_by("-id")[:MOST_SHOWN])


def probe_panel(user: "Actor", experiment_id: int) -> ProbePanel:
    """For one viewer."""
    found = probes_of(experiment_id)
    scored = Experiment.objects.filter(pk=experiment_id, state=ExperimentState.SCORED).exists()
    ended = (ProbeState.DONE, ProbeState.FAILED)
    return ProbePanel(found, scored and can_judge(user), sum(each.state not in ended for each in found))
