"""Known worlds: items with a shared difficulty, methods with noise of their own, seeds with a little more."""

import numpy as np

from oversight.facts import ExperimentFacts, ItemText, Numbers, RunScore, Upload

DIFFICULTY, METHOD, SEED = 1.0, 0.5, 0.08  # standard deviations; seeds then differ in 3% of the items


class World:
    """n items with hidden labels; methods of about one accuracy that err on the same hard items."""

    def __init__(self, n: int = 1000, accuracy: float = 0.75, seed: int = 0) -> None:
        self.rng = np.random.default_rng(seed)
        self.n = n
        self.labels = self.rng.integers(0, 2, n).astype(bool)
        self.shared = self.rng.normal(size=n) * DIFFICULTY
        spread = np.sqrt(DIFFICULTY**2 + METHOD**2 + SEED**2)
        self.strength = spread * {0.6: 0.2533, 0.75: 0.6745, 0.85: 1.0364}[accuracy]
        self.arms = [self.seed(self.method()) for _ in range(3)]

    def method(self) -> np.ndarray:
        """Scores of a new honest method."""
        return np.where(self.labels, 1, -1) * self.strength + self.shared + METHOD * self.rng.normal(size=self.n)

    def seed(self, scores: np.ndarray) -> np.ndarray:
        """Its predictions with one seed."""
        return scores + SEED * self.rng.normal(size=self.n) > 0

    def noise(self) -> np.ndarray:
        return self.rng.integers(0, 2, self.n).astype(bool)

    def accuracy(self, bits: np.ndarray) -> float:
        return float((bits == self.labels).mean())

    def upload(self, number: int, bits: np.ndarray, submitter: int = 1, told: float | None = 0.5) -> Upload:
        return Upload(
            upload=number, evaluation=number, submitter=submitter, bits=np.asarray(bits, dtype=bool),
            accuracy=self.accuracy(bits), told=told,
            agreements=tuple(float((bits == arm).mean()) for arm in self.arms),
        )  # fmt: skip

    def uploads(self, vectors, submitter: int = 1) -> tuple[Upload, ...]:
        return tuple(self.upload(number, bits, submitter) for number, bits in enumerate(vectors, start=1))


def numbers(**changed) -> Numbers:
    """What the scorer says of an ordinary experiment."""
    values = {
        "vote_accuracy": 0.75, "heuristics": {}, "dev_se": 0.0067, "holdout_se": 0.0067,
        "reference_gap": 0.0, "references": 2, "pgr_low": 0.2,
    }  # fmt: skip
    return Numbers(**{**values, **changed})


def facts(**changed) -> ExperimentFacts:
    """An ordinary scored experiment with five runs."""
    world = World()
    method = world.method()
    bits = np.stack([world.seed(method) for _ in range(5)])
    values = {
        "experiment": 7, "benchmark": "world", "submitter": 1, "method": "vanilla", "method_class": "weak_to_strong",
        "runs": tuple(RunScore(100 + row, row, 0.75 + 0.002 * row, 0.75) for row in range(5)),
        "dev": bits, "holdout": bits.copy(), "dev_accuracy": 0.75, "holdout_accuracy": 0.75, "dev_pgr": 0.5,
        "numbers": numbers(),
    }  # fmt: skip
    return ExperimentFacts(**{**values, **changed})


def items(n: int, kind: str = "pair") -> tuple[ItemText, ...]:
    """Questions about places, two to a question."""
    rng = np.random.default_rng(3)
    places = [f"Place {rng.integers(1000)}" for _ in range(40)]
    return tuple(
        ItemText(f"Which lies in land {row // 2}?", tuple(places[i] for i in rng.permutation(40)[:2]), row // 2)
        for row in range(n)
    )
