"""The rows of method code: a tree of text files, and which trees it grew out of."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from experiments.triggers import RECORD


class Snapshot(models.Model):
    """Method code, frozen and named by its content: the same files are the same row, whoever hands them in."""

    digest = models.CharField(max_length=64, unique=True, help_text="SHA-256 of paths and contents")
    submitter = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="snapshots", help_text="Who came first with it"
    )
    parents = models.ManyToManyField(
        "self", through="SnapshotParent", symmetrical=False, related_name="children", help_text="What it started from"
    )
    files = models.JSONField(help_text="Path -> text")
    n_files = models.PositiveSmallIntegerField()
    size_bytes = models.PositiveIntegerField(help_text="Of all contents, as UTF-8")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [models.Index(fields=["submitter", "-id"], name="snapshot_submitter")]
        triggers: ClassVar = RECORD.append_only("snapshot")

    def __str__(self) -> str:
        return f"snapshot {self.pk} ({self.digest[:12]})"


class SnapshotParent(models.Model):
    """One line of descent, stated once, when the child was made."""

    child = models.ForeignKey(Snapshot, on_delete=models.PROTECT, related_name="+")
    parent = models.ForeignKey(Snapshot, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["child", "parent"], name="snapshot_parent_unique"),
            # a child is made after its parents, so descent has no circle
            models.CheckConstraint(condition=Q(parent__lt=F("child")), name="snapshot_parent_older"),
        ]
        triggers: ClassVar = RECORD.append_only("snapshotparent")

    def __str__(self) -> str:
        return f"{self.parent_id} -> {self.child_id}"
