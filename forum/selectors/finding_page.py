"""One thread: the finding, its comments, where it stands among the others."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from experiments.errors import NotFound
from experiments.models import Experiment
from experiments.selectors.scores import Score, dev_score
from forum.models import Comment, Finding
from forum.selectors.related import Similar, similar
from forum.selectors.shown import ShownComment, ShownFinding, shown_comments, shown_findings

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from experiments.permissions import Actor

COMMENTS_SHOWN = 100
MOST_CHILDREN = 50


@dataclass(frozen=True, slots=True)
class Spoken:
    """An experiment that a finding speaks of, with its dev score."""

    experiment: Experiment
    dev: Score | None


@dataclass(frozen=True, slots=True)
class Thread:
    """What the page of one finding shows. more_after: the last comment shown, if there are more; else None."""

    shown: ShownFinding
    comments: list[ShownComment]
    more_after: int | None
    parents: list[Finding]
    hidden_parents: int
    children: list[Finding]
    experiments: list[Spoken]
    related: list[Similar]

    @property
    def key(self) -> str:
        """The id as the live stream writes it."""
        return str(self.shown.finding.pk)


def finding_of(user: "Actor", finding_id: int) -> Finding:
    """A missing finding and a hidden one are the same to whoever may not see it. Raises: NotFound."""
    visible = Finding.objects.visible_to(user).select_related("author", "tally").defer("search", "title_search")
    found: Finding | None = visible.filter(pk=finding_id).first()
    if found is None:
        raise NotFound(f"no finding {finding_id}")
    return found


def comments_of(finding: Finding) -> "QuerySet[Comment]":
    """Its comments with their authors, oldest first."""
    return finding.comments.select_related("author").order_by("pk")


def thread(user: "Actor", finding_id: int, *, after: int = 0) -> Thread:
    """Comments start behind the comment `after`. Raises: NotFound."""
    finding = finding_of(user, finding_id)
    (shown,) = shown_findings(user, [finding])
    comments = list(comments_of(finding).filter(pk__gt=after)[: COMMENTS_SHOWN + 1])
    more, comments = len(comments) > COMMENTS_SHOWN, comments[:COMMENTS_SHOWN]
    visible = Finding.objects.visible_to(user).select_related("author", "tally").defer("search", "title_search", "body")
    parents = {each.pk: each for each in visible.filter(pk__in=shown.parents)}
    experiments = Experiment.objects.visible_to(user).select_related("benchmark", "method")
    scored = {each.pk: each for each in experiments.filter(pk__in=shown.experiments).defer("hypothesis", "search")}
    return Thread(
        shown=shown,
        comments=shown_comments(user, comments),
        more_after=comments[-1].pk if more else None,
        parents=[parents[key] for key in shown.parents if key in parents],
        hidden_parents=len(shown.parents) - len(parents),
        children=list(visible.filter(parent_links__parent=finding).order_by("pk")[:MOST_CHILDREN]),
        experiments=[Spoken(scored[key], dev_score(scored[key])) for key in shown.experiments if key in scored],
        related=similar(user, title=finding.title, body=finding.body, without=finding.pk),
    )
