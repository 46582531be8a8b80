"""A method's inputs as facts and arrays, and back: what the parent packs, the child unpacks."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workers.w2s.problem import Inputs
from workers.w2s.spec import Item, Split

Packed = tuple[dict[str, Any], dict[str, NDArray[Any]]]


def describe(inputs: Inputs) -> Packed:
    """Training inputs as they are."""
    facts = {"items": [[item.question, item.responses, item.group] for item in inputs.items]}
    arrays = {"features": inputs.features, "groups": inputs.groups}
    arrays |= {f"depth {layer}": states for layer, states in inputs.depths.items()}
    if inputs.prior_log_odds is not None:
        arrays["prior_log_odds"] = inputs.prior_log_odds
    return facts, {name: np.ascontiguousarray(array) for name, array in arrays.items()}


def shuffle(parts: Sequence[Inputs], order: NDArray[np.int64]) -> Packed:
    """Several splits as one batch in another order, so that none of them can be told from its place.

    order: a permutation of all their items. Groups are numbered anew, in the order in which they come.
    """
    facts: dict[str, Any] = {"items": []}
    columns: dict[str, list[NDArray[Any]]] = {}
    for part in parts:
        more, arrays = describe(part)
        facts["items"] += more["items"]
        for name, array in arrays.items():
            columns.setdefault(name, []).append(array)
    facts["items"] = [facts["items"][place] for place in order]
    shuffled = {name: np.concatenate(arrays)[order] for name, arrays in columns.items()}
    _, first, codes = np.unique(shuffled["groups"], return_index=True, return_inverse=True)
    shuffled["groups"] = np.argsort(np.argsort(first))[codes]
    return facts, shuffled


def restore(facts: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], split: Split) -> dict[str, Any]:
    """The fields of `Inputs`, every item said to be of one split."""
    return {
        "items": tuple(Item(split, question, tuple(responses), group) for question, responses, group in facts["items"]),
        "features": arrays["features"],
        "depths": {int(name.split()[1]): array for name, array in arrays.items() if name.startswith("depth ")},
        "prior_log_odds": arrays.get("prior_log_odds"),
        "groups": arrays["groups"],
    }
