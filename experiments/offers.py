"""What a benchmark may keep back, and what a method with its options asks of it."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

KEPT_BACK = frozenset({"hidden_states", "likelihood"})  # everything else exists on every benchmark


def lacking(
    uses: Iterable[str], schema: Mapping[str, Any], options: Mapping[str, Any], offers: Collection[str]
) -> list[str]:
    """The resources asked for that the benchmark keeps back, sorted; empty if the method may run there.

    uses: what the method always draws on. schema: of its options, where an option that asks for more in some choice
    says so as {"needs": {choice: [resource, ...]}}. options: complete. offers: of the benchmark.
    """
    asked = set(uses)
    for name, described in schema.get("properties", {}).items():
        asked.update(described.get("needs", {}).get(str(options.get(name)), ()))
    return sorted((asked & KEPT_BACK) - set(offers))
