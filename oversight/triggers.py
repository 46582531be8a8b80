"""What the database itself refuses here; the function is made by the first migration, triggers by the models."""

import pgtrigger

from forum.triggers import Guard, changed


class Refuse(Guard):
    """Refuses the operation with an IntegrityError that says which table and which operation."""

    function = "oversight_refuse"
    when = pgtrigger.Before


def kept(table: str) -> list[pgtrigger.Trigger]:
    """Rows may be changed, never removed."""
    return [
        Refuse(name=f"{table}_kept", operation=pgtrigger.Delete),
        Refuse(name=f"{table}_not_emptied", operation=pgtrigger.Truncate, level=pgtrigger.Statement),
    ]


def append_only(table: str) -> list[pgtrigger.Trigger]:
    """Rows may be added, never changed or removed."""
    return [Refuse(name=f"{table}_append_only", operation=pgtrigger.Update), *kept(table)]


def fixed(table: str, *columns: str) -> pgtrigger.Trigger:
    """These columns keep what they were made with."""
    condition = pgtrigger.Condition(changed(*columns))
    return Refuse(name=f"{table}_fixed", operation=pgtrigger.Update, condition=condition)
