"""A low-rank student: it sees only the directions in which the training items differ most."""

from typing import ClassVar

import numpy as np
from pydantic import Field

from workers.w2s.heads import ProbeStudent
from workers.w2s.methods import HIDDEN_STATES, METHODS, WEAK_LABELS, LabelOptions, Method
from workers.w2s.problem import Context, Floats, Inputs, Predictor


class PcaOptions(LabelOptions):
    """Options of the low-rank student."""

    rank: int = Field(8, ge=1, le=512, description="How many principal components the student sees.")


@METHODS.register("pca")
class Pca(Method):
    """A head on the first principal components of the strong model's features."""

    name: ClassVar[str] = "pca"
    title: ClassVar[str] = "Low-rank student (PCA)"
    summary: ClassVar[str] = "Train a head on the first principal components of the hidden states."
    source: ClassVar[str] = (
        "Low-rank probing as a simplicity bias; components without labels, as in CRC-TPC, Burns et al. 2022, "
        "arXiv:2212.03827. Departs: several components and a logistic head on them instead of the sign of the first. "
        "Pairs are differences already and are not centred, so the student stays antisymmetric."
    )
    uses: ClassVar[frozenset[str]] = frozenset({WEAK_LABELS, HIDDEN_STATES})
    Options: ClassVar[type[PcaOptions]] = PcaOptions

    def fit(self, context: Context, options: PcaOptions) -> Predictor:
        """Principal components of all training items, then a head on them, whatever student the benchmark has."""
        centre = _centre(context)
        axes = principal_axes(context.features - centre, options.rank)
        axes /= np.sqrt(np.mean(((context.features - centre) @ axes) ** 2))  # unit RMS, as penalties expect

        def components(inputs: Inputs) -> Floats:
            return np.asarray((inputs.features - centre) @ axes, dtype=np.float32)

        student = ProbeStudent(context, components)
        predictor = student.fit(options.targets(context.weak_probs), context.weights, l2=options.l2)
        context.student.diary.curves.extend(student.diary.curves)
        return predictor


def principal_axes(features: Floats, rank: int) -> Floats:
    """(d, r) orthonormal axes of (N, d) features, largest second moment first; r = min(rank, d)."""
    _, axes = np.linalg.eigh(features.T.astype(np.float64) @ features.astype(np.float64))
    return np.ascontiguousarray(axes[:, ::-1][:, :rank], dtype=np.float32)


def _centre(inputs: Inputs) -> Floats:
    """(d,) what is subtracted before projecting: the mean for claims, nothing for pairs."""
    mean = inputs.features.mean(axis=0, dtype=np.float64).astype(np.float32)
    return mean if inputs.kind == "claim" else np.zeros_like(mean)
