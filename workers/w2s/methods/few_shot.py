"""Asks the strong model after showing it items with weak labels, and trains the student on its answers."""

from typing import ClassVar

import numpy as np
from pydantic import Field

from workers.w2s.methods import LIKELIHOOD, METHODS, WEAK_LABELS, Method, StudentOptions
from workers.w2s.problem import Context, Demonstration, Floats, Ints, Predictor
from workers.w2s.spec import Progress

_POOL = 4  # demonstrations are drawn from this many times as many of the surest items


class FewShotOptions(StudentOptions):
    """Options of few-shot elicitation."""

    shots: int = Field(8, ge=1, le=64, description="Demonstrations shown before every question.")
    rounds: int = Field(
        1, ge=1, le=4, description="Times to ask; from the second on, the model's own surest answers are shown."
    )
    balance: bool = Field(
        True, description="For claims: shift the log-odds so that half of the training items count as right."
    )


@METHODS.register("few-shot")
class FewShot(Method):
    """Labels y = 1[log-odds after demonstrations > 0]; slow: the model reads every training item once a seed."""

    name: ClassVar[str] = "few-shot"
    title: ClassVar[str] = "Few-shot elicitation"
    summary: ClassVar[str] = "Show the strong model weakly labelled items, ask it about all, train on its answers."
    source: ClassVar[str] = (
        "Wen et al. 2025, Unsupervised Elicitation, arXiv:2506.10139, few-shot. Departs: the first demonstrations are "
        "labelled by the weak teacher, not by the model; a fixed number of shots instead of 0, 2, 4, 16."
    )
    uses: ClassVar[frozenset[str]] = frozenset({WEAK_LABELS, LIKELIHOOD})
    Options: ClassVar[type[FewShotOptions]] = FewShotOptions

    def fit(self, context: Context, options: FewShotOptions) -> Predictor:
        """Ask, seed by seed, about the items it may learn from; then the answers into the student."""
        if context.elicit is None:
            raise ValueError("this method needs to ask the strong model; the context has no elicit")
        answers = np.zeros_like(context.weights)
        total = len(context.seeds) * options.rounds
        for row, generator in enumerate(context.generators()):
            probs, allowed = context.weak_probs[row], np.flatnonzero(context.weights[row] > 0)
            asked = [context.items[i] for i in allowed]
            for turn in range(options.rounds):
                context.report(Progress("asking after demonstrations", row * options.rounds + turn, total))
                shown = demonstrations(context, probs, allowed, options.shots, generator)
                log_odds = context.elicit(asked, shown)
                if options.balance and context.kind == "claim":
                    log_odds = log_odds - np.median(log_odds)
                answers[row, allowed] = log_odds
                probs = np.asarray(0.5 * (1 + np.tanh(0.5 * answers[row])), dtype=np.float32)
        return context.student.fit((answers > 0).astype(np.float32), context.weights, l2=options.l2)


def demonstrations(
    context: Context, probs: Floats, allowed: Ints, shots: int, generator: np.random.Generator
) -> list[Demonstration]:
    """`shots` of the surest allowed items with their labels, of different questions, in random order.

    probs: (N,) P(label 1). Of claims, as many right as wrong ones where there are. Fewer if questions run out.
    """
    labels = probs > 0.5
    surest = allowed[np.argsort(-np.abs(probs[allowed] - 0.5), kind="stable")]
    _, first = np.unique(context.groups[surest], return_index=True)
    surest = surest[np.sort(first)]
    if context.kind == "claim":
        right, wrong = surest[labels[surest]], surest[~labels[surest]]
        half = min(shots - shots // 2, len(right))
        parts = [(right, half), (wrong, shots - half)]
    else:
        parts = [(surest, shots)]
    drawn = [generator.permutation(pool[: _POOL * many])[:many] for pool, many in parts]
    order = generator.permutation(np.concatenate(drawn))
    return [(context.items[i], int(labels[i])) for i in order]
