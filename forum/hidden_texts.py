"""Which texts people have hidden, and their words as records of what was said must not repeat them."""

from collections.abc import Iterator
from functools import lru_cache
from itertools import chain
from typing import Any

from django.db.models import Count, Max, Q, Sum

from experiments.archives.models import ImportedRow
from experiments.unsaid import Unsaid
from forum.models import Comment, Finding, Hide, Tally

# Changes whenever what is hidden does: hides, and comments that reviewers add to a hidden finding.
_Version = tuple[Any, ...]


def hidden_words() -> Unsaid:
    """Of the whole lab: an agent reads findings of other campaigns, too. Two small queries if nothing has changed."""
    hides = Hide.objects.standing()
    told = hides.aggregate(count=Count("pk"), last=Max("pk"), total=Sum("pk"), at=Max("hidden_at"))
    if not told["count"]:
        return _known(())
    comments = Tally.objects.filter(finding__in=hides.values("finding")).aggregate(count=Sum("comments"))
    return _known((*told.values(), comments["count"]))


@lru_cache(maxsize=1)
def _known(version: _Version) -> Unsaid:
    return Unsaid(hidden_texts() if version else ())


def hidden_texts() -> Iterator[str]:
    """Titles, bodies, and comments; also as they came, if they were imported."""
    hides = Hide.objects.standing()
    findings = Finding.objects.filter(pk__in=hides.values("finding"))
    comments = Comment.objects.filter(Q(finding__in=findings) | Q(pk__in=hides.values("comment")))
    yield from chain.from_iterable(findings.values_list("title", "body"))
    yield from comments.values_list("body", flat=True)
    for table, ids in (("findings", findings.values("pk")), ("comments", comments.values("pk"))):
        came = ImportedRow.objects.filter(Q(local_id__in=ids), table=table, original__has_key="body")
        yield from came.values_list("original__body", flat=True)
