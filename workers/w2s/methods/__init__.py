"""The recipes: one file per method, each of which says what it uses, takes typed options, and fits a predictor."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from registry import Registry
from workers.w2s.problem import Context, Floats, Predictor

WEAK_LABELS, HIDDEN_STATES, LIKELIHOOD = "weak_labels", "hidden_states", "likelihood"
TEST_INPUTS, TEACHER_ENSEMBLE = "test_inputs", "teacher_ensemble"
RESOURCES = frozenset({WEAK_LABELS, HIDDEN_STATES, LIKELIHOOD, TEST_INPUTS, TEACHER_ENSEMBLE})
OFFERED = frozenset({HIDDEN_STATES, LIKELIHOOD})  # a benchmark says whether it has these; the rest always exist

MethodClass = Literal["weak_to_strong", "policy_gray"]


class OptionError(ValueError):
    """Options that a method does not take; the message names each field and the allowed form."""


class NotOffered(ValueError):
    """A method that needs what the benchmark keeps back."""


class Options(BaseModel):
    """Options of a method: unknown names are refused, values are checked, nothing changes afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class StudentOptions(Options):
    """Options of every method that ends in training a student."""

    l2: Annotated[float, Field(gt=0, allow_inf_nan=False)] | Literal["cv"] = Field(
        "cv", description="Penalty of the student's head: a positive number, or cv to choose it on weak labels."
    )


class LabelOptions(StudentOptions):
    """Options of methods that train on weak labels either as probabilities or cut at one half."""

    labels: Literal["soft", "hard"] = Field(
        "soft", description="Learn the teacher's probabilities (soft), or 1 where they exceed one half (hard)."
    )

    def targets(self, weak_probs: Floats) -> Floats:
        """(S, N) weak labels in the chosen form."""
        return hardened(weak_probs) if self.labels == "hard" else weak_probs


class Method(ABC):
    """A way to turn weak labels into a strong student. Stateless; adding one is adding a file to this folder.

    name: as registered. title, summary: for people. source: paper or code, and how this departs from it.
    uses: which RESOURCES it draws on; its class follows from them. Options: its typed options.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    summary: ClassVar[str]
    source: ClassVar[str]
    uses: ClassVar[frozenset[str]]
    Options: ClassVar[type[Options]]

    @abstractmethod
    def fit(self, context: Context, options: Any) -> Predictor:
        """Train on the context; `options` is an instance of `Options`. Returns the predictor of all its seeds."""

    def needs(self, options: Any) -> frozenset[str]:
        """What these options draw on: `uses`, and what a choice asks for by {"needs": {choice: [resource, ...]}}."""
        needed = set(self.uses)
        for name, field in self.Options.model_fields.items():
            extra = field.json_schema_extra
            choices = extra.get("needs") if isinstance(extra, dict) else None
            if isinstance(choices, dict):
                asked = choices.get(str(getattr(options, name)))
                needed.update(map(str, asked) if isinstance(asked, list) else ())
        return frozenset(needed)


METHODS: Registry[type[Method]] = Registry("method", __name__)


def hardened(probs: Floats) -> Floats:
    """1 where a probability exceeds one half, else 0; float32 of the same shape."""
    return (probs > 0.5).astype(np.float32)


def classify(uses: Collection[str]) -> MethodClass:
    """The leaderboard class that follows from what a method uses.

    Weak-to-strong: it learns from weak labels, and from no test input before it is finished.
    """
    return "weak_to_strong" if WEAK_LABELS in uses and TEST_INPUTS not in uses else "policy_gray"


def parse_options(method: type[Method], given: Mapping[str, Any]) -> Options:
    """Typed options from plain values. Raises: OptionError naming every wrong field and what is allowed."""
    try:
        return method.Options.model_validate(dict(given))
    except ValidationError as error:
        known = ", ".join(method.Options.model_fields) or "none"
        problems = dict.fromkeys(f"{'.'.join(map(str, e['loc'][:1]))}: {e['msg']}" for e in error.errors())
        raise OptionError(f"method {method.name!r}: {'; '.join(problems)} (options: {known})") from error


def check_offers(method: type[Method], options: Options, offers: Collection[str]) -> None:
    """Raises: NotOffered where the method, with these options, needs what the benchmark keeps back."""
    missing = sorted((method().needs(options) & OFFERED) - set(offers))
    if missing:
        raise NotOffered(
            f"method {method.name!r} needs {', '.join(missing)}; this benchmark offers only {', '.join(offers)}"
        )
