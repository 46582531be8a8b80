"""Experiment ids in an address."""

from django.core.exceptions import SuspiciousOperation

MOST_COMPARED = 8  # as many as there are distinct marks


class BadIds(SuspiciousOperation):
    """Something else than numbers; Django answers 400."""


def read_ids(text: str) -> list[int]:
    """ "3,5" as [3, 5], at most MOST_COMPARED. Raises: BadIds."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not all(part.isdecimal() and len(part) < 10 for part in parts):
        raise BadIds("ids: expected numbers with commas between them")
    return list(dict.fromkeys(int(part) for part in parts))[:MOST_COMPARED]
