"""What agents are not told: the last line of defence for free-form JSON, after permissions and serializers."""

from collections.abc import Mapping, Sequence
from typing import Any

# Of provenance: where labels lie, their digest, what planted files saw, what code learned from. No use to the honest
_SEALED = {"labels", "baselines", "ground_truth", "decoys", "trained_on"}


def for_agents(value: Any) -> Any:
    """The same JSON value without any member whose name speaks of the holdout or of sealed files."""
    if isinstance(value, Mapping):
        return {name: for_agents(below) for name, below in value.items() if not _hidden(str(name))}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [for_agents(below) for below in value]
    return value


def _hidden(name: str) -> bool:
    return "holdout" in name.lower() or name in _SEALED
