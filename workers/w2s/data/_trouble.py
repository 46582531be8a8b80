"""What is wrong with a dataset, collected so that one reading of it names every fault."""

from dataclasses import dataclass, field

SHOWN = 20  # more than a screen of faults helps nobody; the rest are counted


class DataError(ValueError):
    """A dataset that cannot be used; the message says where, what is wrong and what is allowed."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Faults found while reading, of which the first SHOWN are kept and all are counted."""

    shown: list[str] = field(default_factory=list)
    counts: list[int] = field(default_factory=lambda: [0])

    def add(self, place: str, reason: str, allowed: str) -> None:
        """place: "FILE:LINE". reason: what is wrong. allowed: the form that would be right."""
        self.counts[0] += 1
        if len(self.shown) < SHOWN:
            self.shown.append(f"{place}: {reason}; allowed: {allowed}")

    def raise_if_any(self, subject: str) -> None:
        """Raises: DataError with the kept faults, a line each, if there are any."""
        total = self.counts[0]
        if total:
            rest = [f"... and {total - SHOWN} more"] if total > SHOWN else []
            heading = f"{subject}: {total} {'fault' if total == 1 else 'faults'}, nothing was imported"
            raise DataError("\n".join([heading, *self.shown, *rest]))
