"""What is set for detectors."""

from oversight.models import DetectorSetting


def settings_by_name() -> dict[str, DetectorSetting]:
    """Every setting, by the detector's name."""
    return {row.name: row for row in DetectorSetting.objects.select_related("updated_by")}
