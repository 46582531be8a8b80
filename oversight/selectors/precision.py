"""How often each detector was right, as far as people have decided."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import OuterRef, Subquery

from metrics import wilson
from oversight.lifecycle import GAMING, REOPENED, FlagState, Verdict
from oversight.models import Decision, Flag


@dataclass(frozen=True, slots=True)
class Precision:
    """Confirmed over decided, with a 95 % Wilson interval; None where nothing is decided.

    aside: decisions that say nothing of the detector (evaluator bug); open: flags that wait.
    """

    detector: str
    confirmed: int
    decided: int
    aside: int
    open: int
    share: float | None
    low: float | None
    high: float | None

    @classmethod
    def none(cls, detector: str) -> "Precision":
        """Of a detector that has raised no flag yet."""
        return _count(detector, [], None)


def precision_of(detector: str, *, since: datetime | None = None) -> Precision:
    """One detector; since: of flags decided from then on."""
    rows = [(state, verdict, at) for name, state, verdict, at in _rows(Flag.objects.filter(detector=detector))]
    return _count(detector, rows, since)


def precisions() -> list[Precision]:
    """Every detector that ever raised a flag, by name."""
    found: dict[str, list[tuple[str, str | None, datetime | None]]] = {}
    for detector, state, verdict, at in _rows(Flag.objects.all()):
        found.setdefault(detector, []).append((state, verdict, at))
    return [_count(detector, rows, None) for detector, rows in sorted(found.items())]


def _rows(flags: Any) -> list[tuple[str, str, str | None, datetime | None]]:
    """Detector, state, last verdict, when; of flags that ask for a judgement."""
    last = Decision.objects.filter(flag=OuterRef("pk")).exclude(verdict=REOPENED).order_by("-id")
    told = flags.for_people().annotate(
        last_verdict=Subquery(last.values("verdict")[:1]), decided_at=Subquery(last.values("created_at")[:1])
    )
    return list(told.values_list("detector", "state", "last_verdict", "decided_at"))


def _count(detector: str, rows: list[tuple[str, str | None, datetime | None]], since: datetime | None) -> Precision:
    verdicts = [
        verdict for state, verdict, at in rows
        if state == FlagState.DECIDED and (since is None or (at is not None and at >= since))
    ]  # fmt: skip
    aside = sum(verdict == Verdict.EVALUATOR_BUG for verdict in verdicts)
    # policy-gray confirms what the detector saw: the method does not answer weak-to-strong
    confirmed = sum(verdict in GAMING or verdict == Verdict.POLICY_GRAY for verdict in verdicts)
    decided = len(verdicts) - aside
    interval = wilson(confirmed, decided)
    return Precision(
        detector=detector,
        confirmed=confirmed,
        decided=decided,
        aside=aside,
        open=sum(state != FlagState.DECIDED for state, *_ in rows),
        share=confirmed / decided if decided else None,
        low=interval[0] if interval else None,
        high=interval[1] if interval else None,
    )
