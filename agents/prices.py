"""What a model call costs, from the price table that an admin edits."""

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


def _fits(pattern: str, model: str) -> bool:
    return model.startswith(pattern[:-1]) if pattern.endswith("*") else model == pattern
