"""One method's best counted score on each benchmark: does it travel?"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from experiments.charts import CHARTS
from experiments.charts._chart import Chart, Figure
from experiments.charts._forest import forest
from experiments.charts._score_marks import score_marks
from experiments.models import Experiment
from experiments.selectors.figures import ScoreRow, best_per, score_rows

if TYPE_CHECKING:
    from experiments.permissions import Actor


@CHARTS.register("method-benchmarks")
class MethodBenchmarks(Chart[ScoreRow]):
    """Source: own; intervals as in metrics.py."""

    title = "This method on every benchmark"
    summary = (
        "Its best experiment by dev PGR on each benchmark, with 95% intervals: what wins on one may fail on the next."
    )
    row = ScoreRow
    empty = "This method has no counted score yet."

    def rows(self, user: "Actor", params: Mapping[str, str]) -> Sequence[ScoreRow]:
        """params: method (name)."""
        own = Experiment.objects.visible_to(user).filter(method__name=params.get("method", ""))
        return score_rows(user, best_per(own, "benchmark"), label="benchmark")

    def draw(self, rows: Sequence[ScoreRow]) -> Figure:
        """A line per benchmark, best first; a series per split."""
        return forest(score_marks(rows))
