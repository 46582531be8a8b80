"""Training objectives as gradients with respect to the student's logit, for probes and networks alike.

Every objective here treats its own target as a constant (a stopped gradient), so a gradient is all there is to it.
"""

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

_EPS = 1e-6  # keeps logits of probabilities finite in float32


class Objective(Protocol):
    """What a student minimises, told as its gradient. All tensors are (B, K): B items, K students."""

    @property
    def convex(self) -> bool:
        """Whether it is the cross-entropy to fixed targets, so that a solver may run to the optimum."""
        ...

    def gradient(self, logits: Tensor, targets: Tensor, weights: Tensor, progress: float) -> Tensor:
        """Derivative of each item's loss by its logit, (B, K), before weighting.

        targets: in [0, 1]. weights: >= 0, for statistics over the batch only. progress: in [0, 1] of training.
        """
        ...


@dataclass(frozen=True, slots=True)
class CrossEntropy:
    """CE(p, f): the student f follows the targets p."""

    convex: bool = True

    def gradient(self, logits: Tensor, targets: Tensor, weights: Tensor, progress: float) -> Tensor:
        """f − p."""
        return torch.sigmoid(logits) - targets


CROSS_ENTROPY = CrossEntropy()


@dataclass(frozen=True, slots=True)
class LogConfidence:
    """CE((1−c)p + c·1[f ≥ t], f): follow the weak labels and the student's own hardened guess.

    weight: c at full strength. ramp: share of training over which c grows linearly from 0.
    t is the quantile of f over the batch at which as many items lie above as the targets call positive.
    Source: Burns et al. 2023, arXiv:2312.09390, appendix A.4. Departs: t counts items by their weight; the
    ramp is continuous, where the released code grows to a tenth of c and then jumps to all of it.
    """

    weight: float = 0.5
    ramp: float = 0.2
    convex: bool = False

    def gradient(self, logits: Tensor, targets: Tensor, weights: Tensor, progress: float) -> Tensor:
        """f − ((1−c)p + c·1[f ≥ t])."""
        c = ramped(self.weight, self.ramp, progress)
        own = (logits >= balance_threshold(logits, targets, weights)).to(logits.dtype)
        return torch.sigmoid(logits) - torch.lerp(targets, own, c)


@dataclass(frozen=True, slots=True)
class Entropy:
    """CE((1−c)p + c·f, f), f's copy stopped: the soft form of LogConfidence, after EleutherAI/w2s.

    Its gradient is (1−c)(f − p): the self-target takes pressure off the weak labels but adds none.
    """

    weight: float = 0.5
    ramp: float = 0.2
    convex: bool = False

    def gradient(self, logits: Tensor, targets: Tensor, weights: Tensor, progress: float) -> Tensor:
        """(1−c)(f − p)."""
        return (1 - ramped(self.weight, self.ramp, progress)) * (torch.sigmoid(logits) - targets)


@dataclass(frozen=True, slots=True)
class Product:
    """CE(norm(f^b p^a), f): the target is where teacher and student agree, as a product of experts.

    Source: openai/weak-to-strong, product_loss_fn, with a = b = 1. Departs: b ramps from 0 like logconf's c,
    because at b = 1 the untrained student would already vote.
    """

    weak_power: float = 1.0
    own_power: float = 1.0
    ramp: float = 0.2
    convex: bool = False

    def gradient(self, logits: Tensor, targets: Tensor, weights: Tensor, progress: float) -> Tensor:
        """f − sigmoid(a·logit p + b·logit f)."""
        own = ramped(self.own_power, self.ramp, progress) * logits
        return torch.sigmoid(logits) - torch.sigmoid(self.weak_power * safe_logit(targets) + own)


@dataclass(frozen=True, slots=True)
class ReverseKL:
    """KL(f || p): mode-seeking; a student that is sure pays for ignoring the teacher, not the reverse.

    Source: Yao et al. 2025, arXiv:2502.11107. Departs: logit p is clipped to ±`clip`, or hard labels would
    make the loss infinite.
    """

    clip: float = 4.0
    convex: bool = False

    def gradient(self, logits: Tensor, targets: Tensor, weights: Tensor, progress: float) -> Tensor:
        """f(1−f)(logit f − logit p)."""
        f = torch.sigmoid(logits)
        return f * (1 - f) * (logits - safe_logit(targets).clamp(-self.clip, self.clip))


@dataclass(frozen=True, slots=True)
class ConfidenceWindow:
    """CE(p, f) only where max(f, 1−f) < .5 + radius: what the student is sure of is left alone.

    radius: None takes the weighted median of |p − .5| ("midweak").
    Source: EleutherAI/w2s, confidence_window_loss, radius .15.
    """

    radius: float | None = 0.15
    convex: bool = False

    def gradient(self, logits: Tensor, targets: Tensor, weights: Tensor, progress: float) -> Tensor:
        """(f − p)·1[|f − .5| < radius]."""
        f = torch.sigmoid(logits)
        radius = weighted_median((targets - 0.5).abs(), weights) if self.radius is None else self.radius
        return (f - targets) * ((f - 0.5).abs() < radius)


def ramped(weight: float, ramp: float, progress: float) -> float:
    """`weight`, grown linearly from 0 over the first `ramp` of training."""
    return weight if ramp <= 0 else weight * min(1.0, progress / ramp)


def safe_logit(probs: Tensor) -> Tensor:
    """Log-odds with probabilities kept off 0 and 1."""
    return torch.logit(probs, eps=_EPS)


def balance_threshold(logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """(1, K) logit at or above which lies the share of weight that the targets, cut at .5, call positive.

    Infinite where the targets have no positive item, so that nothing passes.
    """
    share = (weights * (targets > 0.5)).sum(0) / weights.sum(0).clamp_min(_EPS)  # (K,)
    ordered, order = logits.sort(dim=0, descending=True)
    mass = torch.gather(weights, 0, order).cumsum(0) / weights.sum(0).clamp_min(_EPS)
    inside = (mass <= share + _EPS).sum(0, keepdim=True)  # items above the threshold, (1, K)
    threshold = torch.gather(ordered, 0, (inside - 1).clamp_min(0))
    return torch.where(inside > 0, threshold, torch.full_like(threshold, math.inf))


def weighted_median(values: Tensor, weights: Tensor) -> Tensor:
    """(1, K) lower weighted median of each column."""
    ordered, order = values.sort(dim=0)
    mass = torch.gather(weights, 0, order).cumsum(0)
    index = (mass < 0.5 * weights.sum(0)).sum(0, keepdim=True)
    return torch.gather(ordered, 0, index.clamp_max(len(values) - 1))
