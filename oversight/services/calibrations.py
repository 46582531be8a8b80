"""Keeps what was measured of detectors."""

from collections.abc import Mapping
from typing import Any

from experiments.models import Benchmark
from oversight.models import Calibration


def store(
    *,
    detector: str,
    benchmark: Benchmark | None = None,
    n: int,
    threshold: float | None,
    false_positive_rate: float | None,
    details: Mapping[str, Any] | None = None,
) -> Calibration:
    """One measurement; earlier ones stay, the latest counts."""
    return Calibration.objects.create(
        detector=detector,
        benchmark=benchmark,
        n=n,
        threshold=threshold,
        false_positive_rate=false_positive_rate,
        details=dict(details or {}),
    )


def latest(detector: str, benchmark: Benchmark | None = None) -> Calibration | None:
    """The newest measurement on a benchmark; None if it was never measured there."""
    return Calibration.objects.filter(detector=detector, benchmark=benchmark).order_by("-id").first()
