"""The top of one class on one benchmark, dev beside holdout."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from experiments.charts import CHARTS
from experiments.charts._chart import Chart, Figure
from experiments.charts._forest import forest
from experiments.charts._score_marks import score_marks
from experiments.selectors.figures import ScoreRow, score_rows
from experiments.selectors.leaderboard_page import board_experiments

if TYPE_CHECKING:
    from experiments.permissions import Actor

TOP = 15


@CHARTS.register("leaderboard")
class Leaderboard(Chart[ScoreRow]):
    """Source: own; intervals as in metrics.py."""

    title = "Top of the board"
    summary = f"The {TOP} best experiments by dev PGR with 95% intervals; where you may see it, the holdout below each."
    row = ScoreRow
    empty = "Nothing is ranked here yet."

    def rows(self, user: "Actor", params: Mapping[str, str]) -> Sequence[ScoreRow]:
        """params: benchmark (slug), class (a method class)."""
        ranked = board_experiments(user, params.get("benchmark", ""), params.get("class", ""), standing="")
        return score_rows(user, ranked.filter(dev_pgr__isnull=False)[:TOP])

    def draw(self, rows: Sequence[ScoreRow]) -> Figure:
        """A line per experiment in the order of the board; a series per split."""
        return forest(score_marks(rows))
