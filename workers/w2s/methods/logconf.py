"""The auxiliary confidence loss: the student may trust its own guess over the teacher's."""

from typing import ClassVar

from pydantic import Field

from workers.w2s.methods import METHODS, WEAK_LABELS, LabelOptions, Method
from workers.w2s.objectives import LogConfidence
from workers.w2s.problem import Context, Predictor


class LogconfOptions(LabelOptions):
    """Options of the auxiliary confidence loss."""

    weight: float = Field(0.5, ge=0, le=1, description="Share of the student's own hardened guess in its target.")
    ramp: float = Field(0.2, ge=0, le=1, description="Share of training over which that weight grows from 0.")


@METHODS.register("logconf")
class Logconf(Method):
    """CE((1−c)p + c·1[f ≥ t], f), t the batch quantile that matches the weak labels' balance."""

    name: ClassVar[str] = "logconf"
    title: ClassVar[str] = "Auxiliary confidence loss"
    summary: ClassVar[str] = "Train on weak labels mixed with the student's own hardened guess."
    source: ClassVar[str] = (
        "Burns et al. 2023, arXiv:2312.09390, appendix A.4; openai/weak-to-strong logconf_loss_fn. "
        "Departs: the weight grows linearly over 20% of training, where the released code grows to a tenth of it and "
        "then jumps; a head takes the quantile over all its items, a fine-tuned student over its batch."
    )
    uses: ClassVar[frozenset[str]] = frozenset({WEAK_LABELS})
    Options: ClassVar[type[LogconfOptions]] = LogconfOptions

    def fit(self, context: Context, options: LogconfOptions) -> Predictor:
        """Weak labels into the student, with an objective that moves its target."""
        return context.student.fit(
            options.targets(context.weak_probs),
            context.weights,
            objective=LogConfidence(options.weight, options.ramp),
            l2=options.l2,
        )
