"""Where submissions and verdicts meet: one lock of the lab, so that no result misses what is held against its code.

Whoever adds an experiment takes it shared before it asks what taints it and whether its method is disqualified; whoever
judges takes it exclusively before it looks for what descends and for other runs of the method. Both keep it until they
commit, so one comes after the other: a verdict finds the row, or the row finds the verdict. And from a verdict's look
to its commit nothing comes to be that it would have to lock late.

Code alone needs no lock: a snapshot has no taint, its parents are written with it, and what runs it comes by here.

Lock order: agents, flags and methods before it; experiments by id, budgets and the event counters after it. Whoever
holds one of the latter and then asked for it would wait for a verdict that waits for him. Workers, scoring, pauses and
uploads add no experiment and judge none: they never take it. Nor do imports: what comes from another lab taints nothing
here and keeps the taint that it came with.
"""

from django.db import connection, transaction

_KEY = 0x7461_696E_74  # "taint"; the only advisory lock of this database


def lock_for_adding() -> None:
    """Wait until no verdict is at work; submissions do not wait for each other. Needs a transaction."""
    _take("SELECT pg_advisory_xact_lock_shared(%s)")


def lock_for_judging() -> None:
    """Wait until neither a submission nor another verdict is at work. Needs a transaction."""
    _take("SELECT pg_advisory_xact_lock(%s)")


def _take(statement: str) -> None:
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("what meets verdicts needs a transaction: the lock lasts as long")
    with connection.cursor() as cursor:
        cursor.execute(statement, [_KEY])
