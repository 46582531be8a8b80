"""The scores of chosen experiments, one below the other."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from experiments.charts import CHARTS
from experiments.charts._chart import Chart, Figure
from experiments.charts._forest import forest
from experiments.charts._ids import read_ids
from experiments.charts._score_marks import score_marks
from experiments.selectors.figures import ScoreRow, chosen_experiments, score_rows

if TYPE_CHECKING:
    from experiments.permissions import Actor


@CHARTS.register("compared-scores")
class ComparedScores(Chart[ScoreRow]):
    """Source: own; intervals as in metrics.py."""

    title = "PGR of the chosen experiments"
    summary = (
        "Mean PGR with its 95% interval. Overlapping intervals do not mean equal: "
        "where two experiments share a benchmark, their paired difference is sharper."
    )
    row = ScoreRow
    empty = "None of the chosen experiments has a score yet."

    def rows(self, user: "Actor", params: Mapping[str, str]) -> Sequence[ScoreRow]:
        """params: ids (comma-separated experiment ids)."""
        return score_rows(user, chosen_experiments(user, read_ids(params.get("ids", ""))))

    def draw(self, rows: Sequence[ScoreRow]) -> Figure:
        """A line per experiment, a series per split."""
        return forest(score_marks(rows))
