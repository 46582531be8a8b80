"""The database's own guards of the forum: functions are made by the first migration, triggers by the models."""

from typing import Any

import pgtrigger
from django.db import models


class Guard(pgtrigger.Trigger):
    """A trigger that runs a function of the migration's.

    pgtrigger's own functions look at a session setting first and step aside when it names them
    (`pgtrigger.ignore`). These do not: nothing short of DDL switches them off.
    """

    func = "RETURN NULL;"  # of the function that pgtrigger makes and that nothing here calls
    function: str

    def __init__(self, *, function: str | None = None, **kwargs: Any) -> None:
        self.function = function or self.function
        super().__init__(**kwargs)

    def render_execute(self, model: models.Model) -> str:
        """The function to run in place of pgtrigger's."""
        return f"{self.function}()"


class Refuse(Guard):
    """Refuses the operation with an IntegrityError that says which table and which operation."""

    function = "forum_refuse"
    when = pgtrigger.Before


class Count(Guard):
    """Keeps a tally: runs after the row was written."""

    when = pgtrigger.After


def kept(table: str) -> list[pgtrigger.Trigger]:
    """Rows may be changed, never removed."""
    return [
        Refuse(name=f"{table}_kept", operation=pgtrigger.Delete),
        Refuse(name=f"{table}_not_emptied", operation=pgtrigger.Truncate, level=pgtrigger.Statement),
    ]


def append_only(table: str) -> list[pgtrigger.Trigger]:
    """Rows may be added, never changed or removed."""
    return [Refuse(name=f"{table}_append_only", operation=pgtrigger.Update), *kept(table)]


def changed(*columns: str) -> str:
    """SQL: whether an UPDATE changes any of these columns."""
    return "(" + " OR ".join(f'OLD."{name}" IS DISTINCT FROM NEW."{name}"' for name in columns) + ")"
