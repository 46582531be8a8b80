"""Every method's best counted score on one benchmark."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from experiments.charts import CHARTS
from experiments.charts._chart import Chart, Figure
from experiments.charts._forest import forest
from experiments.charts._score_marks import score_marks
from experiments.models import Experiment
from experiments.selectors.api_benchmarks import benchmark_of
from experiments.selectors.figures import ScoreRow, best_per, score_rows

if TYPE_CHECKING:
    from experiments.permissions import Actor


@CHARTS.register("benchmark-methods")
class BenchmarkMethods(Chart[ScoreRow]):
    """Source: own; intervals as in metrics.py."""

    title = "Methods on this benchmark"
    summary = (
        "The best experiment by dev PGR of each method, policy-gray ones included, with 95% intervals. "
        "The best of several is optimistic on dev; the holdout was not chosen by."
    )
    row = ScoreRow
    empty = "No method has a score on this benchmark yet."

    def rows(self, user: "Actor", params: Mapping[str, str]) -> Sequence[ScoreRow]:
        """params: benchmark (slug)."""
        benchmark = benchmark_of(user, params.get("benchmark", ""))
        own = Experiment.objects.visible_to(user).filter(benchmark=benchmark)
        return score_rows(user, best_per(own, "method"), label="method")

    def draw(self, rows: Sequence[ScoreRow]) -> Figure:
        """A line per method, best first; a series per split."""
        return forest(score_marks(rows))
