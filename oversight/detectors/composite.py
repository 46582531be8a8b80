"""Finds an upload that was put together from earlier ones in proportion to how they scored."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from pydantic import Field

from oversight.detectors import DETECTORS, Cost, Options, Rates, SessionDetector, Suspicion
from oversight.detectors._statistics import upper_tail
from oversight.detectors.random_vectors import RANDOM_Z, is_constant, likeness
from oversight.facts import Bits, Floats, SessionFacts, Upload


class CompositeOptions(Options):
    """Thresholds of the composite test."""

    p: float = Field(0.001, gt=0, lt=1, description="p-value below which the weights followed the scores.")
    permutations: int = Field(10_000, ge=999, description="Of the scores over the earlier uploads.")
    random_z: float = Field(RANDOM_Z, gt=0, description="What counts as a random ancestor.")
    fewest: int = Field(6, ge=3, description="Earlier uploads that are needed.")
    window: int = Field(100, ge=10, description="Earlier uploads that are looked at, newest first.")


@DETECTORS.register("composite")
class Composite(SessionDetector):
    """Corr over items of x with S = Σ (a_q − ā)(2x_q − 1), with U = Σ (2x_q − 1) and the labels partialled out.

    An honest x correlates with S, too, because both correlate with the labels y; given y they are independent. No label
    is needed to take y out: its products with x, S and U follow from the accuracies. Only random ancestors count:
    an earlier seed of the same honest method would resemble x beyond the labels. Weights a_q: what was told, where
    that varies, and the exact accuracy; the smaller p-value is doubled. A permutation of a_q must agree.
    Source: Blum and Hardt 2015 (boosting). Departs: the partial correlation given y, without which one honest answer in
    twenty after random vectors looks like a composite. Classes are taken as balanced.
    """

    name: ClassVar[str] = "composite"
    title: ClassVar[str] = "Composite of earlier uploads (correlation)"
    summary: ClassVar[str] = "An upload that is a score-weighted vote of earlier ones, random vectors among them."
    source: ClassVar[str] = "Blum and Hardt 2015, arXiv:1502.04585 (the boosting attack, second half)."
    cost: ClassVar[Cost] = Cost.SCORED
    rates: ClassVar[Rates] = Rates(
        "At most .001 by construction, and it only speaks where ancestors were random vectors.",
        ".91 with 10 random ancestors, 1.0 with 20 or more.",
        "Composites whose ancestors all look like honest answers.",
    )
    Options: ClassVar[type[CompositeOptions]] = CompositeOptions
    options: CompositeOptions

    def look(self, facts: SessionFacts) -> list[Suspicion]:
        """Tests each upload that resembles a student against what came before it."""
        found = []
        kinds = [self._kind(each) for each in facts.uploads]  # once: each is looked at beside a hundred others
        for q, upload in enumerate(facts.uploads):
            before = range(max(0, q - self.options.window), q)
            random = [facts.uploads[each] for each in before if kinds[each] == "random"]
            if len(random) < self.options.fewest or kinds[q] != "answer":
                continue
            correlation, p = self._test(random, upload)
            if p < self.options.p:
                found.append(_suspicion(upload, random, correlation, p, self.options.p))
        return found

    def _kind(self, upload: Upload) -> str:
        if is_constant(upload):
            return "constant"
        return "random" if likeness(upload) < self.options.random_z else "answer"

    def _test(self, before: Sequence[Upload], upload: Upload) -> tuple[float, float]:
        """Partial correlation and p-value: the larger of the normal's and the permutation's."""
        bits = np.stack([each.bits for each in before])
        accuracies = np.array([each.accuracy for each in before])
        weights = [accuracies]
        told = np.array([each.told if each.told is not None else 0.0 for each in before])
        if np.ptp(told) > 0:
            weights.append(told)
        tested = [partial_test(bits, weight, accuracies, upload.bits, upload.accuracy) for weight in weights]
        best = min(range(len(tested)), key=lambda which: tested[which][1])
        correlation, p = tested[best]
        if p * len(tested) < self.options.p:
            rng = np.random.default_rng(upload.upload)
            p = max(p, permutation_test(bits, weights[best], upload.bits, self.options.permutations, rng))
        return correlation, min(1.0, p * len(tested))


def partial_test(bits: Bits, weights: Floats, accuracies: Floats, vector: Bits, accuracy: float) -> tuple[float, float]:
    """Partial correlation of a vector with the weighted sum of earlier ones given labels and plain sum; one-sided p.

    bits: (uploads, items). weights, accuracies: (uploads,). vector: (items,), accuracy: its own.
    """
    items = bits.shape[1]
    signs = np.where(bits, 1.0, -1.0)
    w = weights - weights.mean()
    rows = np.stack([w @ signs, np.where(vector, 1.0, -1.0), signs.sum(0)])
    with_labels = items * np.array([w @ (2 * accuracies - 1), 2 * accuracy - 1, (2 * accuracies - 1).sum()])
    rows -= rows.mean(axis=1, keepdims=True)
    gram = np.empty((4, 4))
    gram[:3, :3], gram[3, :3], gram[:3, 3], gram[3, 3] = rows @ rows.T, with_labels, with_labels, items
    precision = np.linalg.pinv(gram / np.sqrt(np.outer(gram.diagonal(), gram.diagonal())))
    correlation = float(-precision[0, 1] / np.sqrt(precision[0, 0] * precision[1, 1]))
    if not -1 < correlation < 1:
        return correlation, 1.0
    return correlation, upper_tail(float(np.arctanh(correlation)) * np.sqrt(items - 5))


def permutation_test(bits: Bits, scores: Floats, vector: Bits, permutations: int, rng: np.random.Generator) -> float:
    """One-sided p-value of the correlation of a vector with the score-weighted sum, plain sum taken out.

    bits: (uploads, items). scores: (uploads,). vector: (items,).
    """
    signs = np.where(bits, 1.0, -1.0)
    plain = signs.sum(0) - signs.sum(0).mean()
    target = _without(np.where(vector, 1.0, -1.0), plain)
    order = rng.permuted(np.tile(np.arange(len(scores)), (permutations, 1)), axis=1)
    weights = np.vstack([scores, scores[order]]) - scores.mean()
    rows = np.stack([_without(row, plain) for row in signs])
    norms = np.sqrt(np.maximum((weights @ (rows @ rows.T) * weights).sum(1), 1e-12))
    values = (weights @ (rows @ target)) / norms
    return (1 + int((values[1:] >= values[0] - 1e-12).sum())) / (permutations + 1)


def _without(row: Floats, plain: Floats) -> Floats:
    """The row, centred, without its part along `plain`."""
    centred = row - row.mean()
    size = float(plain @ plain)
    return np.asarray(centred - plain * ((centred @ plain) / size) if size > 0 else centred)


def _suspicion(upload: Upload, random: Sequence[Upload], correlation: float, p: float, threshold: float) -> Suspicion:
    return Suspicion(
        level="hold",
        title="An upload put together from earlier ones in proportion to their scores",
        statistic=correlation,
        threshold=threshold,
        p_value=p,
        sentences=(
            f"Weighted by their scores, the earlier uploads correlate with this one at {correlation:.2f} beyond what "
            f"both owe to the labels; by chance that happens with probability {p:.2g}.",
            f"{len(random)} of those uploads were random vectors, which nobody combines but to read labels.",
        ),
        blames=(("upload", upload.upload),),
        links=(("upload", upload.upload), *(("upload", each.upload) for each in random)),
    )
