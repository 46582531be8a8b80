"""Opens a benchmark: reads every text's features from the cache and hands them out split by split."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from workers.w2s.checkpoints import Identity, identify
from workers.w2s.elicitation import compared_texts
from workers.w2s.features import TextFeatures, text_features
from workers.w2s.methods import LIKELIHOOD
from workers.w2s.models import blocks_of
from workers.w2s.problem import Floats, Inputs, Ints
from workers.w2s.spec import BenchmarkSpec, Item, ModelSpec, Report, SpecError, Split, silent
from workers.w2s.texts import Text, qa_text

_SMALLEST_RMS = 1e-6  # a coordinate that never differs stays zero instead of becoming noise

Rows = Mapping[Split, Ints]


class Arena:
    """The items of a benchmark with what the strong and the weak model make of them; no label anywhere.

    spec: the benchmark. items: its items by split. digests: SHA-256 of contents, hexadecimal: "weights", "tokenizer"
    (strong), "weak_weights", "weak_tokenizer", "features" (the numbers handed out, of both models).
    strong_layer, weak_layer, depths: which states are read; see `probe_layer` and `between`.
    """

    spec: BenchmarkSpec
    items: Mapping[Split, tuple[Item, ...]]
    digests: dict[str, str]

    def __init__(
        self,
        spec: BenchmarkSpec,
        items: Mapping[Split, Sequence[Item]],
        *,
        strong: "_States",
        weak: "_States",
        prior_log_odds: Mapping[Split, Floats] | None,
        digests: dict[str, str],
        cache_dir: Path,
    ) -> None:
        self.spec = spec
        self.items = {split: tuple(items[split]) for split in Split}
        self.digests = digests
        self.cache_dir = cache_dir
        self._strong, self._weak, self._prior = strong, weak, prior_log_odds
        self._groups = _group_codes(self.items)
        self._opened: dict[tuple[bool, Split], Inputs] = {}

    @classmethod
    def open(
        cls,
        spec: BenchmarkSpec,
        items: Mapping[Split, Sequence[Item]],
        *,
        cache_dir: Path,
        report: Report = silent,
    ) -> "Arena":
        """Extract what is not cached yet, map the rest.

        items: all four splits, none empty, all of one kind.
        Raises: SpecError, models.ModelError, checkpoints.CheckpointMissing.
        """
        splits = _checked(spec, items)
        strong_id = identify(spec.strong.whole, cache_dir=cache_dir, report=report)
        weak_id = identify(spec.weak.whole, cache_dir=cache_dir, report=report)
        strong_layer, weak_layer = probe_layer(spec.strong, strong_id), probe_layer(spec.weak, weak_id)
        depths = between(strong_layer)
        texts = {text for part in splits.values() for item in part for text in _texts(item)}
        likelihood = LIKELIHOOD in spec.offers
        asked = {split: [compared_texts(item) for item in part] for split, part in splits.items()} if likelihood else {}
        questions = {text for part in asked.values() for pair in part for text in pair}

        def read(model: ModelSpec, texts: set[Text], layers: set[int], likelihood: bool) -> TextFeatures:
            return text_features(model, texts, layers=layers, likelihood=likelihood, cache_dir=cache_dir, report=report)

        together = questions <= texts  # pairs are asked by the very texts whose states are read
        layers = {strong_layer, *depths}
        if weak_id == strong_id:
            strong = weak = read(spec.strong, texts, layers | {weak_layer}, likelihood and together)
        else:
            strong = read(spec.strong, texts, layers, likelihood and together)
            weak = read(spec.weak, texts, {weak_layer}, False)
        answers = strong if together or not likelihood else read(spec.strong, questions, set(), True)
        strong_states = _States.of(strong, [*depths, strong_layer], splits)
        weak_states = _States.of(weak, [weak_layer], splits)
        prior = {split: _log_odds(answers, pairs) for split, pairs in asked.items()} if likelihood else None
        return cls(
            spec,
            splits,
            strong=strong_states,
            weak=weak_states,
            prior_log_odds=prior,
            digests={
                "weights": strong_id.weights,
                "tokenizer": strong_id.tokenizer,
                "weak_weights": weak_id.weights,
                "weak_tokenizer": weak_id.tokenizer,
                "features": _digest(strong_states, weak_states, prior),
            },
            cache_dir=cache_dir,
        )

    @property
    def strong_layer(self) -> int:
        """Block of the strong model after which a probe reads the state."""
        return self._strong.layers[-1]

    @property
    def weak_layer(self) -> int:
        """Block of the weak model after which its probes read the state."""
        return self._weak.layers[-1]

    @property
    def depths(self) -> tuple[int, ...]:
        """Earlier layers of the strong model that methods may look at, shallow to deep."""
        return self._strong.layers[:-1]

    def inputs(self, split: Split) -> Inputs:
        """The items of a split as the strong model sees them."""
        return self._inputs(self._strong, split, self._prior)

    def weak_inputs(self, split: Split) -> Inputs:
        """The items of a split as the weak model sees them: for teachers and the control."""
        return self._inputs(self._weak, split, None)

    def _inputs(self, states: "_States", split: Split, prior: Mapping[Split, Floats] | None) -> Inputs:
        key = (states is self._strong, split)
        if key not in self._opened:
            self._opened[key] = Inputs(
                items=self.items[split],
                features=states.features(states.layers[-1], split),
                depths={layer: states.features(layer, split) for layer in states.layers[:-1]},
                prior_log_odds=None if prior is None else prior[split],
                groups=self._groups[split],
            )
        return self._opened[key]


def probe_layer(model: ModelSpec, identity: Identity) -> int:
    """The layer whose states stand for a model: the last that runs after an early exit, else half its depth.

    Half: the later blocks turn what is known about a text into the next token. Source: EleutherAI/w2s, whose probes
    read layer L/2. It is fixed for every model and dataset, so nothing was tuned on any label.
    """
    return blocks_of(model, identity) if model.layers else max(1, identity.depth // 2)


def between(layer: int) -> tuple[int, ...]:
    """A third and two thirds of the way to a layer, for methods that climb through the depths."""
    return tuple(sorted({max(1, round(layer / 3)), max(1, round(2 * layer / 3))} - {layer}))


class _States:
    """The states of one model's texts at a few layers, as features of items.

    layers: shallow to deep. rows: per split (M, responses) row of each response's text.
    """

    def __init__(self, states: Mapping[int, Tensor], layers: Sequence[int], rows: Rows) -> None:
        self.states = states
        self.layers = tuple(layers)
        self.rows = rows
        self._scales: dict[int, tuple[Tensor, Tensor]] = {}

    @classmethod
    def of(cls, read: TextFeatures, layers: Sequence[int], items: Mapping[Split, Sequence[Item]]) -> "_States":
        rows = {
            split: np.array([[read.rows[text] for text in _texts(item)] for item in part], dtype=np.int64)
            for split, part in items.items()
        }
        return cls(read.states, layers, rows)

    def features(self, layer: int, split: Split) -> Floats:
        """(M, d) float32: first response minus second, or a claim's state minus the mean one; each coordinate scaled to
        unit RMS over the training texts (teacher_train and student_train, whose labels play no part in it).
        """
        if layer not in self._scales:
            training = torch.cat([self._raw(layer, Split.TEACHER_TRAIN), self._raw(layer, Split.STUDENT_TRAIN)])
            pair = self.rows[split].shape[1] == 2
            centre = torch.zeros(training.shape[1]) if pair else training.mean(0)
            self._scales[layer] = centre, (training - centre).square().mean(0).sqrt().clamp_min(_SMALLEST_RMS)
        centre, rms = self._scales[layer]
        return ((self._raw(layer, split) - centre) / rms).numpy()

    def _raw(self, layer: int, split: Split) -> Tensor:
        states, rows = self.states[layer], torch.from_numpy(self.rows[split])
        first = states[rows[:, 0]].float()
        return first - states[rows[:, 1]].float() if rows.shape[1] == 2 else first


def _checked(spec: BenchmarkSpec, items: Mapping[Split, Sequence[Item]]) -> dict[Split, Sequence[Item]]:
    empty = [split.value for split in Split if not items.get(split)]
    if empty:
        raise SpecError(f"{spec.slug}: no items in {', '.join(empty)}")
    kinds = {len(item.responses) for part in items.values() for item in part}
    if len(kinds) != 1 or not kinds <= {1, 2}:
        raise SpecError(f"{spec.slug}: all items must have one response, or all two; found {sorted(kinds)}")
    return {split: items[split] for split in Split}


def _texts(item: Item) -> list[Text]:
    return [qa_text(item.question, response) for response in item.responses]


def _log_odds(read: TextFeatures, asked: Sequence[tuple[Text, Text]]) -> Floats:
    """(M,) log P(answer that speaks for label 1) − log P(the other)."""
    if read.log_likelihood is None:
        raise SpecError("features were read without likelihoods")
    rows = torch.tensor([[read.rows[text] for text in pair] for pair in asked])
    return (read.log_likelihood[rows[:, 0]] - read.log_likelihood[rows[:, 1]]).numpy()


def _group_codes(items: Mapping[Split, Sequence[Item]]) -> dict[Split, Ints]:
    """Numbers for groups, the same for the same group in every split."""
    names = sorted({item.group for part in items.values() for item in part})
    code: dict[str, int] = {name: i for i, name in enumerate(names)}
    return {split: np.array([code[item.group] for item in part], dtype=np.int64) for split, part in items.items()}


def _digest(strong: _States, weak: _States, prior: Mapping[Split, NDArray[np.float32]] | None) -> str:
    """SHA-256 over everything that is handed out, before scaling."""
    hasher = hashlib.sha256()
    for states in (strong, weak):
        for layer in states.layers:
            hasher.update(f"{layer} {tuple(states.states[layer].shape)}\n".encode())
            hasher.update(states.states[layer].contiguous().view(torch.uint8).numpy().data)
        for split in Split:
            hasher.update(np.ascontiguousarray(states.rows[split]).data)
    for split, values in (prior or {}).items():
        hasher.update(f"{split}\n".encode() + np.ascontiguousarray(values).tobytes())
    return hasher.hexdigest()
