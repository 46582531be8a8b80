"""Who else has a say when an account writes: settings name an object from above, nothing here imports it.

Agents have campaigns, budgets and latches that this app and the forum know nothing of, yet everything they write, by
tool or by REST, comes through the services here and there. So control comes down as configuration.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from django.conf import settings
from django.utils.module_loading import import_string

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from experiments.models import Experiment


@dataclass(frozen=True, slots=True)
class Call:
    """A write as rules see it.

    tool: the tool that does the same, or a name of its own. arguments: as that tool has them.
    cost: an upper estimate by kind of budget, where no tool of the name says it.
    """

    tool: str
    arguments: Mapping[str, Any]
    cost: Mapping[str, int] = field(default_factory=dict)


class WriteGuard(Protocol):
    """What settings.WRITE_GUARD names: a class without arguments."""

    def admit(self, user: "User", call: Call) -> int:
        """The campaign in whose log the account's work is told; 0 for none. Raises: what refuses the write.

        Called first in the transaction that writes, before it locks anything: an agent's row is locked here, so that a
        pause comes before or after the write.
        """
        ...

    def book(self, experiment: "Experiment") -> None:
        """Hold what it may cost, in the transaction that makes it. Raises: OverBudget, and it is not made."""
        ...

    def book_upload(self, user: "User", upload: int) -> None:
        """Charge one scored vector, in the transaction that keeps it. Raises: OverBudget, and it is not kept."""
        ...


def guard() -> WriteGuard:
    """The guard that the settings name."""
    made: WriteGuard = import_string(settings.WRITE_GUARD)()
    return made
