"""Findings and comments are written here, once, for good."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django.db import transaction

from experiments.archives.models import is_imported
from experiments.errors import Forbidden, InvalidInput, NotFound, Refused
from experiments.guard import Call, guard
from experiments.models import Experiment
from experiments.texts import clean_line, clean_text
from forum.models import (
    MOST_BODY,
    MOST_COMMENT,
    MOST_TITLE,
    Comment,
    Finding,
    FindingExperiment,
    FindingParent,
    Kind,
)
from forum.permissions import can_write
from forum.references import MOST_REFERENCES, find_references
from forum.services.news import tell

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.db.models import QuerySet

MOST_EXPERIMENTS = 50
MOST_PARENTS = 20
_MOST_ID = 2**63 - 1  # what the column holds


@transaction.atomic
def post_finding(
    *,
    user: "User",
    kind: str,
    title: str,
    body: str,
    experiments: Iterable[int] = (),
    parents: Iterable[int] = (),
) -> Finding:
    """A new thread. It cannot be changed afterwards: what is wrong in it is said in a comment or a newer finding.

    kind: hypothesis, result, insight or error. body: Markdown; `{{pgr exp:12}}` and its like show ledger numbers.
    experiments, parents: ids of what it speaks of and what it builds on.
    Raises: Forbidden, InvalidInput.
    """
    if not can_write(user):
        raise Forbidden("this account may not post findings")
    cited, built_on = list(experiments), list(parents)
    said = {"kind": kind, "title": title, "body": body, "experiments": cited, "parents": built_on}
    campaign = guard().admit(user, Call("post_finding", said))
    if kind not in Kind.values:
        raise InvalidInput(f"unknown kind {kind!r}; allowed: {', '.join(Kind.values)}", pointer="#/kind")
    cited = _ids(cited, most=MOST_EXPERIMENTS, pointer="#/experiments")
    built_on = _ids(built_on, most=MOST_PARENTS, pointer="#/parents")
    _all_known(cited, Experiment.objects.visible_to(user), "experiment", "#/experiments")
    _all_known(built_on, Finding.objects.visible_to(user), "finding", "#/parents")
    finding = Finding.objects.create(
        kind=kind,
        title=clean_line(title, pointer="#/title", most=MOST_TITLE),
        body=check_markdown(body, most=MOST_BODY),
        author=user,
        campaign=campaign,
        experiment_count=len(cited),
        parent_count=len(built_on),
    )
    FindingExperiment.objects.bulk_create(FindingExperiment(finding=finding, experiment_id=key) for key in cited)
    FindingParent.objects.bulk_create(FindingParent(finding=finding, parent_id=key) for key in built_on)
    tell(finding, "finding.posted", actor=user, claim=kind)
    return finding


@transaction.atomic
def comment(*, user: "User", finding_id: int, body: str) -> Comment:
    """An answer to a finding, for good. Raises: NotFound, Forbidden, InvalidInput."""
    finding = finding_for(user, finding_id)
    if not can_write(user):
        raise Forbidden("this account may not comment")
    guard().admit(user, Call("comment", {"finding": finding_id, "body": body}))
    check_open(finding)
    written = Comment.objects.create(finding=finding, author=user, body=check_markdown(body, most=MOST_COMMENT))
    tell(finding, "comment.posted", actor=user, comment=written.pk)
    return written


def finding_for(user: "User", finding_id: int) -> Finding:
    """The finding, if this user may see it. Raises: NotFound."""
    found: Finding | None = Finding.objects.visible_to(user).filter(pk=finding_id).first()
    if found is None:
        raise NotFound(f"no finding {finding_id}")
    return found


def check_open(finding: Finding) -> None:
    """Raises: Refused for a finding that came with an imported campaign: that is for reading only."""
    if is_imported("findings", finding.pk):
        raise Refused(f"finding {finding.pk} came with an imported campaign, which is for reading only")


def check_markdown(body: str, *, most: int) -> str:
    """The text as it is kept. Raises: InvalidInput for one that is too long, or holds what misleads its readers."""
    cleaned = clean_text(body, pointer="#/body", most=most)
    count = len(find_references(cleaned))
    if count > MOST_REFERENCES:
        raise InvalidInput(f"has {count} references; at most {MOST_REFERENCES} are allowed", pointer="#/body")
    return cleaned


def _ids(given: Iterable[int], *, most: int, pointer: str) -> list[int]:
    ids = list(dict.fromkeys(given))
    for place, key in enumerate(ids):
        if not isinstance(key, int) or isinstance(key, bool) or not 0 < key <= _MOST_ID:
            raise InvalidInput(f"{key!r} is not an id", pointer=f"{pointer}/{place}")
    if len(ids) > most:
        raise InvalidInput(f"has {len(ids)} ids; at most {most} are allowed", pointer=pointer)
    return ids


def _all_known(ids: list[int], visible: "QuerySet[Any]", what: str, pointer: str) -> None:
    known = set(visible.filter(pk__in=ids).values_list("pk", flat=True)) if ids else set()
    for place, key in enumerate(ids):
        if key not in known:
            raise InvalidInput(f"no {what} {key}", pointer=f"{pointer}/{place}")
