"""What came from another lab: which campaign, and what each of its rows is called here and there."""

from typing import ClassVar

from django.conf import settings
from django.db import models

from experiments.triggers import append_only


class ImportedCampaign(models.Model):
    """A campaign that another lab exported; nothing of it is changed here.

    campaign: its number in this lab. source_campaign: its number where it comes from.
    """

    campaign = models.PositiveBigIntegerField(unique=True)
    lab = models.CharField(max_length=300, help_text="Address of the lab that exported it")
    source_campaign = models.PositiveBigIntegerField()
    content_digest = models.CharField(max_length=64, unique=True, help_text="SHA-256 over the digests of its files")
    manifest = models.JSONField()
    imported_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    imported_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        triggers: ClassVar = [append_only("imported_campaign_append_only")]

    def __str__(self) -> str:
        return f"campaign {self.campaign}: {self.source_campaign} of {self.lab}"


class ImportedRow(models.Model):
    """One row of an imported campaign.

    table: of the archive. local_id: the row here; None where this lab keeps the row as it came and no more.
    original: columns that had to be translated, as they were there; the whole row where there is none here.
    """

    source = models.ForeignKey(ImportedCampaign, on_delete=models.PROTECT, related_name="rows")
    table = models.CharField(max_length=40)
    original_id = models.BigIntegerField()
    local_id = models.BigIntegerField(null=True)
    original = models.JSONField(default=dict)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["source", "table", "original_id"], name="imported_row_unique")
        ]
        indexes: ClassVar = [models.Index(fields=["table", "local_id"], name="imported_row_local")]
        triggers: ClassVar = [append_only("imported_row_append_only")]

    def __str__(self) -> str:
        return f"{self.table} {self.original_id} is {self.local_id} here"


def is_imported(table: str, local_id: int) -> bool:
    """Whether this row came from another lab and is for reading only."""
    return ImportedRow.objects.filter(table=table, local_id=local_id).exists()


def imported(table: str) -> models.Exists:
    """The same as a condition on rows of that table."""
    return models.Exists(ImportedRow.objects.filter(table=table, local_id=models.OuterRef("pk")))
