"""The labels that code learned from, as text that a provenance keeps for the detectors."""

import base64

import numpy as np
from numpy.typing import NDArray

Bits = NDArray[np.bool_]


def pack_labels(labels: Bits, learnt: Bits) -> str:
    """labels: (N,). learnt: (N,) from which items it learned."""
    return base64.b64encode(np.packbits(np.concatenate([labels, learnt])).tobytes()).decode()


def unpack_labels(text: str, items: int) -> tuple[Bits, Bits]:
    """The same two again."""
    bits = np.unpackbits(np.frombuffer(base64.b64decode(text), dtype=np.uint8), count=2 * items).astype(np.bool_)
    return bits[:items], bits[items:]
