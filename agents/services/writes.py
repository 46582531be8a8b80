"""Where every write of an agent begins, by tool or by REST: ordered with pauses, and ruled by the campaign's policy.

Lock order: an agent's row before anything that the write touches (experiments, methods, benchmarks, tallies, budgets;
the lock that orders submissions and verdicts, experiments/services/descent.py), the event counters last: the lab's,
then the campaign's. Whoever holds an agent (pause, freeze, flag, stop) takes the same row first. So a write that a
pause waits for is there when the pause looks for what is queued, and one that waits for a pause finds its latch.
"""

from django.db import transaction

from agents import gate
from agents.admitted import is_admitted
from agents.models import Agent
from agents.services.admission import check_by_policy
from experiments.guard import Call


def begin_write(agent_id: int, call: Call) -> Agent:
    """Its row, locked until the transaction ends. Needs a transaction, at its beginning.

    A call that the policy has let through is not ruled on again: what its tool writes is the tool's business.
    Raises: Held, by what is committed once the lock is ours; Refused, InvalidInput.
    """
    agent = locked_agent(agent_id)
    gate.check(agent.pk)
    if not is_admitted():
        check_by_policy(agent, call)
    return agent


def locked_agent(agent_id: int) -> Agent:
    """NO KEY UPDATE lets rows that refer to it be written meanwhile."""
    if not transaction.get_connection().in_atomic_block:
        raise transaction.TransactionManagementError("a write of an agent needs a transaction")
    rows = Agent.objects.select_for_update(no_key=True, of=("self",)).select_related("campaign", "user")
    agent: Agent = rows.get(pk=agent_id)
    return agent
