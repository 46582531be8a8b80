"""The recipes and the device of this worker, as it announces them."""

import torch

from experiments.services.workers import MethodFacts
from workers.w2s.arena import method_digest
from workers.w2s.methods import METHODS, classify


def methods() -> list[MethodFacts]:
    """Every registered method with its option schema and the digest of its code."""
    return [_facts(name) for name in METHODS.names()]


def code_digest(name: str) -> str:
    """SHA-256 of a method's code with all options at their defaults. Raises: UnknownName."""
    return method_digest(name, {})


def device() -> str:
    """What this worker computes on, in words."""
    if torch.cuda.is_available():
        properties = torch.cuda.get_device_properties(0)
        return f"{properties.name}, {properties.total_memory / 2**30:.0f} GiB"
    return f"CPU, {torch.get_num_threads()} threads"


def _facts(name: str) -> MethodFacts:
    method = METHODS.get(name)
    return MethodFacts(
        name=name,
        title=method.title,
        summary=method.summary,
        source=method.source,
        uses=sorted(method.uses),
        method_class=classify(method.uses),
        options_schema=method.Options.model_json_schema(),
        code_digest=code_digest(name),
    )
