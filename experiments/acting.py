"""Who acts, and why, for the database's own audit: known to its triggers until the transaction ends."""

from typing import TYPE_CHECKING

from django.db import connection, transaction

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def act_as(user: "User", reason: str = "") -> None:
    """Needs a transaction. What a trigger then writes down names this person and this reason."""
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("act_as needs a transaction")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('aarweb.actor', %s, true), set_config('aarweb.reason', %s, true)",
            [str(user.pk), reason.replace("\x00", "")],
        )
