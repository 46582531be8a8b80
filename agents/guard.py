"""The lab's guard of writes: what an agent does is told in its campaign, held while it is, and paid for."""

from typing import TYPE_CHECKING

from agents.lifecycle import BudgetKind
from agents.models import Agent
from agents.services import budgets, gpu_time
from agents.services.writes import begin_write
from experiments.events import LAB
from experiments.guard import Call

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from experiments.models import Experiment


class AgentGuard:
    """See experiments.guard.WriteGuard; people pass it freely."""

    def admit(self, user: "User", call: Call) -> int:
        """Raises: Held; Refused, InvalidInput by the campaign's policy, unless it has let a tool call through."""
        agent_id = Agent.objects.filter(user=user).values_list("pk", flat=True).first()
        return LAB if agent_id is None else begin_write(agent_id, call).campaign_id

    def book(self, experiment: "Experiment") -> None:
        """Raises: OverBudget."""
        agent = Agent.objects.filter(user=experiment.submitter_id).first()
        if agent is not None:
            gpu_time.reserve(
                agent=agent,
                key=gpu_time.key_of(experiment.pk),
                student=experiment.benchmark.student,
                seeds=experiment.seeds,
            )

    def book_upload(self, user: "User", upload: int) -> None:
        """Raises: OverBudget."""
        agent = Agent.objects.filter(user=user).first()
        if agent is not None:
            one = {BudgetKind.EVALUATIONS.value: 1}
            budgets.reserve(agent=agent, key=f"upload:{upload}", amounts=one)
            budgets.settle(agent=agent, key=f"upload:{upload}", spent=one)  # a query is spent when it is sent
