"""The leaderboard and uploaded evaluations as the API tells of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_user_model
from django.db import connection
from django.db.models import QuerySet

from experiments.errors import InvalidInput, NotFound
from experiments.lifecycle import RANKED, ExperimentState, MethodClass
from experiments.models import Benchmark, Evaluation, Experiment, ReferenceResult, Upload
from experiments.permissions import can_see_exact_uploads, can_see_holdout, can_view_lab
from experiments.selectors.scores import Score, dev_score, holdout_score, vanilla_difference
from experiments.transfer.selectors import TransferNote, notes_on

if TYPE_CHECKING:
    from experiments.permissions import Actor

_HEAVY = ("hypothesis", "provenance", "error", "search", "method_digest", "options")
# in SQL, because the ORM filters before it numbers: only the page's rows leave the database
_RANKS = """
    SELECT id, place FROM (
        SELECT id, row_number() OVER (ORDER BY dev_pgr DESC, id DESC) AS place FROM experiments_experiment
        WHERE benchmark_id = %s AND method_class = %s AND state = %s AND standing = ANY(%s) AND dev_pgr IS NOT NULL
    ) ranked WHERE id = ANY(%s)
"""


@dataclass(frozen=True, slots=True)
class BoardFacts:
    """One line; the holdout's scores are None for whoever may not see them."""

    rank: int | None
    experiment: int | None
    title: str
    benchmark: str
    method: str
    method_class: str
    submitter: str
    standing: str | None
    dev_pgr: float | None
    dev: Score | None
    dev_over_vanilla: Score | None
    holdout_pgr: float | None = None
    holdout: Score | None = None
    dev_above_holdout: float | None = None
    transfer: TransferNote | None = None
    external: bool = False
    source: str = ""
    doubtful: str = ""


def board_for(user: "Actor", query: Mapping[str, Any]) -> QuerySet[Experiment]:
    """Scored experiments of a class, ordered by the caller. Raises: InvalidInput for an unknown benchmark."""
    found: QuerySet[Experiment] = Experiment.objects.visible_to(user).filter(
        state=ExperimentState.SCORED, method_class=query["class"]
    )
    slug, standing = query.get("benchmark"), query.get("standing")
    if slug:
        found = found.filter(benchmark=_benchmark(user, slug))
    if standing != "all":
        found = found.filter(standing__in=[standing] if standing else RANKED)
    return found.select_related("benchmark", "method", "submitter").defer(*_HEAVY)


def board_facts(user: "Actor", experiments: Sequence[Experiment]) -> list[BoardFacts]:
    """Their lines, with the rank each has within its benchmark and class, whatever page it is on."""
    holdout = can_see_holdout(user)
    ranks = _ranks(experiments)
    notes = notes_on(user, [each.pk for each in experiments])
    return [_board_line(each, ranks.get(each.pk), notes.get(each.pk), holdout=holdout) for each in experiments]


def reference_facts(user: "Actor", slug: str | None) -> list[BoardFacts]:
    """Published figures as lines of the board, best first. Raises: InvalidInput for an unknown benchmark."""
    found = ReferenceResult.objects.select_related("benchmark").order_by("-pgr_mean")
    found = found.filter(benchmark=_benchmark(user, slug)) if slug else found
    return [_reference_line(each) for each in found]


def evaluations_for(user: "Actor", query: Mapping[str, Any]) -> QuerySet[Evaluation]:
    """Scored uploads: one's own, or everybody's for whoever may view the lab.

    Raises: InvalidInput for a benchmark or account that does not exist.
    """
    found = Evaluation.objects.uploads()
    if not can_view_lab(user):
        found = found.filter(submitter_id=user.pk)
    if query.get("benchmark"):
        found = found.filter(benchmark=_benchmark(user, query["benchmark"]))
    if query.get("submitter"):
        account = get_user_model().objects.filter(username=query["submitter"]).first()
        if account is None:
            raise InvalidInput(f"there is no account {query['submitter']!r}", pointer="?submitter")
        found = found.filter(submitter=account)
    return found.select_related("benchmark", "submitter").defer("predictions")


def evaluation_of(user: "Actor", evaluation_id: int) -> Evaluation:
    """Raises: NotFound, also for another's when the user may not view the lab."""
    found: Evaluation | None = evaluations_for(user, {}).filter(pk=evaluation_id).first()
    if found is None:
        raise NotFound(f"there is no evaluation {evaluation_id}")
    return found


def upload_of(user: "Actor", upload_id: int) -> Upload:
    """One's own upload, or anybody's for whoever may view the lab. Raises: NotFound."""
    rows = Upload.objects.select_related("benchmark", "submitter", "evaluation__benchmark", "evaluation__submitter")
    found = rows.defer("predictions", "evaluation__predictions").filter(pk=upload_id).first()
    if found is None or not (found.submitter_id == user.pk or can_view_lab(user)):
        raise NotFound(f"there is no upload {upload_id}")
    return found


def sees_exact(user: "Actor") -> bool:
    """Whether exact scores of uploads may be shown."""
    return can_see_exact_uploads(user)


def _ranks(experiments: Sequence[Experiment]) -> dict[int, int]:
    """Places among all ranked experiments of each one's benchmark and class, in the order of the list."""
    ids = [each.pk for each in experiments]
    ranks: dict[int, int] = {}
    with connection.cursor() as cursor:
        for benchmark, method_class in {(each.benchmark_id, each.method_class) for each in experiments}:
            cursor.execute(_RANKS, [benchmark, method_class, ExperimentState.SCORED, list(RANKED), ids])
            ranks |= dict(cursor.fetchall())
    return ranks


def _board_line(experiment: Experiment, rank: int | None, note: TransferNote | None, *, holdout: bool) -> BoardFacts:
    dev, sealed = experiment.dev_pgr, experiment.holdout_pgr if holdout else None
    return BoardFacts(
        rank=rank,
        experiment=experiment.pk,
        title=experiment.title,
        benchmark=experiment.benchmark.slug,
        method=experiment.method.name,
        method_class=experiment.method_class,
        submitter=experiment.submitter.get_username(),
        standing=experiment.standing,
        dev_pgr=dev,
        dev=dev_score(experiment),
        dev_over_vanilla=vanilla_difference(experiment.dev_score),
        holdout_pgr=sealed,
        holdout=holdout_score(experiment) if holdout else None,
        dev_above_holdout=dev - sealed if dev is not None and sealed is not None else None,
        transfer=note,
    )


def _reference_line(row: ReferenceResult) -> BoardFacts:
    se = row.pgr_se_total
    score = Score(value=row.pgr_mean, se=se, n_seeds=len(row.transfer_per_seed), reason="published without its answers")
    return BoardFacts(
        rank=None,
        experiment=None,
        title=row.title,
        benchmark=row.benchmark.slug,
        method=row.method,
        method_class=MethodClass.REFERENCE,
        submitter="",
        standing=None,
        dev_pgr=row.pgr_mean,
        dev=score,
        dev_over_vanilla=None,
        external=True,
        source=row.source,
        doubtful=row.doubtful,
    )


def _benchmark(user: "Actor", slug: str) -> Benchmark:
    rows = Benchmark.objects.visible_to(user)
    found: Benchmark | None = rows.filter(slug=slug).first()
    if found is None:
        known = ", ".join(rows.values_list("slug", flat=True))
        raise InvalidInput(f"{slug!r} is not one of: {known}", pointer="?benchmark")
    return found
