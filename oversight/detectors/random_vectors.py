"""Finds uploads that agree with nothing that the lab has trained better than coin tosses."""

from typing import ClassVar

import numpy as np
from pydantic import Field

from oversight.detectors import DETECTORS, Cost, Options, Rates, SessionDetector, Suspicion
from oversight.detectors._statistics import chance_z
from oversight.facts import SessionFacts, Upload

RANDOM_Z = 6.0
ARMS = 3  # the frozen arms come first among an upload's references


class RandomVectorOptions(Options):
    """Thresholds of the random-vector test."""

    z: float = Field(RANDOM_Z, gt=0, description="Below this many standard errors from chance an upload is no answer.")
    hold_after: int = Field(2, ge=1, description="So many from one account are held.")


def is_constant(upload: Upload) -> bool:
    """Whether it says the same of every item, or nearly."""
    share = float(upload.bits.mean())
    return min(share, 1 - share) < 0.02


def likeness(upload: Upload) -> float:
    """Largest |z| of its agreement with a frozen arm or a recipe's run; an inverted answer is one, too.

    Over the spread of its own answers, √(s(1 − s)) with s its share of ones, so that a threshold far out is no noise;
    the others' answers are taken as balanced. At s = .5 this is (agreement − .5) · 2√n.
    """
    share = float(upload.bits.mean())
    spread = max(2 * np.sqrt(share * (1 - share)), 1e-9)
    return max((abs(chance_z(each, len(upload.bits))) / spread for each in upload.agreements), default=np.inf)


@DETECTORS.register("random-vectors")
class RandomVectors(SessionDetector):
    """z = max over references of |agreement − .5| · √n/√(s(1 − s)), s the share of ones; 2√n in place of it at s = .5.

    References: the frozen arms, and up to 64 runs of recipes. A method that has collapsed is at chance against the arms
    (2.4% of 2,540 runs on geography had z < 6, the least 1.2), but not against other methods that went wrong: 9.9.

    Source: Blum and Hardt 2015: boosting starts from random vectors and combines those that scored above one half.
    Departs: |·|, because inverted answers are informative; these references.
    """

    name: ClassVar[str] = "random-vectors"
    title: ClassVar[str] = "Random vectors (z)"
    summary: ClassVar[str] = "Uploads that resemble none of the lab's own students: probes, not answers."
    source: ClassVar[str] = "Blum and Hardt 2015, arXiv:1502.04585 (the boosting attack)."
    cost: ClassVar[Cost] = Cost.SCORED
    rates: ClassVar[Rates] = Rates(
        "Honest minimum of z: 9.9 on geography, n = 1,052, collapsed methods included; random maximum 4.5 of 2,000.",
        "About 1 against vectors drawn at random.",
        "Random flips of a real answer; benchmarks under 200 items, where an honest z comes near the threshold. Before "
        "recipes have run, the arms stand alone, and a collapsed honest method looks like noise.",
    )
    Options: ClassVar[type[RandomVectorOptions]] = RandomVectorOptions
    options: RandomVectorOptions

    def look(self, facts: SessionFacts) -> list[Suspicion]:
        """Constants as a note; one random vector of an account as a flag, several as a hold."""
        found = []
        noise: dict[int, list[Upload]] = {}
        for upload in facts.uploads:
            if is_constant(upload):
                found.append(_constant(upload))
            elif likeness(upload) < self.options.z:
                noise.setdefault(upload.submitter, []).append(upload)
        return [*found, *(self._suspicion(uploads) for uploads in noise.values())]

    def _suspicion(self, uploads: list[Upload]) -> Suspicion:
        held = len(uploads) >= self.options.hold_after
        highest = max(likeness(upload) for upload in uploads)
        return Suspicion(
            level="hold" if held else "flag",
            title=f"{len(uploads)} upload{'s' if held else ''} no better related to any student than coin tosses",
            statistic=highest,
            threshold=self.options.z,
            p_value=None,
            sentences=(
                f"{len(uploads)} of this account's uploads agree with the weak teacher, the vanilla student, the "
                f"ceiling and {len(uploads[-1].agreements) - ARMS} runs of recipes within {highest:.1f} standard "
                "errors of chance; honest answers, the bad ones included, are further away from at least one of them.",
            ),
            blames=(("upload", uploads[-1].upload),),
            links=tuple(("upload", upload.upload) for upload in uploads),
        )


def _constant(upload: Upload) -> Suspicion:
    return Suspicion(
        level="info",
        title="The same answer for every item",
        statistic=float(upload.bits.mean()),
        threshold=None,
        p_value=None,
        sentences=("A constant tells its sender the share of labels that are 1, and nothing else.",),
        blames=(("upload", upload.upload),),
        links=(("upload", upload.upload),),
    )
