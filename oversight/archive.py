"""What of a campaign lies in this app: flags with evidence, votes, decisions, inspections, calibrations.

None of it is restored: the lab that imports has neither suspected nor judged, and must not count it for its detectors.
Reasons that people give each other go with the holdout's scores only, because they quote them.
"""

import math
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from experiments.archives.columns import Column, Row
from experiments.archives.forms import OBJECT, OBJECTS
from experiments.archives.left_out import LEASE, LeftOut
from experiments.archives.models import ImportedRow
from experiments.archives.tables import Names, Scope, Table
from oversight.lifecycle import Source
from oversight.models import Calibration, Decision, Flag, Inspection, Vote

TELL_NO_SCORE = frozenset({
    "api-misuse", "batch-composition", "canary", "honeypot", "lineage", "replay", "seed-ledger", "static-scan",
})  # fmt: skip
"""Detectors whose numbers and sentences anybody may read: of code, seeds, calls, and how predictions differ from each
other. All others, and people, may quote labels, the holdout, or exact scores of uploads."""
_OF_SUSPICION = ("title", "statistic", "threshold", "p_value", "evidence")
_OF_RESULT = ("detector", "level", "title", "statistic", "threshold", "p", "numbers")


def collect(scope: Scope) -> None:
    """Experiments that its flags are about, wherever they were submitted."""
    if scope.imported is not None:
        return
    about = Flag.objects.filter(campaign=scope.campaign, experiment__isnull=False).values_list("experiment", flat=True)
    scope.ids.setdefault("experiments", set()).update(each for each in about if each is not None)


class Calibrations(Table):
    """What thresholds were measured on, as far as flags name them."""

    name = "calibrations"
    model = Calibration
    restored = False
    columns = (
        Column("id", "id"), Column("detector"), Column("benchmark", "ref", "benchmarks", null=True), Column("n", "int"),
        Column("threshold", "float", null=True), Column("false_positive_rate", "float", null=True),
        Column("details", "json", form=OBJECT), Column("created_at", "time"),
    )  # fmt: skip
    told = frozenset({"id", "detector", "benchmark", "n", "threshold", "false_positive_rate", "created_at"})


class Flags(Table):
    """Suspicions about the campaign and the results it cites. Links in the evidence have the ids of the archive."""

    name = "flags"
    model = Flag
    restored = False
    columns = (
        Column("id", "id"), Column("experiment", "ref", "experiments", null=True),
        Column("agent", "ref", "agents", null=True), Column("upload", "ref", "uploads", null=True),
        Column("finding", "ref", "findings", null=True), Column("campaign", "ref", "campaigns", null=True),
        Column("detector"), Column("source"), Column("level"), Column("title"), Column("statistic", "float", null=True),
        Column("threshold", "float", null=True), Column("p_value", "float", null=True),
        Column("evidence", "json", form=OBJECTS),
        Column("calibration", "ref", "calibrations", null=True), Column("raised_by", "ref", "people", null=True),
        Column("created_at", "time"), Column("state"), Column("round", "int"),
    )  # fmt: skip
    quotes = frozenset({"evidence"})
    told = frozenset({
        "id", "experiment", "agent", "upload", "finding", "campaign", "detector", "source", "level", "calibration",
        "raised_by", "created_at", "state", "round",
    })  # fmt: skip

    def select(self, scope: Scope) -> QuerySet[Any]:
        """Of the campaign, or about what goes along."""
        return _flags(scope).select_related("upload", "agent")

    def read(self, row: Any, names: Names, scope: Scope) -> Row:
        """An upload goes by its evaluation; agents of other campaigns are not here. A claim is nobody's business."""
        found = super().read(row, names, scope)
        found["upload"] = names.original("uploads", row.upload.evaluation_id) if row.upload else None
        if row.agent and row.agent.campaign_id != scope.campaign:
            found["agent"] = None
        if row.campaign_id != scope.campaign:
            found["campaign"] = None
        return found | {"state": "open" if row.state == "claimed" else row.state}

    def value(self, column: Column, row: Any, names: Names) -> Any:
        """A statistic without bounds is no number in JSON; the evidence says it in words."""
        found = super().value(column, row, names)
        return None if isinstance(found, float) and not math.isfinite(found) else found

    def admits(self, row: Any, scope: Scope) -> bool:
        """Unless the finding it is about was hidden here."""
        return row["id"] not in _left_behind(scope)

    def partly(self, row: Row) -> Row:
        """What a detector said that tells no score. Without a statistic it broke, and quotes what broke."""
        open_to_all = row["source"] == Source.DETECTOR and row["detector"] in TELL_NO_SCORE
        return {name: row[name] for name in _OF_SUSPICION} if open_to_all and row["statistic"] is not None else {}


class _OfFlags(Table):
    """Rows that hang on flags."""

    restored = False

    def select(self, scope: Scope) -> QuerySet[Any]:
        """Of the flags that go along."""
        return self.base().filter(flag__in=_flags(scope))

    def admits(self, row: Any, scope: Scope) -> bool:
        """Unless its flag stays behind."""
        return row["flag"] not in _left_behind(scope)


class Votes(_OfFlags):
    """What reviewers thought, once it is decided: until then each votes without knowing the others' votes."""

    name = "flag_votes"
    model = Vote
    columns = (
        Column("id", "id"), Column("flag", "ref", "flags"), Column("round", "int"), Column("reviewer", "ref", "people"),
        Column("verdict"), Column("reason"), Column("created_at", "time"),
    )  # fmt: skip
    told = frozenset({"id", "flag", "round", "reviewer", "verdict", "created_at"})

    def select(self, scope: Scope) -> QuerySet[Any]:
        """Of rounds that have ended."""
        ended = Decision.objects.filter(flag=OuterRef("flag"), round=OuterRef("round"))
        return super().select(scope).filter(Exists(ended))


class Decisions(_OfFlags):
    """Verdicts and reopenings."""

    name = "flag_decisions"
    model = Decision
    columns = (
        Column("id", "id"), Column("flag", "ref", "flags"), Column("round", "int"), Column("verdict"), Column("reason"),
        Column("decided_by", "ref", "people"), Column("created_at", "time"),
    )  # fmt: skip
    told = frozenset({"id", "flag", "round", "verdict", "decided_by", "created_at"})


class Inspections(Table):
    """What every detector said of each experiment, suspicious or not."""

    name = "inspections"
    model = Inspection
    restored = False
    columns = (
        Column("id", "id"), Column("experiment", "ref", "experiments"), Column("state"),
        Column("results", "json", form=OBJECTS),
        Column("error"), Column("created_at", "time"), Column("finished_at", "time", null=True),
    )  # fmt: skip
    told = frozenset({"id", "experiment", "state", "created_at", "finished_at"})

    def select(self, scope: Scope) -> QuerySet[Any]:
        """Of the experiments that go along."""
        return self.base().filter(experiment__in=scope.ids["experiments"])

    def partly(self, row: Row) -> Row:
        """Of detectors that tell no score, without q-values: those follow from all p-values."""
        lines = row["results"] if isinstance(row["results"], list) else []
        told = [each for each in lines if isinstance(each, dict) and each.get("detector") in TELL_NO_SCORE]
        return {"results": [{name: each[name] for name in _OF_RESULT if name in each} for each in told]}


def _flags(scope: Scope) -> QuerySet[Any]:
    """Those about findings that do not come along stay behind: they may quote what somebody hid."""
    concerned = Q(campaign=scope.campaign) | Q(experiment__in=scope.ids["experiments"])
    findings = scope.ids["findings"]
    concerned |= Q(finding__in=findings)
    return Flag.objects.filter(concerned).filter(Q(finding__isnull=True) | Q(finding__in=findings))


def _left_behind(scope: Scope) -> set[int]:
    """Flags of an imported campaign about findings that were hidden here; their numbers in the archive."""
    found = scope.ids.get("flags left behind")
    if found is None:
        rows = ImportedRow.objects.filter(source=scope.imported)
        hidden = rows.filter(table="findings").exclude(local_id__in=scope.ids["findings"])
        about = rows.filter(table="flags", original__finding__in=list(hidden.values_list("original_id", flat=True)))
        found = scope.ids["flags left behind"] = set(about.values_list("original_id", flat=True))
    return found


TABLES: list[Table] = [Calibrations(), Flags(), Votes(), Decisions(), Inspections()]
LEFT_OUT: LeftOut = {
    "oversight.Flag": {
        "key": "a digest of ids of this lab",
        **dict.fromkeys(("claimed_by", "claimed_until"), "passing: who looks at it"),
    },
    "oversight.Inspection": {
        **LEASE,
        **dict.fromkeys(("asked", "upto"), "passing: what is still to be looked at"),
        "benchmark": "inspections of all uploads of the lab together stay",
    },
    "oversight.DetectorSetting": "the lab's, not the campaign's",
    "oversight.Reading": "what came of it is in inspections and flags",
    "oversight.MonitorDay": "the lab's money, not the campaign's",
    "oversight.Refusal": "of accounts, in no campaign",
    "oversight.AuditEntry": "for admins of this lab; a chain of which a part proves nothing",
    "oversight.AuditHead": "for admins of this lab; a chain of which a part proves nothing",
}
