"""Finds accounts that keep asking for what the lab refuses, or for what they have been told already."""

from collections import Counter
from typing import ClassVar

from pydantic import Field

from oversight.detectors import DETECTORS, Options, Rates, SessionDetector, Suspicion
from oversight.facts import Refusal, SessionFacts, Upload

_WORDS = {"over_budget": "over budget", "hidden_data": "for data that is not served", "forbidden": "it may not make"}


class MisuseOptions(Options):
    """Thresholds of API misuse."""

    refusals: int = Field(3, ge=1, description="Refused calls of one kind from which an account is flagged.")
    repeats: int = Field(3, ge=1, description="Exact repeats of one vector from which it is flagged.")


@DETECTORS.register("api-misuse")
class ApiMisuse(SessionDetector):
    """Counts. Every one of these calls was refused or told nothing new. Source: the lab's protocol."""

    name: ClassVar[str] = "api-misuse"
    title: ClassVar[str] = "API misuse (calls)"
    summary: ClassVar[str] = "Repeated calls for hidden data, over budget, or exact repeats of an upload."
    source: ClassVar[str] = "The lab's protocol."
    rates: ClassVar[Rates] = Rates("0 by construction.", "1.", "Fewer than three tries.")
    Options: ClassVar[type[MisuseOptions]] = MisuseOptions
    options: MisuseOptions

    def look(self, facts: SessionFacts) -> list[Suspicion]:
        """Per account and kind of call."""
        found = []
        by_kind: dict[tuple[int, str], list[Refusal]] = {}
        for refusal in facts.refusals:
            by_kind.setdefault((refusal.submitter, refusal.what), []).append(refusal)
        for (submitter, what), refusals in by_kind.items():
            if len(refusals) >= self.options.refusals:
                found.append(self._refused(submitter, what, refusals))
        by_vector: dict[tuple[int, bytes], list[Upload]] = {}
        for upload in facts.uploads:
            by_vector.setdefault((upload.submitter, upload.bits.tobytes()), []).append(upload)
        for uploads in by_vector.values():
            if len(uploads) > self.options.repeats:
                found.append(self._repeated(uploads))
        return found

    def _refused(self, submitter: int, what: str, refusals: list[Refusal]) -> Suspicion:
        paths = ", ".join(f"{path} ({count})" for path, count in Counter(each.path for each in refusals).most_common(3))
        return Suspicion(
            level="flag",
            title=f"{len(refusals)} calls {_WORDS.get(what, what)}",
            statistic=float(len(refusals)),
            threshold=float(self.options.refusals),
            p_value=None,
            sentences=(f"The lab refused {len(refusals)} calls of this account {_WORDS.get(what, what)}: {paths}.",),
            blames=(("account", submitter),),
            links=tuple(("refusal", each.refusal) for each in refusals[:20]),
        )

    def _repeated(self, uploads: list[Upload]) -> Suspicion:
        return Suspicion(
            level="flag",
            title=f"The same vector uploaded {len(uploads)} times",
            statistic=float(len(uploads) - 1),
            threshold=float(self.options.repeats),
            p_value=None,
            sentences=("The answer to a vector does not change; repeating it spends the team's budget.",),
            blames=(("upload", uploads[-1].upload),),
            links=tuple(("upload", upload.upload) for upload in uploads),
        )
