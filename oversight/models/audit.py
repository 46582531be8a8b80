"""The audit trail: written by the database's own triggers, sealed into a chain at the end of each transaction."""

from typing import ClassVar

import pgtrigger
from django.db import models

from experiments.triggers import changed
from oversight.triggers import GUARD

_SAID = ("id", "at", "actor_id", "actor_name", "verb", "subject", "before", "after", "reason", "origin")


class AuditEntry(models.Model):
    """One change: who, what, when, before, after, why, from where.

    number, previous, digest: its place in the chain, given at commit; digest = SHA-256 of everything else.
    """

    at = models.DateTimeField()
    actor_id = models.BigIntegerField(null=True)
    actor_name = models.CharField(max_length=150)
    verb = models.CharField(max_length=10)
    subject = models.CharField(max_length=60, help_text='Such as "price:3"')
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    reason = models.TextField()
    origin = models.CharField(max_length=200, help_text="Database role, address and application")
    number = models.PositiveBigIntegerField(null=True, unique=True)
    previous = models.CharField(max_length=64)
    digest = models.CharField(max_length=64)

    class Meta:
        verbose_name_plural = "audit entries"
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [
            models.Index(fields=["subject", "-id"], name="audit_subject"),
            models.Index(fields=["actor_name", "-id"], name="audit_actor"),
        ]
        triggers: ClassVar = [
            GUARD.refuse(
                name="audit_sealed_once",
                operation=pgtrigger.Update,
                condition=pgtrigger.Condition(f"OLD.number IS NOT NULL OR {changed(*_SAID)}"),
            ),
            *GUARD.kept("auditentry"),
        ]

    def __str__(self) -> str:
        return f"{self.number}: {self.verb} {self.subject}"


class AuditHead(models.Model):
    """The end of the chain; its row lock gives the entries one order, that of their commits."""

    number = models.PositiveBigIntegerField()
    digest = models.CharField(max_length=64)

    class Meta:
        triggers: ClassVar = [
            GUARD.refuse(
                name="audit_head_moved_by_seal",
                operation=pgtrigger.Insert | pgtrigger.Update,
                condition=pgtrigger.Condition("pg_trigger_depth() = 0"),
            ),
            *GUARD.kept("audithead"),
        ]

    def __str__(self) -> str:
        return f"{self.number}:{self.digest}"
