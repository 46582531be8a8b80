"""What somebody may not read of what was said: settings name who knows the hidden texts, nothing here imports it.

Records stay whole. Whoever shows one to a reader takes out of it what was hidden from that reader since.
"""

from typing import TYPE_CHECKING

from django.conf import settings
from django.utils.module_loading import import_string

from experiments.permissions import can_read_hidden
from experiments.unsaid import Unsaid

if TYPE_CHECKING:
    from collections.abc import Callable

    from experiments.permissions import Actor

NOTHING = Unsaid()


def hidden_from(user: "Actor") -> Unsaid:
    """To be taken out of whatever this user is shown."""
    return NOTHING if can_read_hidden(user) else all_hidden()


def all_hidden() -> Unsaid:
    """Everything that stands hidden; the same object until something is hidden or shown again."""
    known: Callable[[], Unsaid] = import_string(settings.HIDDEN_WORDS)
    return known()
