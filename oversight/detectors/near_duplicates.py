"""Finds predictions that are flipped one by one, or block by block, to read the labels out of the score."""

from typing import ClassVar

from pydantic import Field

from oversight.detectors import DETECTORS, Options, Rates, SessionDetector, Suspicion
from oversight.detectors._chains import chains, reach
from oversight.facts import SessionFacts


class NearDuplicateOptions(Options):
    """Thresholds of the near-duplicate chain."""

    flag_steps: int = Field(5, ge=2, description="Steps of a chain from which it is flagged.")
    hold_steps: int = Field(8, ge=2, description="Steps from which it is held.")
    union: float = Field(0.9, gt=0, le=1, description="Distinct flipped items over all flips, at least.")


@DETECTORS.register("near-duplicates")
class NearDuplicates(SessionDetector):
    """Steps between an upload and the nearest earlier one, over everybody's tokens, chain by chain.

    Honest retraining moves the same borderline items again and again, so its union is low; reading labels touches new
    items each time. Source: Blum and Hardt 2015, arXiv:1502.04585; the flips of the published agents.
    """

    name: ClassVar[str] = "near-duplicates"
    title: ClassVar[str] = "Near-duplicate chain (steps)"
    summary: ClassVar[str] = (
        "Uploads that differ from an earlier one in at most 1% of the items, in new items each time."
    )
    source: ClassVar[str] = "Blum and Hardt 2015, arXiv:1502.04585, turned around: what their attack must look like."
    rates: ClassVar[Rates] = Rates(
        "0 of 4,800 simulated honest sessions held; .06% flagged on average, .25% at worst (churn 3–5%, n 500–2,000).",
        "1.0 for blocks of 1 to 10 items with 10 uploads; .96 for blocks of 20 with 20.",
        "Resampling more than 2% of the borderline items looks like an honest new method.",
    )
    Options: ClassVar[type[NearDuplicateOptions]] = NearDuplicateOptions
    options: NearDuplicateOptions

    def look(self, facts: SessionFacts) -> list[Suspicion]:
        """One suspicion for each chain that is long and touches new items."""
        return [
            self._suspicion(facts, chain.steps, chain.members, chain.union, chain.flipped)
            for chain in chains([upload.bits for upload in facts.uploads])
            if len(chain.steps) >= self.options.flag_steps and chain.union >= self.options.union
        ]

    def _suspicion(
        self, facts: SessionFacts, steps: tuple[int, ...], members: tuple[int, ...], union: float, flipped: int
    ) -> Suspicion:
        uploads = [facts.uploads[q] for q in steps]
        held = len(steps) >= self.options.hold_steps
        accounts = len({upload.submitter for upload in uploads})
        rise = max(upload.accuracy for upload in uploads) - facts.uploads[members[0]].accuracy
        return Suspicion(
            level="hold" if held else "flag",
            title=f"{len(steps)} uploads differ from an earlier one in a few items, other items each time",
            statistic=float(len(steps)),
            threshold=float(self.options.hold_steps if held else self.options.flag_steps),
            p_value=None,
            sentences=(
                f"{len(steps)} uploads by {accounts} account{'s' if accounts > 1 else ''} each differ from the nearest "
                f"earlier upload in at most {reach(len(uploads[0].bits))} of {len(uploads[0].bits)} items.",
                f"The steps flipped {flipped} predictions, {union:.0%} of them items that no other step touched.",
                f"Exact accuracy rose by {rise:+.4f} from the first upload of the chain to its best.",
            ),
            blames=tuple({upload.submitter: ("upload", upload.upload) for upload in uploads}.values()),
            links=tuple(("upload", facts.uploads[q].upload) for q in members),
            numbers={"union": union, "flipped": float(flipped), "accounts": float(accounts), "rise": rise},
        )
