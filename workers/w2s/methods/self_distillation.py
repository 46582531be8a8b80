"""Born-again students: each generation learns what the one before believes about items it did not see."""

from typing import ClassVar

from pydantic import Field

from workers.w2s.methods import METHODS, WEAK_LABELS, LabelOptions, Method
from workers.w2s.problem import Context, Predictor
from workers.w2s.spec import Progress


class SelfDistillationOptions(LabelOptions):
    """Options of iterated self-distillation; `labels` is the form of every generation's targets."""

    rounds: int = Field(3, ge=1, le=10, description="How many generations relabel the training items.")


@METHODS.register("self-distillation")
class SelfDistillation(Method):
    """p_0 = weak labels, p_{k+1} = out-of-fold predictions of a student trained on p_k; the last trains the student."""

    name: ClassVar[str] = "self-distillation"
    title: ClassVar[str] = "Iterated self-distillation"
    summary: ClassVar[str] = "Relabel the training items by students trained on the others, several times."
    source: ClassVar[str] = (
        "Furlanello et al. 2018, arXiv:1805.04770; EleutherAI/w2s s2s_iters. Departs: targets are cross-fitted by "
        "question, so that no generation repeats what it memorised."
    )
    uses: ClassVar[frozenset[str]] = frozenset({WEAK_LABELS})
    Options: ClassVar[type[SelfDistillationOptions]] = SelfDistillationOptions

    def fit(self, context: Context, options: SelfDistillationOptions) -> Predictor:
        """Generations of relabelling, then the student."""
        targets = options.targets(context.weak_probs)
        for generation in range(options.rounds):
            context.report(Progress("generation", generation, options.rounds))
            believed = context.student.cross_fit(targets, context.weights, l2=options.l2)
            targets = options.targets(believed)
        return context.student.fit(targets, context.weights, l2=options.l2)
