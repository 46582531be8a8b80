"""Logistic heads on fixed features: every seed, penalty and fold is one column of a single solve.

All columns share the (N, d) features, so an iteration is two matrix products for all of them, whatever their
number. The features are rotated once into their own principal axes, where the Hessian is nearly diagonal: with the
diagonal of its bound (Böhning 1992) as preconditioner, conjugate gradients need 5 to 20 iterations, more where a
column weighs few of the items.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from workers.w2s.objectives import CROSS_ENTROPY, Objective
from workers.w2s.problem import Curve, Diary, Floats, Inputs, Ints, Penalty, Predictor

# Penalties that cross-validation chooses from, strong to weak because each warm-starts the next; for the mean
# loss and features of unit RMS. Half-decade steps: coarser ones move PGR by more than the choice of method.
L2_GRID = (100.0, 30.0, 10.0, 3.0, 1.0, 0.3, 0.1, 0.03, 0.01, 0.003)
PATIENCE = 2  # weaker penalties that may disappoint a seed before it is taken to be past its best
FOLDS = 5
STEPS = 100  # of an objective that moves its own target: the contraction is about .85 a step, so 1e-7 remains
TOLERANCE = 3e-6  # preconditioned gradient norm, per item: probabilities are then right to 1e-4
CV_TOLERANCE = 1e-4  # enough to rank penalties: probabilities to about 1e-3
LEAVE = 0.9  # share of the columns still at work at which the solved ones leave: the copies cost as much as a product
MAX_ITERATIONS = 1000  # a tenth of the items at the weakest penalty takes 300
# Multiplications of one product that are worth a thread. Small products wait for each other's threads longer than they
# compute; on two busy cores twenty seeds took 2 s on one thread and 10 to 40 s on two.
_PER_THREAD = 1 << 28
_TINY = torch.finfo(torch.float32).tiny  # a column that stands exactly still divides by this instead of 0


class NotConverged(RuntimeError):
    """The solver ran out of iterations; features or weights are degenerate."""


@dataclass(frozen=True, eq=False)
class Basis:
    """Features in their principal axes. N items, r ≤ min(N, d) axes.

    rotated: (N, r) scores. axes: (d, r). spectrum: (r,) squared singular values, > 0.
    """

    rotated: Tensor
    axes: Tensor
    spectrum: Tensor

    @cached_property
    def squares(self) -> Tensor:
        """(N, r) squared scores."""
        return self.rotated**2

    @classmethod
    def of(cls, features: Tensor) -> "Basis":
        """Rotate (N, d) float32 features; axes without any variance, which no fit can use, are dropped."""
        spectrum, axes = torch.linalg.eigh(features.T.double() @ features.double())
        keep = spectrum > spectrum[-1].clamp_min(0) * len(spectrum) * torch.finfo(torch.float32).eps ** 2
        axes = axes[:, keep].float().contiguous()
        return cls((features @ axes).contiguous(), axes, spectrum[keep].float())


def solve(
    basis: Basis, targets: Tensor, weights: Tensor, l2: Tensor, *, start: Tensor | None = None, tolerance: float
) -> tuple[Tensor, Tensor]:
    """Minimise Σ w CE(targets, sigmoid(F a)) / Σ w + l2/2 |a|² for K columns at once.

    targets in [0, 1], weights ≥ 0: (N, K). l2: (K,) > 0. start: (r, K) first guess.
    Returns: coefficients (r, K), logits (N, K). Raises: NotConverged.
    Method: preconditioned Polak–Ribière conjugate gradients; the step is exact for the local curvature, and a
    column whose slope along its direction grew falls back to the bound's own step, which cannot overshoot.
    A column's answer is taken when it has converged itself: a seed must not score otherwise in other company.
    """
    total = weights.sum(0)  # (K,)
    # One row a column of the problem, (K, N) and (K, r): thin products run faster so, and rows leave cheaply.
    share, y, l2 = (weights / total).T.contiguous(), targets.T.contiguous(), l2[:, None]
    bound = basis.spectrum * (share.amax(1, keepdim=True) / 4) + l2  # of a diagonal matrix above the Hessian
    diagonal = (share / 4) @ basis.squares + l2  # of a matrix above the Hessian: tighter, but no bound itself
    forward, backward = basis.rotated.T, basis.rotated
    point = torch.zeros(len(total), len(basis.spectrum)) if start is None else start.T.contiguous()
    logits = point @ forward
    direction = scaled = torch.zeros_like(point)
    slope, size = torch.zeros_like(total), torch.ones_like(total)
    solved, scores = torch.empty_like(point), torch.empty_like(logits)
    at_work = torch.arange(len(total))  # rows that have not left; everything but `solved` and `scores` holds these
    going = torch.ones(len(total), dtype=torch.bool)  # of those, the ones that are not solved yet
    for _ in range(MAX_ITERATIONS):
        probs = torch.sigmoid(logits)
        gradient = (share * (probs - y)) @ backward + l2 * point
        overshot = (gradient * direction).sum(1) > slope.abs()
        previous, scaled = scaled, gradient / diagonal
        norm = (gradient * scaled).sum(1)
        arrived = going & (norm < tolerance**2)  # not a number is not solved
        if arrived.any():
            solved[at_work[arrived]], scores[at_work[arrived]] = point[arrived], logits[arrived]
            going = going & ~arrived
        if going.sum() <= LEAVE * len(going):
            if not going.any():
                return solved.T.contiguous(), scores.T.contiguous()
            at_work, share, y, l2, bound, diagonal = (x[going] for x in (at_work, share, y, l2, bound, diagonal))
            point, logits, probs, gradient = (x[going] for x in (point, logits, probs, gradient))
            direction, previous, scaled = (x[going] for x in (direction, previous, scaled))
            overshot, slope, norm, size = (x[going] for x in (overshot, slope, norm, size))
            going = going[going]
        momentum = ((norm - (gradient * previous).sum(1)) / size.clamp_min(_TINY)).clamp_min(0)
        direction = momentum[:, None] * direction - scaled
        astray = overshot | ((gradient * direction).sum(1) >= 0)
        direction = torch.where(astray[:, None], -gradient / bound, direction)
        slope, size = (gradient * direction).sum(1), norm
        change = direction @ forward
        curvature = (share * probs * (1 - probs) * change**2).sum(1) + l2[:, 0] * (direction**2).sum(1)
        step = torch.where(astray, 1.0, -slope / curvature.clamp_min(_TINY))[:, None]
        point = point + step * direction
        logits = logits + step * change
    raise NotConverged(f"{int(going.sum())} of {len(total)} heads after {MAX_ITERATIONS} iterations")


def follow(basis: Basis, targets: Tensor, weights: Tensor, l2: Tensor, objective: Objective) -> Tensor:
    """Coefficients (r, K) after STEPS full-batch steps on an objective that may move its own target.

    Each step is the bound's own, so it needs no step size; `progress` for ramps is step / STEPS.
    """
    share = weights / weights.sum(0)
    bound = basis.spectrum[:, None] * (share.amax(0) / 4) + l2
    point = torch.zeros(len(basis.spectrum), targets.shape[1])
    for step in range(STEPS):
        residual = objective.gradient(basis.rotated @ point, targets, weights, step / STEPS)
        point = point - (basis.rotated.T @ (share * residual) + l2 * point) / bound
    return point


class ProbeStudent:
    """A logistic head per seed on frozen features; implements `Student`.

    inputs: the training items. view: which features of some inputs it reads.
    Pairs are antisymmetric, so no intercept; single claims get a constant column (penalised like the rest).
    """

    def __init__(self, inputs: Inputs, view: Callable[[Inputs], Floats] = lambda inputs: inputs.features) -> None:
        self.diary = Diary()
        self._view = view
        self._intercept = inputs.kind == "claim"
        self._features = self._columns(inputs)
        self._groups = inputs.groups

    def fit(
        self, targets: Floats, weights: Floats, *, objective: Objective = CROSS_ENTROPY, l2: Penalty = "cv"
    ) -> Predictor:
        """One head per seed; see `Student.fit`. With an objective that is not convex, "cv" chooses l2 for plain
        cross-entropy on the same targets: a student graded on its own targets would grade itself.
        """
        y, w = check_problem(targets, weights)
        with self._threads(y.shape[1]):
            penalty = self._penalty(y, w, l2)
            if objective.convex:
                point, _ = solve(self._basis, y, w, penalty, tolerance=TOLERANCE)
            else:
                point = follow(self._basis, y, w, penalty, objective)
            coefficients = self._basis.axes @ point  # (d, S)
        return lambda inputs: torch.sigmoid(self._columns(inputs) @ coefficients).T.contiguous().numpy()

    def cross_fit(self, targets: Floats, weights: Floats, *, l2: Penalty = "cv", folds: int = FOLDS) -> Floats:
        """Out-of-fold probabilities; see `Student.cross_fit`."""
        y, w = check_problem(targets, weights)
        grid = L2_GRID if l2 == "cv" else (l2,)
        with self._threads(y.shape[1] * folds):
            path = self._cross_validate(y, w, grid, folds)
        return torch.sigmoid(path.logits).T.contiguous().numpy()

    @contextmanager
    def _threads(self, columns: int) -> Iterator[None]:
        """As many of torch's threads as products with so many columns are worth; restored afterwards."""
        allowed = torch.get_num_threads()
        torch.set_num_threads(max(1, min(allowed, self._features.numel() * columns // _PER_THREAD)))
        try:
            yield
        finally:
            torch.set_num_threads(allowed)

    @cached_property
    def _basis(self) -> Basis:
        return Basis.of(self._features)

    def _columns(self, inputs: Inputs) -> Tensor:
        features = torch.from_numpy(np.ascontiguousarray(self._view(inputs), dtype=np.float32))
        return torch.cat([features, torch.ones(len(features), 1)], dim=1) if self._intercept else features

    def _penalty(self, targets: Tensor, weights: Tensor, l2: Penalty) -> Tensor:
        if l2 != "cv":
            return torch.full((targets.shape[1],), float(l2))
        path = self._cross_validate(targets, weights, L2_GRID, FOLDS)
        self.diary.curves.append(
            Curve(
                "held-out log loss on the labels learnt from",
                "l2",
                L2_GRID[: len(path.losses)],
                tuple(map(tuple, path.losses.T.tolist())),
            )
        )
        return path.l2

    def _cross_validate(self, targets: Tensor, weights: Tensor, grid: tuple[float, ...], folds: int) -> "_Path":
        """Per seed, the penalty whose held-out log loss against the targets is least, and those predictions.

        The grid is walked from strong to weak, and a seed leaves it when it is past its best: the weakest penalties
        take most of the time and nearly never win.
        """
        fold = torch.from_numpy(question_folds(self._groups, folds))
        seeds = targets.shape[1]
        trained = torch.stack([fold != k for k in range(folds)], dim=1).float()  # (N, folds)
        if not bool(((weights.T @ trained) > 0).all()):
            raise ValueError("cross-validation needs items of positive weight in two folds for every seed")
        best, since = torch.full((seeds,), torch.inf), torch.zeros(seeds)  # since: penalties tried after the best one
        l2, logits = torch.zeros(seeds), torch.zeros_like(targets)
        losses: list[Tensor] = []
        walking, start = torch.arange(seeds), torch.zeros(len(self._basis.spectrum), seeds, folds)
        for value in grid:
            y, w = targets[:, walking], weights[:, walking]
            point, scores = solve(
                self._basis,
                y.repeat_interleave(folds, dim=1),  # (N, walking * folds)
                (w[:, :, None] * trained[:, None, :]).flatten(1),
                torch.full((len(walking) * folds,), value),
                start=start.flatten(1),
                tolerance=CV_TOLERANCE,
            )
            held = torch.gather(
                scores.view(len(fold), -1, folds), 2, fold[:, None, None].expand(-1, len(walking), 1)
            ).squeeze(2)
            loss = torch.nn.functional.binary_cross_entropy_with_logits(held, y, reduction="none")
            mean = (w * loss).sum(0) / w.sum(0)  # (walking,)
            losses.append(torch.full((seeds,), torch.nan).index_copy(0, walking, mean))
            better = mean < best[walking]
            won = walking[better]
            best[won], l2[won], logits[:, won] = mean[better], value, held[:, better]
            since[walking] = torch.where(better, 0.0, since[walking] + 1)
            keep = since[walking] < PATIENCE
            if not bool(keep.any()):
                break
            walking, start = walking[keep], point.view(len(point), -1, folds)[:, keep]
        return _Path(l2, logits, torch.stack(losses))


@dataclass(frozen=True, eq=False)
class _Path:
    """l2: (S,) chosen. logits: (N, S) out of fold, there. losses: (penalties tried, S), NaN where a seed had left."""

    l2: Tensor
    logits: Tensor
    losses: Tensor


def question_folds(groups: Ints, folds: int) -> NDArray[np.int64]:
    """(N,) fold of each item; a question stays whole, and the draw depends on the questions alone."""
    _, codes = np.unique(groups, return_inverse=True)
    order = np.random.default_rng(0).permutation(int(codes.max()) + 1)
    return np.asarray(order % folds, dtype=np.int64)[codes]


def check_problem(targets: Floats, weights: Floats) -> tuple[Tensor, Tensor]:
    """(S, N) rows as (N, S) tensors. Raises: ValueError on values out of range or a seed without any weight."""
    y, w = (torch.from_numpy(np.array(rows, np.float32).T.copy()) for rows in (targets, weights))
    if y.shape != w.shape or not bool(((y >= 0) & (y <= 1) & (w >= 0) & torch.isfinite(w)).all()):
        raise ValueError("targets must lie in [0, 1], weights be at least 0, and both have one row per seed")
    if not bool((w.sum(0) > 0).all()):
        raise ValueError("a seed has no item of positive weight to learn from")
    return y, w
