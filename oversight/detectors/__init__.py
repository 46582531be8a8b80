"""The detectors: one file each, which receives plain facts and answers with suspicions.

Adding one is adding a file to this folder; see docs/adding-a-detector.md.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Any, ClassVar, Generic, Literal, TypeVar, final

from pydantic import BaseModel, ConfigDict, ValidationError

from oversight.facts import ExperimentFacts, SessionFacts
from registry import Registry

Level = Literal["info", "flag", "hold"]
Facts = TypeVar("Facts", ExperimentFacts, SessionFacts)
Known = TypeVar("Known")
HOLD_P = 0.001  # a dozen tests at .01 give 11% family-wise: nothing is held on a larger p-value


class Cost(IntEnum):
    """In which order detectors look: facts at hand, numbers of the scorer, reruns on a gpu worker."""

    FREE = 0
    SCORED = 1
    RERUN = 2


class OptionError(ValueError):
    """Options that a detector does not take; the message names each field and the allowed form."""


class Options(BaseModel):
    """Thresholds of a detector: unknown names are refused, values are checked, nothing changes afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, slots=True)
class Quote:
    """Words of the row that is blamed. where: which text they stand in, such as "file:method.py"."""

    where: str
    text: str
    why: str


@dataclass(frozen=True, slots=True)
class Suspicion:
    """One statement against one or more rows.

    level: hold = quarantine and latch, flag = to the inbox, info = shown beside the run.
    statistic and threshold in the units that the detector's title names; p_value None where the hit is deterministic.
    sentences: what was seen, each a whole sentence. links: (kind, id) of the exact rows, such as ("upload", 7).
    blames: the rows to flag, ("experiment", 3) or ("upload", 7); each of them gets the flag.
    numbers: further values worth keeping, such as a confidence limit.
    quotes: words that stand in the row, for people to find them there.
    """

    level: Level
    title: str
    statistic: float | None
    threshold: float | None
    p_value: float | None
    sentences: tuple[str, ...]
    blames: tuple[tuple[str, int], ...]
    links: tuple[tuple[str, int], ...] = ()
    numbers: Mapping[str, float] = field(default_factory=dict)
    quotes: tuple[Quote, ...] = ()


@dataclass(frozen=True, slots=True)
class Rates:
    """What is known of a detector's errors. false_positives: how often it speaks against the innocent, in words with
    where that was measured; power: against whom it works, and how well; blind: what it cannot see.
    """

    false_positives: str
    power: str
    blind: str


class Detector(ABC, Generic[Facts]):
    """A test for one way of earning a score dishonestly. Stateless.

    Each has its own `look`, and its own `applies` where there may be nothing to see; others call `inspect`.

    name: as registered. title, summary: for people. source: paper or incident. cost: when it looks.
    of_failed: whether it looks at code that failed, too, of which there are no runs and no predictions.
    rates: its documented errors. Options: its typed thresholds. origin: whose suspicion it is, a `Source` of flags.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    summary: ClassVar[str]
    source: ClassVar[str]
    origin: ClassVar[str] = "detector"
    cost: ClassVar[Cost] = Cost.FREE
    of_failed: ClassVar[bool] = False
    rates: ClassVar[Rates]
    Options: ClassVar[type[Options]] = Options

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        """Raises: OptionError."""
        self.options = parse_options(type(self), options or {})

    @final
    def inspect(self, facts: Facts) -> list[Suspicion]:
        """What speaks against whom; empty where nothing does or the detector does not apply."""
        return self.look(facts) if self.applies(facts) else []

    def applies(self, facts: Facts) -> bool:
        """Whether there is anything for it to see: what it had no chance to speak about counts for no rate."""
        return True

    @abstractmethod
    def look(self, facts: Facts) -> list[Suspicion]:
        """What speaks against whom, where it applies; `inspect` is what others call."""


class ExperimentDetector(Detector[ExperimentFacts]):
    """Looks at one scored experiment."""


class SessionDetector(Detector[SessionFacts]):
    """Looks at what came from outside to one benchmark, across everybody's tokens."""


DETECTORS: Registry[type[Detector[Any]]] = Registry("detector", __name__)


def known(value: Known | None) -> Known:
    """What `applies` has made sure is there. Raises: ValueError where it has not."""
    if value is None:
        raise ValueError("a detector looked at what it does not apply to")
    return value


def parse_options(detector: type[Detector[Any]], given: Mapping[str, Any]) -> Options:
    """Typed thresholds from plain values. Raises: OptionError naming every wrong field and what is allowed."""
    try:
        return detector.Options.model_validate(dict(given))
    except ValidationError as error:
        known = ", ".join(detector.Options.model_fields) or "none"
        problems = dict.fromkeys(f"{'.'.join(map(str, e['loc'][:1]))}: {e['msg']}" for e in error.errors())
        raise OptionError(f"detector {detector.name!r}: {'; '.join(problems)} (options: {known})") from error


def capped(suspicion: Suspicion) -> Suspicion:
    """The suspicion, brought down to a flag where its p-value does not carry a hold."""
    if suspicion.level == "hold" and suspicion.p_value is not None and suspicion.p_value >= HOLD_P:
        return replace(suspicion, level="flag")
    return suspicion
