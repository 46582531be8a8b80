"""What a network reads: the texts of some items, tokenised once, and the states of their tokens at the frozen depth."""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import filelock
import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from workers.w2s.forward import token_states
from workers.w2s.models import LoadedModel, load
from workers.w2s.problem import Inputs, Ints
from workers.w2s.spec import Progress, Report
from workers.w2s.texts import Encoded, encode, qa_text

STATES = 1  # part of every cache key: raise it when the same texts get other states
_TEXTS_PER_REPORT = 512


@dataclass(frozen=True, eq=False)
class Reading:
    """The distinct texts of M items.

    texts: tokenised. of_item: (M, R) which text each of an item's R responses is.
    """

    texts: tuple[Encoded, ...]
    of_item: Ints

    @cached_property
    def lengths(self) -> Ints:
        """(M,) tokens of each item's longest text."""
        sizes = np.array([len(text.tokens) for text in self.texts], dtype=np.int64)
        return np.asarray(sizes[self.of_item].max(axis=1))

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the tokens and of which item has which."""
        hasher = hashlib.sha256(json.dumps([text.tokens for text in self.texts]).encode())
        hasher.update(self.of_item.tobytes())
        return hasher.hexdigest()


@dataclass(frozen=True, eq=False)
class TokenStates:
    """Every token's state after the frozen blocks: (all tokens, d) in one array; text i's begin at starts[i]."""

    flat: Tensor
    starts: Ints


def read(inputs: Inputs, tokenizer: object, longest: int) -> Reading:
    """Tokenise "Question: …\\nAnswer: …" for every response; of texts longer than `longest` the last tokens stay."""
    texts = [qa_text(item.question, response) for item in inputs.items for response in item.responses]
    distinct = sorted(set(texts))
    position = {text: i for i, text in enumerate(distinct)}
    encoded = [
        Encoded(text.tokens[-longest:], max(1, text.prefix - max(0, len(text.tokens) - longest)))
        for text in encode(tokenizer, distinct)
    ]
    of_item = np.array([position[text] for text in texts], dtype=np.int64).reshape(len(inputs.items), -1)
    return Reading(tuple(encoded), of_item)


def frozen_states(
    loaded: LoadedModel, blocks: int, texts: Sequence[Encoded], *, cache_dir: Path, report: Report
) -> TokenStates:
    """States of all tokens after the first `blocks` blocks, from disk where they have been computed before.

    loaded: tells which model and precision; its own blocks may have been changed, so a fresh copy reads the texts.
    """
    hasher = hashlib.sha256(
        json.dumps([STATES, loaded.weights_digest, loaded.tokenizer_digest, str(loaded.dtype), blocks]).encode()
    )
    hasher.update(json.dumps([text.tokens for text in texts]).encode())
    path = cache_dir / "token-states" / f"{hasher.hexdigest()[:40]}.safetensors"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(f"{path}.lock"):
            if not path.is_file():
                lower = load(
                    replace(loaded.spec, layers=blocks),
                    cache_dir=cache_dir,
                    dtype=loaded.dtype,
                    device=loaded.device,
                    report=report,
                )
                _extract(lower, texts, path, report)
    os.utime(path)  # tells when it was last used
    starts = np.cumsum([0, *(len(text.tokens) for text in texts[:-1])], dtype=np.int64)
    return TokenStates(load_file(path)["states"], starts)


def _extract(lower: LoadedModel, texts: Sequence[Encoded], path: Path, report: Report) -> None:
    order = sorted(range(len(texts)), key=lambda i: texts[i].tokens)
    parts: list[Tensor] = [torch.empty(0)] * len(texts)
    for start in range(0, len(texts), _TEXTS_PER_REPORT):
        report(Progress("reading with the frozen blocks", start, len(texts)))
        chosen = order[start : start + _TEXTS_PER_REPORT]
        found = token_states(lower, [texts[i] for i in chosen], layer=lower.blocks)
        for i, states in zip(chosen, found, strict=True):
            parts[i] = states
    partial = path.with_name(f"{path.name}.tmp-{os.getpid()}")
    save_file({"states": torch.cat(parts)}, partial)
    partial.rename(path)
    report(Progress("reading with the frozen blocks", len(texts), len(texts)))
