"""Where every write of an agent begins, by tool or by REST, so that writes and pauses have an order.

Lock order: an agent's row before anything that the write touches (experiments, methods, benchmarks, tallies, budgets),
the event counters last: the lab's, then the campaign's. Whoever holds an agent (pause, freeze, flag, stop) takes the
same row first. So a write that a pause waits for is there when the pause looks for what is queued, and one that waits
for a pause finds its latch.
"""

from django.db import transaction

from agents import gate
from agents.models import Agent


def begin_write(agent_id: int) -> Agent:
    """Its row, locked until the transaction ends. Needs a transaction, at its beginning.

    Raises: Held, by what is committed once the lock is ours.
    """
    agent = locked_agent(agent_id)
    gate.check(agent.pk)
    return agent


def locked_agent(agent_id: int) -> Agent:
    """NO KEY UPDATE lets rows that refer to it be written meanwhile."""
    if not transaction.get_connection().in_atomic_block:
        raise transaction.TransactionManagementError("a write of an agent needs a transaction")
    rows = Agent.objects.select_for_update(no_key=True, of=("self",)).select_related("campaign", "user")
    agent: Agent = rows.get(pk=agent_id)
    return agent
