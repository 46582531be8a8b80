"""The rows of the forum: findings and what they cite, comments, votes, what people hid or pinned, who has read what."""

from typing import ClassVar

import pgtrigger
from django.conf import settings
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector, SearchVectorField
from django.db import models
from django.db.models import F, Q
from django.urls import reverse
from django.utils import timezone

from experiments.models import Experiment
from experiments.triggers import Guard, Refusals, changed
from forum.querysets import FindingQuerySet, HideQuerySet

MOST_TITLE = 200
MOST_BODY = 20_000
MOST_COMMENT = 10_000
SEARCH_CONFIG = "english"

_USER = settings.AUTH_USER_MODEL
_GUARD = Refusals("forum_refuse")


class Kind(models.TextChoices):
    """What a finding claims to be."""

    HYPOTHESIS = "hypothesis", "Hypothesis"
    RESULT = "result", "Result"
    INSIGHT = "insight", "Insight"
    ERROR = "error", "Error"


class Finding(models.Model):
    """A thread: what somebody expects, measured, understood or got wrong. Never changed: comments correct it."""

    kind = models.CharField(max_length=10, choices=Kind)
    title = models.CharField(max_length=MOST_TITLE)
    body = models.TextField(help_text="Markdown")
    author = models.ForeignKey(_USER, on_delete=models.PROTECT, related_name="findings")
    campaign = models.PositiveBigIntegerField(default=0, help_text="0: the lab itself")
    created_at = models.DateTimeField(default=timezone.now)
    experiments = models.ManyToManyField(Experiment, through="FindingExperiment", related_name="findings")
    parents = models.ManyToManyField("self", through="FindingParent", symmetrical=False, related_name="children")
    # Fixed when it is posted: the database takes that many links and no more, so citing cannot be added to later.
    experiment_count = models.PositiveSmallIntegerField(default=0)
    parent_count = models.PositiveSmallIntegerField(default=0)
    search = models.GeneratedField(
        expression=SearchVector("title", weight="A", config=SEARCH_CONFIG)
        + SearchVector("body", weight="B", config=SEARCH_CONFIG),
        output_field=SearchVectorField(),
        db_persist=True,
    )
    # A vector of its own, not only an index: making it of each row that is passed cost more than all else of a search.
    title_search = models.GeneratedField(
        expression=SearchVector("title", config=SEARCH_CONFIG), output_field=SearchVectorField(), db_persist=True
    )

    objects = FindingQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [
            models.Index(fields=["kind", "-id"], name="finding_kind"),
            models.Index(fields=["author", "-id"], name="finding_author"),
            models.Index(fields=["campaign", "-id"], name="finding_campaign"),
            models.Index(fields=["created_at"], name="finding_created"),
            # without the pending list a search never pays for what was posted before it
            GinIndex(fields=["search"], name="finding_search", fastupdate=False),
            GinIndex(fields=["title_search"], name="finding_title_search", fastupdate=False),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(kind__in=Kind.values), name="finding_kind_known"),
            models.CheckConstraint(condition=~Q(title="") & ~Q(body=""), name="finding_not_empty"),
        ]
        triggers: ClassVar = [
            *_GUARD.append_only("finding"),
            Guard(name="finding_tally", function="forum_open_tally", operation=pgtrigger.Insert, when=pgtrigger.After),
        ]

    def __str__(self) -> str:
        return f"finding {self.pk}: {self.title}"

    def get_absolute_url(self) -> str:
        """Its page."""
        return reverse("finding", args=[self.pk])


class FindingExperiment(models.Model):
    """A finding speaks of an experiment."""

    finding = models.ForeignKey(Finding, on_delete=models.PROTECT, related_name="experiment_links")
    experiment = models.ForeignKey(Experiment, on_delete=models.PROTECT, related_name="finding_links", db_index=False)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["experiment", "-finding"], name="findingexperiment_experiment")]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["finding", "experiment"], name="findingexperiment_unique")
        ]
        triggers: ClassVar = [
            *_GUARD.append_only("findingexperiment"),
            Guard(
                name="findingexperiment_closed",
                function="forum_links_closed",
                operation=pgtrigger.Insert,
                when=pgtrigger.Before,
            ),
        ]

    def __str__(self) -> str:
        return f"finding {self.finding_id} on experiment {self.experiment_id}"


class FindingParent(models.Model):
    """A finding builds on an older one."""

    finding = models.ForeignKey(Finding, on_delete=models.PROTECT, related_name="parent_links")
    parent = models.ForeignKey(Finding, on_delete=models.PROTECT, related_name="child_links")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["finding", "parent"], name="findingparent_unique"),
            # numbers grow, so descent has no cycles
            models.CheckConstraint(condition=Q(parent__lt=F("finding")), name="findingparent_older"),
        ]
        triggers: ClassVar = [
            *_GUARD.append_only("findingparent"),
            Guard(
                name="findingparent_closed",
                function="forum_links_closed",
                operation=pgtrigger.Insert,
                when=pgtrigger.Before,
            ),
        ]

    def __str__(self) -> str:
        return f"finding {self.finding_id} builds on {self.parent_id}"


class Tally(models.Model):
    """Votes and comments of a finding, counted by triggers alone: an UPDATE from outside is refused."""

    finding = models.OneToOneField(Finding, primary_key=True, on_delete=models.PROTECT, related_name="tally")
    score = models.IntegerField(default=0, db_default=0)
    ups = models.PositiveIntegerField(default=0, db_default=0)
    downs = models.PositiveIntegerField(default=0, db_default=0)
    comments = models.PositiveIntegerField(default=0, db_default=0)
    last_comment = models.PositiveBigIntegerField(default=0, db_default=0, help_text="Number of the newest comment")

    class Meta:
        indexes: ClassVar = [models.Index(fields=["-score", "-finding"], name="tally_top")]
        triggers: ClassVar = [
            _GUARD.refuse(
                name="tally_counted",
                operation=pgtrigger.Update | pgtrigger.Delete,
                condition=pgtrigger.Condition("pg_trigger_depth() = 0"),
            ),
            _GUARD.refuse(name="tally_not_emptied", operation=pgtrigger.Truncate, level=pgtrigger.Statement),
        ]

    def __str__(self) -> str:
        return f"{self.score:+d} of finding {self.finding_id}"


class Comment(models.Model):
    """An answer to a finding; append-only like it."""

    finding = models.ForeignKey(Finding, on_delete=models.PROTECT, related_name="comments")
    author = models.ForeignKey(_USER, on_delete=models.PROTECT, related_name="comments")
    body = models.TextField(help_text="Markdown")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [models.CheckConstraint(condition=~Q(body=""), name="comment_not_empty")]
        triggers: ClassVar = [
            *_GUARD.append_only("comment"),
            Guard(
                name="comment_tally", function="forum_count_comment", operation=pgtrigger.Insert, when=pgtrigger.After
            ),
        ]

    def __str__(self) -> str:
        return f"comment {self.pk} on finding {self.finding_id}"


class Vote(models.Model):
    """One per reader and finding, changeable; 0 is a vote taken back."""

    finding = models.ForeignKey(Finding, on_delete=models.PROTECT, related_name="votes", db_index=False)
    user = models.ForeignKey(_USER, on_delete=models.PROTECT, related_name="votes")
    value = models.SmallIntegerField()
    changed_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["finding", "user"], name="vote_once"),
            models.CheckConstraint(condition=Q(value__in=[-1, 0, 1]), name="vote_value_known"),
        ]
        triggers: ClassVar = [
            _GUARD.refuse(
                name="vote_not_moved",
                operation=pgtrigger.Update,
                condition=pgtrigger.Condition(changed("id", "finding_id", "user_id")),
            ),
            *_GUARD.kept("vote"),
            Guard(
                name="vote_tally",
                function="forum_count_vote",
                operation=pgtrigger.Insert | pgtrigger.Update,
                when=pgtrigger.After,
            ),
        ]

    def __str__(self) -> str:
        return f"{self.value:+d} on finding {self.finding_id}"


class Hide(models.Model):
    """A finding or comment that a person took out of sight, and why. The text stays; lifting is written beside it."""

    finding = models.ForeignKey(Finding, null=True, on_delete=models.PROTECT, related_name="hides")
    comment = models.ForeignKey(Comment, null=True, on_delete=models.PROTECT, related_name="hides")
    reason = models.TextField()
    hidden_by = models.ForeignKey(_USER, on_delete=models.PROTECT, related_name="+")
    hidden_at = models.DateTimeField(default=timezone.now)
    lift_reason = models.TextField(default="", db_default="")
    lifted_by = models.ForeignKey(_USER, null=True, on_delete=models.PROTECT, related_name="+")
    lifted_at = models.DateTimeField(null=True)

    objects = HideQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(finding__isnull=True, comment__isnull=False)
                | Q(finding__isnull=False, comment__isnull=True),
                name="hide_one_target",
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="hide_has_reason"),
            models.UniqueConstraint(fields=["finding"], condition=Q(lifted_at__isnull=True), name="hide_finding_once"),
            models.UniqueConstraint(fields=["comment"], condition=Q(lifted_at__isnull=True), name="hide_comment_once"),
        ]
        triggers: ClassVar = [
            _GUARD.refuse(
                name="hide_only_lifted",
                operation=pgtrigger.Update,
                condition=pgtrigger.Condition(
                    "OLD.lifted_at IS NOT NULL OR "
                    + changed("id", "finding_id", "comment_id", "reason", "hidden_by_id", "hidden_at")
                ),
            ),
            *_GUARD.kept("hide"),
        ]

    def __str__(self) -> str:
        return f"hide of {f'finding {self.finding_id}' if self.finding_id else f'comment {self.comment_id}'}"


class Pin(models.Model):
    """A finding that a person put on top of the list, until a person took it off."""

    finding = models.ForeignKey(Finding, on_delete=models.PROTECT, related_name="pins")
    pinned_by = models.ForeignKey(_USER, on_delete=models.PROTECT, related_name="+")
    pinned_at = models.DateTimeField(default=timezone.now)
    removed_by = models.ForeignKey(_USER, null=True, on_delete=models.PROTECT, related_name="+")
    removed_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["finding"], condition=Q(removed_at__isnull=True), name="pin_once")
        ]
        triggers: ClassVar = [
            _GUARD.refuse(
                name="pin_only_removed",
                operation=pgtrigger.Update,
                condition=pgtrigger.Condition(
                    "OLD.removed_at IS NOT NULL OR " + changed("id", "finding_id", "pinned_by_id", "pinned_at")
                ),
            ),
            *_GUARD.kept("pin"),
        ]

    def __str__(self) -> str:
        return f"pin of finding {self.finding_id}"


class Reader(models.Model):
    """Up to where a person counts as having read everything; what they opened beyond it has a ReadMark."""

    user = models.OneToOneField(_USER, primary_key=True, on_delete=models.CASCADE, related_name="+")
    finding = models.PositiveBigIntegerField(default=0, help_text="Number of the last finding that counts as read")
    comment = models.PositiveBigIntegerField(default=0, help_text="Number of the last comment that counts as read")

    def __str__(self) -> str:
        return f"reader {self.user_id} up to finding {self.finding}"


class ReadMark(models.Model):
    """A finding that a person opened, and the newest comment there was then."""

    user = models.ForeignKey(_USER, on_delete=models.CASCADE, related_name="+", db_index=False)
    finding = models.ForeignKey(Finding, on_delete=models.PROTECT, related_name="+")
    comment = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["user", "finding"], name="readmark_once")]

    def __str__(self) -> str:
        return f"finding {self.finding_id} read by {self.user_id}"
