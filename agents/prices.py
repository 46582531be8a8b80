"""What a model call costs, from the price table that an admin edits."""

from collections.abc import Mapping

from agents.errors import NoPrice
from agents.models import Price

MILLION = 1_000_000


def price_of(model: str) -> Price:
    """The row that fits a model's name: the same name, else the longest beginning that ends in *.

    Raises: NoPrice.
    """
    fitting = [row for row in Price.objects.all() if _fits(row.model, model)]
    if not fitting:
        raise NoPrice(
            f"the price table has no row for the model {model!r}, so a money budget could not bound it: an admin adds"
            " one, or the campaign gets no money budget",
        )
    return max(fitting, key=lambda row: (not row.model.endswith("*"), len(row.model)))


def cost(price: Price, *, input_tokens: int, output_tokens: int, cache_read: int = 0, cache_write: int = 0) -> int:
    """Micro-dollars, rounded up: a budget never flatters itself."""
    total = (
        input_tokens * price.input
        + output_tokens * price.output
        + cache_read * price.cache_read
        + cache_write * price.cache_write
    )
    return -(-total // MILLION)


def cost_of(price: Price, usage: Mapping[str, int]) -> int:
    """Micro-dollars of a call with this usage: input, output, cache_read, cache_write tokens."""
    return cost(
        price,
        input_tokens=usage.get("input", 0),
        output_tokens=usage.get("output", 0),
        cache_read=usage.get("cache_read", 0),
        cache_write=usage.get("cache_write", 0),
    )


def worst_of(price: Price, *, tokens_in: int, tokens_out: int) -> int:
    """Micro-dollars that a call may cost at most: all input written to the cache, every output token used."""
    return -(-(tokens_in * max(price.input, price.cache_write) + tokens_out * price.output) // MILLION)


def _fits(pattern: str, model: str) -> bool:
    return model.startswith(pattern[:-1]) if pattern.endswith("*") else model == pattern
