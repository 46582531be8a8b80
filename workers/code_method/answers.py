"""What comes out of a sandbox, as far as it has the form of an answer; and what its submitter is told of a failure.

Once code has test inputs, all it says may be about them, and the holdout is among them: from then on its submitter is
told which of a few known things went wrong, and never in words or numbers of the code's own.
"""

import builtins
import json
import math
from typing import Any

import numpy as np

from workers.code_method import wire
from workers.w2s.arena import MethodFailed
from workers.w2s.problem import Curve, Floats
from workers.w2s.spec import Progress

_MOST_CURVES, _MOST_POINTS, _MOST_LINES, _LONGEST_LINE = 20, 2_000, 500, 500
_ERRORS = {  # Python's own: six bits a failed run
    name for name, kind in vars(builtins).items() if isinstance(kind, type) and issubclass(kind, BaseException)
}


def of_predictor(kind: str) -> str:
    """The sentence on an error that a predictor raised. kind: the name of its class, as the child says."""
    if kind == "NoArray":
        return "the predictor returned no (items,) or (1, items) numbers"
    known = kind if kind in _ERRORS else "an error of its own"
    return (
        f"its predictor raised {known}; what it says of test inputs is not shown: let `fit` try the predictor on the "
        "training items"
    )


def probabilities(answer: bytes, items: int) -> Floats:
    """(M,) from the payload of PREDICTED. Raises: MethodFailed, without a number that code could have chosen."""
    if len(answer) < wire.SHAPE.size:
        raise MethodFailed("its result channel holds what is no answer: nothing but the lab writes there")
    shape = wire.SHAPE.unpack(answer[: wire.SHAPE.size])
    if len(answer) != wire.SHAPE.size + 4 * shape[0] * shape[1] or shape != (1, items):
        raise MethodFailed(f"predictions of another shape than (1, {items}): one row, an entry per item")
    probs = np.frombuffer(answer, "<f4", offset=wire.SHAPE.size).astype(np.float32)
    if not np.isfinite(probs).all():
        raise MethodFailed("some predictions are NaN or infinite")
    if probs.min() < 0 or probs.max() > 1:
        raise MethodFailed("some predictions lie outside of [0, 1], where probabilities lie")
    return probs


def diary(told: bytes) -> tuple[tuple[Curve, ...], list[str]]:
    """Curves and log lines as far as they have the form of such; a diary is for people, so the rest is left out."""
    try:
        entries = json.loads(told)
        curves = [_curve(*entry) for entry in entries["curves"][:_MOST_CURVES]]
        lines = [str(line)[:_LONGEST_LINE].replace("\0", "") for line in entries["lines"][:_MOST_LINES]]
    except (ValueError, TypeError, KeyError, RecursionError):
        return (), []
    return tuple(curve for curve in curves if curve is not None), lines


def _curve(name: Any, x_label: Any, xs: Any, ys: Any) -> Curve | None:
    if len(xs) != len(ys) or len(xs) > _MOST_POINTS:
        return None
    x, y = tuple(map(float, xs)), tuple(map(float, ys))
    return Curve(str(name)[:100], str(x_label)[:40], x, (y,)) if all(map(math.isfinite, x)) else None


def progress(payload: bytes, name: str) -> Progress | None:
    """What the method says about how far it is; None if that has not the form."""
    try:
        stage, done, total = json.loads(payload)
        return Progress(
            f"{name}: {str(stage)[:40]}".replace("\0", ""),
            max(0, min(int(done), 2**31 - 1)),
            max(0, min(int(total), 2**31 - 1)),
        )
    except (ValueError, TypeError, RecursionError, OverflowError):
        return None
