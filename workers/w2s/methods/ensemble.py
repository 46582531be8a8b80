"""Many weak teachers instead of one: their average is the label."""

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from workers.w2s.methods import METHODS, TEACHER_ENSEMBLE, WEAK_LABELS, LabelOptions, Method, hardened
from workers.w2s.problem import Context, Predictor


class EnsembleOptions(LabelOptions):
    """Options of the ensemble."""

    combine: Literal["mean", "vote"] = Field(
        "mean", description="Average the teachers' probabilities (mean) or their hard labels (vote)."
    )


@METHODS.register("ensemble")
class Ensemble(Method):
    """CE(mean over teachers, f)."""

    name: ClassVar[str] = "ensemble"
    title: ClassVar[str] = "Ensemble of teachers"
    summary: ClassVar[str] = "Train on the average of all weak teachers."
    source: ClassVar[str] = (
        "EnsemW2S, Agrawal et al. 2024, arXiv:2410.04571. Departs: plain averaging, no boosting weights, "
        "which need ground truth."
    )
    uses: ClassVar[frozenset[str]] = frozenset({WEAK_LABELS, TEACHER_ENSEMBLE})
    Options: ClassVar[type[EnsembleOptions]] = EnsembleOptions

    def fit(self, context: Context, options: EnsembleOptions) -> Predictor:
        """The teachers' average into the student; every seed gets the same labels and its own draw of questions."""
        if context.teacher_probs is None:
            raise ValueError("the ensemble needs teacher_probs; the context has none")
        votes = hardened(context.teacher_probs) if options.combine == "vote" else context.teacher_probs
        mean = votes.mean(axis=0, dtype=np.float64).astype(np.float32)
        targets = options.targets(np.broadcast_to(mean, context.weights.shape))
        return context.student.fit(np.ascontiguousarray(targets), context.weights, l2=options.l2)
