"""The seeds of runs: drawn by the server after a method is frozen, so that nobody can pick them."""

import hashlib
import hmac

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

MOST_SEEDS = 100  # runs of one experiment: a standard error shrinks no further worth its price


def draw_seeds(drawn_from: str, benchmark: str, replicate: int, count: int) -> list[int]:
    """`count` seeds of 63 bits: HMAC-SHA256(SEED_SECRET, drawn_from ‖ benchmark ‖ replicate ‖ index).

    The same submission has the same seeds, so resubmitting hunts nothing; a rerun counts `replicate` up.
    drawn_from: SHA-256 of a recipe's code, or of the skeleton of somebody's own, and the options. benchmark: its slug.
    Raises: ImproperlyConfigured without a secret, which gpu workers do not have.
    """
    secret = settings.SEED_SECRET
    if not secret:
        raise ImproperlyConfigured("SEED_SECRET is not set here, so no seeds can be drawn")
    return [_seed(secret, f"{drawn_from}\n{benchmark}\n{replicate}\n{index}") for index in range(count)]


def baseline_seeds(arm: str, benchmark: str, count: int) -> list[int]:
    """Seeds of a benchmark's own arms ("teacher", "ceiling", …), which no experiment shares."""
    return draw_seeds(f"baseline:{arm}", benchmark, 0, count)


def _seed(secret: str, message: str) -> int:
    drawn = hmac.new(secret.encode(), message.encode(), hashlib.sha256).digest()
    return int.from_bytes(drawn[:8], "big") >> 1  # fits a signed 64-bit column, never negative
