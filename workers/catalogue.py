"""The recipes and the device of this worker, as it announces them."""

import torch

import sandbox
from experiments.services.code import CODE
from experiments.services.workers import MethodFacts
from workers.code_method import harness_digest
from workers.w2s.arena import method_digest
from workers.w2s.methods import HIDDEN_STATES, METHODS, WEAK_LABELS, classify


def methods() -> list[MethodFacts]:
    """Every registered method with its option schema and the digest of its code; and code, where it can run."""
    recipes = [_facts(name) for name in METHODS.names()]
    return recipes if sandbox.available() is not None else [*recipes, _code()]


def code_digest(name: str) -> str:
    """SHA-256 of a method's code with all options at their defaults. Raises: UnknownName."""
    return harness_digest() if name == CODE else method_digest(name, {})


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


def _code() -> MethodFacts:
    """What stands for all code that agents write; the code itself is an experiment's snapshot."""
    return MethodFacts(
        name=CODE,
        title="Code",
        summary="Code of one's own: method.py of a snapshot, run in a sandbox, one seed at a time.",
        source="The snapshot that each experiment names.",
        uses=[HIDDEN_STATES, WEAK_LABELS],
        method_class=classify({HIDDEN_STATES, WEAK_LABELS}),
        options_schema={"type": "object", "properties": {}, "additionalProperties": False},
        code_digest=harness_digest(),
    )
