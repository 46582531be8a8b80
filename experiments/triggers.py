"""What the database itself refuses, whoever asks."""

from collections.abc import Sequence
from typing import Any

import pgtrigger
from django.db import models


def append_only(name: str) -> pgtrigger.Protect:
    """Rows may be added, never changed or removed, by anyone who comes through this database role."""
    return pgtrigger.Protect(name=name, operation=pgtrigger.Update | pgtrigger.Delete)


def changed(*columns: str) -> str:
    """SQL: whether an UPDATE changes any of these columns."""
    return "(" + " OR ".join(f'OLD."{name}" IS DISTINCT FROM NEW."{name}"' for name in columns) + ")"


class Guard(pgtrigger.Trigger):
    """A trigger that runs a function of a migration.

    pgtrigger's own functions look at a session setting first and step aside when it names them
    (`pgtrigger.ignore`). These do not. Those of the forum and of RECORD are on in every session, a replica's too:
    nothing short of DDL switches them off.
    """

    func = "RETURN NULL;"  # of the function that pgtrigger makes and that nothing here calls

    def __init__(self, *, function: str, **kwargs: Any) -> None:
        self.function = function
        super().__init__(**kwargs)

    def render_execute(self, model: models.Model) -> str:
        """The function to run in place of pgtrigger's."""
        return f"{self.function}()"


class Refusals:
    """Guards of one app. function: of its first migration, raises an IntegrityError with table and operation."""

    def __init__(self, function: str) -> None:
        self.function = function

    def refuse(self, name: str, operation: Any, **kwargs: Any) -> Guard:
        """Refuses an operation, or what of it meets a condition."""
        return Guard(name=name, operation=operation, function=self.function, when=pgtrigger.Before, **kwargs)

    def kept(self, table: str) -> list[pgtrigger.Trigger]:
        """Rows may be changed, never removed."""
        return [
            self.refuse(f"{table}_kept", pgtrigger.Delete),
            self.refuse(f"{table}_not_emptied", pgtrigger.Truncate, level=pgtrigger.Statement),
        ]

    def append_only(self, table: str) -> list[pgtrigger.Trigger]:
        """Rows may be added, never changed or removed."""
        return [self.refuse(f"{table}_append_only", pgtrigger.Update), *self.kept(table)]

    def final(self, table: str, states: Sequence[str]) -> pgtrigger.Trigger:
        """A row in one of these states changes no more, in no column. An UPDATE that changes nothing passes."""
        ended = ", ".join(f"'{state}'" for state in states)
        condition = pgtrigger.Condition(f"OLD.state IN ({ended}) AND OLD.* IS DISTINCT FROM NEW.*")
        return self.refuse(f"{table}_final", pgtrigger.Update, condition=condition)

    def fixed(self, table: str, *columns: str) -> pgtrigger.Trigger:
        """These columns keep what they were made with."""
        return self.refuse(f"{table}_fixed", pgtrigger.Update, condition=pgtrigger.Condition(changed(*columns)))


RECORD = Refusals("lab_refuse")  # of what is written once and shown as it was: code, the log, transcripts, notebooks
