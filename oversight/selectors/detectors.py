"""Every detector for the page of detectors: what runs, what it said so far, how it was measured."""

from collections import defaultdict
from dataclasses import dataclass

from oversight.detectors import DETECTORS
from oversight.models import Calibration, DetectorSetting
from oversight.selectors.precision import Precision, precisions
from oversight.selectors.settings import settings_by_name
from oversight.services.flags import PERSON


@dataclass(frozen=True, slots=True)
class DetectorLine:
    """One row. title: empty for what raised flags and is not installed (any more), and for people.

    calibrations: the newest of each benchmark, by its slug.
    """

    precision: Precision
    title: str
    by_people: bool
    setting: DetectorSetting | None
    calibrations: list[Calibration]

    @property
    def spoke(self) -> bool:
        """Whether there is any flag of it that asks for a judgement."""
        return bool(self.precision.decided or self.precision.aside or self.precision.open)


def detector_lines() -> list[DetectorLine]:
    """All that are installed, and whatever else raised a flag, by name; three queries."""
    found = {each.detector: each for each in precisions()}
    settings, calibrations = settings_by_name(), _newest_calibrations()
    installed = set(DETECTORS.names())
    return [
        DetectorLine(
            precision=found.get(name) or Precision.none(name),
            title=DETECTORS.get(name).title if name in installed else "",
            by_people=name == PERSON,
            setting=settings.get(name),
            calibrations=calibrations[name],
        )
        for name in sorted({*installed, *found})
    ]


def _newest_calibrations() -> dict[str, list[Calibration]]:
    rows = Calibration.objects.select_related("benchmark").order_by("detector", "benchmark_id", "-id")
    newest: dict[str, list[Calibration]] = defaultdict(list)
    for each in rows.distinct("detector", "benchmark_id"):
        newest[each.detector].append(each)
    for of_one in newest.values():
        of_one.sort(key=lambda each: each.benchmark.slug if each.benchmark else "")
    return newest
