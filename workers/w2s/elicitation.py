"""Asks the strong model itself which response it believes, optionally after demonstrations; answers are cached.

Pairs are judged by the likelihood of the responses, claims by asking in words whether the answer is right.
"""

import hashlib
import json
import os
import threading
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workers.w2s.forward import text_outputs
from workers.w2s.methods import LIKELIHOOD
from workers.w2s.models import LoadedModel, load
from workers.w2s.problem import Demonstration, Elicit
from workers.w2s.spec import BenchmarkSpec, Item, ModelSpec, Progress, Report, silent
from workers.w2s.texts import TEMPLATE, Text, encode, few_shot_text

YES, NO = "True", "False"
ELICITATION = 1  # part of every cache key: raise it when answers to the same texts change
_TEXTS_PER_REPORT = 512


def make_elicit(spec: BenchmarkSpec, cache_dir: Path, report: Report = silent) -> Elicit | None:
    """What `Context.elicit` is on a benchmark: None where it keeps likelihoods back. The model loads on first use."""
    return Elicitor(spec.strong, cache_dir, report) if LIKELIHOOD in spec.offers else None


class Elicitor:
    """Log-odds of label 1 by a language model, in nats; implements `Elicit`.

    Source: likelihood comparison of whole answers; claims as in "Unsupervised Elicitation" (Wen et al. 2025,
    arXiv:2506.10139), zero- and few-shot. Departs: no fixing of inconsistent answers within a question.
    """

    def __init__(self, model: ModelSpec, cache_dir: Path, report: Report = silent) -> None:
        self._model = model
        self._cache_dir = cache_dir
        self._report = report

    def __call__(self, items: Sequence[Item], demonstrations: Sequence[Demonstration]) -> NDArray[np.float64]:
        """(M,) log-odds of label 1: log P(first) − log P(second) of a pair's responses, summed over their tokens;
        log P("True") − log P("False") of a claim.

        demonstrations: items of the same kind with labels, shown in this order before every question.
        """
        if not items:
            return np.zeros(0)
        texts = [text for item in items for text in compared_texts(item, demonstrations)]
        likelihood = self._log_likelihood(texts).reshape(len(items), 2)
        return np.asarray(likelihood[:, 0] - likelihood[:, 1])

    @cached_property
    def _loaded(self) -> LoadedModel:
        return load(self._model, cache_dir=self._cache_dir, report=self._report)

    def _log_likelihood(self, texts: Sequence[Text]) -> NDArray[np.float64]:
        """(n,) log-likelihood of each text's answer; from disk if the same model has read the same texts before."""
        path = self._cache_dir / "elicited" / f"{self._key(texts)}.npy"
        if path.is_file():
            os.utime(path)  # tells when it was last used
            return np.asarray(np.load(path, allow_pickle=False))
        distinct = sorted(set(texts))
        encoded = encode(self._loaded.tokenizer, distinct)
        scores = np.zeros(len(distinct))
        for start in range(0, len(distinct), _TEXTS_PER_REPORT):
            self._report(Progress("asking the strong model", start, len(distinct)))
            part = slice(start, start + _TEXTS_PER_REPORT)
            found = text_outputs(self._loaded, encoded[part], layers=(), likelihood=True).log_likelihood
            if found is None:
                raise RuntimeError("text_outputs returned no likelihoods though they were asked for")
            scores[part] = found.numpy()
        self._report(Progress("asking the strong model", len(distinct), len(distinct)))
        position = {text: i for i, text in enumerate(distinct)}
        answer = scores[[position[text] for text in texts]]
        _save(path, answer)
        return answer

    def _key(self, texts: Sequence[Text]) -> str:
        """Changes with everything that decides the answer: weights, tokeniser, precision, template, texts."""
        loaded = self._loaded
        about = [ELICITATION, TEMPLATE, loaded.weights_digest, loaded.tokenizer_digest, loaded.blocks]
        hasher = hashlib.sha256(json.dumps([*about, str(loaded.dtype)]).encode())
        for text in texts:
            hasher.update(json.dumps([text.prefix, text.answer]).encode())
        return hasher.hexdigest()


def compared_texts(item: Item, demonstrations: Sequence[Demonstration] = ()) -> tuple[Text, Text]:
    """The two texts whose answers' likelihoods are compared: the first speaks for label 1, the second for label 0."""
    shown = [_shown(demonstrated, label) for demonstrated, label in demonstrations]
    if len(item.responses) == 2:
        first, second = (few_shot_text(shown, item.question, response) for response in item.responses)
        return first, second
    asked = _asked(item)
    return few_shot_text(shown, asked, YES), few_shot_text(shown, asked, NO)


def _shown(item: Item, label: int) -> tuple[str, str]:
    """A demonstration as question and answer: of a pair, only the response that is believed better is shown."""
    if len(item.responses) == 2:
        return item.question, item.responses[0 if label == 1 else 1]
    return _asked(item), YES if label == 1 else NO


def _asked(item: Item) -> str:
    return f"{item.question}\nProposed answer: {item.responses[0]}\nIs the proposed answer right, {YES} or {NO}?"


def _save(path: Path, answer: NDArray[np.float64]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.tmp-{os.getpid()}-{threading.get_ident()}")
    with partial.open("wb") as stream:
        np.save(stream, answer, allow_pickle=False)
    partial.rename(path)
