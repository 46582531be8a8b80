"""Score rows as forest marks: shared by every figure of PGRs with intervals."""

from collections.abc import Sequence

from experiments.charts._forest import Mark
from experiments.selectors.figures import ScoreRow


def score_marks(rows: Sequence[ScoreRow]) -> list[Mark]:
    """One mark per row; a line that stands for two experiments keeps them apart by its note."""
    return [
        Mark(
            row.label,
            row.split,
            row.pgr,
            row.low,
            row.high,
            f"#{row.experiment} {row.method}, {row.seeds} seeds, n = {row.items}",
        )
        for row in rows
    ]
