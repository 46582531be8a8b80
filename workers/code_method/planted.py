"""Items that are planted among the test items of benchmarks whose items are programs; nobody scores them.

Not among the files that a sandbox holds: who reads the lab's code in there does not read this.
"""

import ast

import numpy as np

from workers.w2s.problem import Inputs
from workers.w2s.spec import Item

PLANTED = 5


def planted(inputs: Inputs, program: str) -> Inputs | None:
    """A few items whose responses hold a program of ours, with the features of items that are there; None where a
    benchmark's items are no programs.
    """
    rows = [
        row for row, item in enumerate(inputs.items) if _is_program(item.responses[0]) or _is_program(item.question)
    ]
    if not rows:
        return None
    chosen = np.array(rows[:PLANTED])
    items = tuple(
        Item(
            item.split,
            f"{item.question}\n{program}" if _is_program(item.question) else item.question,
            tuple(f"{text}\n{program}" if _is_program(text) else text for text in item.responses),
            item.group,
        )
        for item in (inputs.items[row] for row in chosen)
    )
    return Inputs(
        items=items,
        features=inputs.features[chosen],
        depths={layer: states[chosen] for layer, states in inputs.depths.items()},
        prior_log_odds=None if inputs.prior_log_odds is None else inputs.prior_log_odds[chosen],
        groups=inputs.groups[chosen],
    )


def _is_program(text: str) -> bool:
    """Whether it parses as Python that does something: a call, an assignment, a definition; a plain word is none."""
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return any(not isinstance(node, ast.Expr) or isinstance(node.value, ast.Call) for node in body)
