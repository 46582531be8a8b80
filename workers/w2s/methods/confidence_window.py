"""Confidence window: weak labels train the student only where it is still undecided."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from workers.w2s.methods import METHODS, WEAK_LABELS, LabelOptions, Method
from workers.w2s.objectives import ConfidenceWindow
from workers.w2s.problem import Context, Predictor


class ConfidenceWindowOptions(LabelOptions):
    """Options of the confidence window."""

    radius: Annotated[float, Field(gt=0, le=0.5)] | Literal["midweak"] = Field(
        0.15, description="How far from one half the student may be and still learn; midweak: the median of |p − .5|."
    )


@METHODS.register("confidence-window")
class ConfidenceWindowMethod(Method):
    """CE(p, f) only where |f − .5| < radius."""

    name: ClassVar[str] = "confidence-window"
    title: ClassVar[str] = "Confidence window"
    summary: ClassVar[str] = "Train on weak labels only where the student itself is unsure."
    source: ClassVar[str] = "EleutherAI/w2s confidence_window_loss, radius .15 or midweak."
    uses: ClassVar[frozenset[str]] = frozenset({WEAK_LABELS})
    Options: ClassVar[type[ConfidenceWindowOptions]] = ConfidenceWindowOptions

    def fit(self, context: Context, options: ConfidenceWindowOptions) -> Predictor:
        """Weak labels into the student, gradients outside the window cut off."""
        objective = ConfidenceWindow(None if options.radius == "midweak" else options.radius)
        targets = options.targets(context.weak_probs)
        return context.student.fit(targets, context.weights, objective=objective, l2=options.l2)
