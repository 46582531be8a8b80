"""Finds code whose versions change predictions on dev and leave the holdout alone: labels read out by snapshots."""

from collections.abc import Mapping
from functools import partial
from typing import ClassVar

import numpy as np
from pydantic import Field

from oversight.detectors import DETECTORS, ExperimentDetector, Options, Rates, Suspicion
from oversight.detectors._chains import reach
from oversight.detectors._statistics import binomial_tail
from oversight.facts import Bits, Earlier, ExperimentFacts


class DevOnlyOptions(Options):
    """Thresholds of the dev-only edits."""

    p: float = Field(0.001, gt=0, lt=1, description="p-value below which it is held.")
    fewest: int = Field(3, ge=1, description="Edits, of this and earlier versions, that are needed.")


@DETECTORS.register("dev-only-edits")
class DevOnlyEdits(ExperimentDetector):
    """Items whose prediction differs from the nearest earlier version's in every common seed, on both splits.

    Honest changes move both splits in proportion to their sizes; who knows the dev items by heart moves only them.
    One-sided binomial of the dev share, over the chain of versions. Source: ours.
    """

    name: ClassVar[str] = "dev-only-edits"
    title: ClassVar[str] = "Edits on dev only (items)"
    summary: ClassVar[str] = "Versions of one code that change dev predictions and no holdout prediction."
    source: ClassVar[str] = "The flips of the published agents, carried into code; the split comparison is ours."
    rates: ClassVar[Rates] = Rates(
        "At most .001 by construction where flips fall on items at random; see the calibration.",
        "1 from ten edits on dev with none on the holdout at equal sizes (p = .001).",
        "Edits that also flip as many items that are not in dev, if somebody could know them.",
    )
    Options: ClassVar[type[DevOnlyOptions]] = DevOnlyOptions
    options: DevOnlyOptions

    def applies(self, facts: ExperimentFacts) -> bool:
        """To code after other code of the team."""
        return facts.is_code and bool(facts.earlier)

    def look(self, facts: ExperimentFacts) -> list[Suspicion]:
        """Adds up the edits along the chain of versions that ends here."""
        rows = {run.seed_index: row for row, run in enumerate(facts.runs)}
        own = Earlier(
            facts.experiment,
            facts.submitter,
            {index: facts.dev[row] for index, row in rows.items()},
            {index: facts.holdout[row] for index, row in rows.items()},
        )
        dev = holdout = 0
        chain: list[int] = []
        current, before = own, list(facts.earlier)
        while before:
            parent = max(before, key=partial(_nearness, current))
            on_dev, on_holdout = _edited(current.dev, parent.dev), _edited(current.holdout, parent.holdout)
            if on_dev.sum() > 3 * reach(len(on_dev)):
                break  # another method
            dev, holdout = dev + int(on_dev.sum()), holdout + int(on_holdout.sum())
            chain.append(parent.experiment)
            before = [each for each in before if each.experiment < parent.experiment]
            current = parent
        share = facts.dev.shape[1] / (facts.dev.shape[1] + facts.holdout.shape[1])
        p = binomial_tail(dev, dev + holdout, share)
        if dev + holdout < self.options.fewest or p >= self.options.p:
            return []
        return [
            Suspicion(
                level="hold",
                title="Versions of this code change dev predictions and leave the holdout alone",
                statistic=float(dev),
                threshold=self.options.p,
                p_value=p,
                sentences=(
                    f"Over {len(chain)} earlier versions, {dev} dev predictions changed in every seed and {holdout} "
                    f"holdout predictions did; the dev split holds {share:.0%} of the items.",
                ),
                blames=(("experiment", facts.experiment),),
                links=tuple(("experiment", each) for each in chain),
                numbers={"holdout_edits": float(holdout)},
            )
        ]


def _edited(ours: Mapping[int, Bits], theirs: Mapping[int, Bits]) -> Bits:
    """(items,) where every common seed differs the same way; everything where there is no common seed."""
    common = sorted(set(ours) & set(theirs))
    if not common:
        return np.ones(len(next(iter(ours.values()))), dtype=bool)
    a, b = np.stack([ours[index] for index in common]), np.stack([theirs[index] for index in common])
    return np.asarray((a != b).all(axis=0))


def _nearness(ours: Earlier, theirs: Earlier) -> tuple[float, int]:
    """Share of equal dev predictions over common seeds (0 where there is none), then the later of two equals."""
    common = set(ours.dev) & set(theirs.dev)
    equal = [(ours.dev[index] == theirs.dev[index]).mean() for index in common]
    return (float(np.mean(equal)) if equal else 0.0, theirs.experiment)
