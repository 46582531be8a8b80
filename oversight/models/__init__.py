"""The rows of oversight: flags, what people voted and decided, and what is set and known about detectors."""

from oversight.models.audit import AuditEntry, AuditHead
from oversight.models.detectors import Calibration, DetectorSetting
from oversight.models.flags import Decision, Flag, Vote
from oversight.models.inspections import Inspection, Refusal
from oversight.models.readings import MonitorDay, Reading

__all__ = [
    "AuditEntry",
    "AuditHead",
    "Calibration",
    "Decision",
    "DetectorSetting",
    "Flag",
    "Inspection",
    "MonitorDay",
    "Reading",
    "Refusal",
    "Vote",
]
