"""Tests whether what an outsider uploaded as seeds is better than the seeds the lab ran of the same code."""

import math
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from pydantic import Field
from scipy.special import stdtr

from oversight.detectors import DETECTORS, ExperimentDetector, Options, Rates, Suspicion
from oversight.facts import ExperimentFacts, Floats, Upload


class SeedReplicateOptions(Options):
    """Thresholds of the replicate test."""

    p: float = Field(0.01, gt=0, lt=1, description="One-sided p-value below which it speaks.")
    fewest_runs: int = Field(10, ge=3, description="Server seeds that are needed.")
    fewest_uploads: int = Field(3, ge=2, description="Uploads of the same method that are needed.")
    slack: float = Field(1.5, ge=1, description="How much farther than the lab's seeds an upload may lie.")


@DETECTORS.register("seed-replicate")
class SeedReplicate(ExperimentDetector):
    """One-sided Welch t of uploaded accuracies against the lab's own.

    Uploads belong to the method where they come from the same account and differ from the vote of the runs by at most
    `slack` times what the runs differ from it. Source: Welch 1947.
    """

    name: ClassVar[str] = "seed-replicate"
    title: ClassVar[str] = "Seed replicate (t)"
    summary: ClassVar[str] = "Uploaded seeds of a method score better than those the lab ran itself."
    source: ClassVar[str] = "Welch 1947."
    rates: ClassVar[Rates] = Rates(
        "Simulated .008–.010 at p < .01.",
        "Best 5 of 10 seeds: .23; of 20: .65; of 50: .95. Weak: the lab's own seeds are what prevents this.",
        "Uploads too unlike the code to be recognised as its seeds.",
    )
    Options: ClassVar[type[SeedReplicateOptions]] = SeedReplicateOptions
    options: SeedReplicateOptions

    def applies(self, facts: ExperimentFacts) -> bool:
        """Where enough uploads of the method stand beside enough of the lab's own seeds."""
        enough = len(facts.runs) >= self.options.fewest_runs
        return enough and len(self._of_the_method(facts)) >= self.options.fewest_uploads

    def look(self, facts: ExperimentFacts) -> list[Suspicion]:
        """Speaks where uploads of the same method are too good."""
        uploads = self._of_the_method(facts)
        reported = np.array([upload.accuracy for upload in uploads])
        t, p = welch(reported, np.array([run.dev_accuracy for run in facts.runs]))
        if p >= self.options.p:
            return []
        mean = np.mean([run.dev_accuracy for run in facts.runs])
        return [
            Suspicion(
                level="flag",
                title="Uploaded seeds score higher than the lab's own seeds of the same method",
                statistic=t,
                threshold=self.options.p,
                p_value=p,
                sentences=(
                    f"{len(uploads)} uploads that look like seeds of this method reach {reported.mean():.4f} on dev; "
                    f"{len(facts.runs)} seeds drawn by the lab reach {mean:.4f}.",
                ),
                blames=(("experiment", facts.experiment),),
                links=tuple(("upload", upload.upload) for upload in uploads),
            )
        ]

    def _of_the_method(self, facts: ExperimentFacts) -> Sequence[Upload]:
        if not len(facts.dev):
            return []
        farthest = (facts.dev != facts.vote).mean(axis=1).max() * self.options.slack
        own = [upload for upload in facts.uploads if upload.submitter == facts.submitter]
        return [upload for upload in own if (upload.bits != facts.vote).mean() <= farthest]


def welch(higher: Floats, lower: Floats) -> tuple[float, float]:
    """t and the one-sided p-value that the first mean is larger; (0, 1) where neither varies."""
    a, b = higher.var(ddof=1) / len(higher), lower.var(ddof=1) / len(lower)
    if a + b == 0:
        return 0.0, 1.0
    t = float((higher.mean() - lower.mean()) / math.sqrt(a + b))
    df = (a + b) ** 2 / (a**2 / (len(higher) - 1) + b**2 / (len(lower) - 1))
    return t, float(stdtr(df, -t))
