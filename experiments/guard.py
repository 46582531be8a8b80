"""Who else has a say when an account submits: settings name an object from above, nothing here imports it.

Agents have campaigns, budgets and latches that this app knows nothing of, yet everything they submit, by tool or by
REST, comes through the services here. So control comes down as configuration.
"""

from typing import TYPE_CHECKING, Protocol

from django.conf import settings
from django.utils.module_loading import import_string

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from experiments.models import Experiment


class SubmissionGuard(Protocol):
    """What settings.SUBMISSION_GUARD names: a class without arguments."""

    def admit(self, user: "User") -> int:
        """The campaign in whose log the account's work is told; 0 for none. Raises: what refuses the submission."""
        ...

    def book(self, experiment: "Experiment") -> None:
        """Hold what it may cost, in the transaction that makes it. Raises: OverBudget, and it is not made."""
        ...

    def book_upload(self, user: "User", upload: int) -> None:
        """Charge one scored vector, in the transaction that keeps it. Raises: OverBudget, and it is not kept."""
        ...


def guard() -> SubmissionGuard:
    """The guard that the settings name."""
    made: SubmissionGuard = import_string(settings.SUBMISSION_GUARD)()
    return made
