"""The soft form of the auxiliary confidence loss: the student's own probabilities take pressure off the weak labels."""

from typing import ClassVar

from pydantic import Field

from workers.w2s.methods import METHODS, WEAK_LABELS, LabelOptions, Method
from workers.w2s.objectives import Entropy
from workers.w2s.problem import Context, Predictor


class EntropyOptions(LabelOptions):
    """Options of the entropy loss."""

    weight: float = Field(0.5, ge=0, lt=1, description="Share of the student's own probability in its target.")
    ramp: float = Field(0.2, ge=0, le=1, description="Share of training over which that weight grows from 0.")


@METHODS.register("entropy")
class EntropyMethod(Method):
    """CE((1−c)p + c·f, f) with f's copy held constant."""

    name: ClassVar[str] = "entropy"
    title: ClassVar[str] = "Entropy loss"
    summary: ClassVar[str] = "Train on weak labels mixed with the student's own probabilities."
    source: ClassVar[str] = (
        "EleutherAI/w2s log_confidence_loss with harden=False, weight .5. "
        "Departs: the weight grows over a share of training, not over 100 steps."
    )
    uses: ClassVar[frozenset[str]] = frozenset({WEAK_LABELS})
    Options: ClassVar[type[EntropyOptions]] = EntropyOptions

    def fit(self, context: Context, options: EntropyOptions) -> Predictor:
        """Weak labels into the student, with an objective that moves its target."""
        return context.student.fit(
            options.targets(context.weak_probs),
            context.weights,
            objective=Entropy(options.weight, options.ramp),
            l2=options.l2,
        )
