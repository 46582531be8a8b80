"""Has every detector look at an experiment, or at what was uploaded, and makes flags of what they say."""

import logging
from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.urls import reverse

from agents.models import Agent
from experiments.models import Benchmark, Evaluation, Experiment, Upload
from experiments.services.leases import LeaseLost
from oversight.detectors import DETECTORS, Detector, ExperimentDetector, SessionDetector, Suspicion, capped
from oversight.facts import ExperimentFacts, SessionFacts
from oversight.lifecycle import FlagState
from oversight.models import Flag
from oversight.selectors.experiment_facts import experiment_facts, failed_facts
from oversight.selectors.session_facts import refused_calls, session_facts
from oversight.services.calibrations import latest
from oversight.services.detectors import setting_of
from oversight.services.flags import Subject, lock_subjects, raise_flag
from oversight.services.inspections import Claim, claim_inspection, fail_inspection, finish_inspection
from oversight.services.probes import probe_if_leading
from oversight.services.readings import request_reading
from transferstats.many import benjamini_hochberg

log = logging.getLogger(__name__)

Found = tuple[str, list[Suspicion], str]  # detector, what it said, why it could not look
_PAGES = {"experiment": "experiment", "finding": "finding"}  # link kind -> name of the page


def inspect_experiment(*, experiment_id: int, worker: str) -> bool:
    """Claim and do one inspection. Returns: whether it was done here. Raises: what broke, after it was written down."""
    claim = claim_inspection(worker=worker, experiment_id=experiment_id)
    if claim is None:
        return False
    with _failing(claim):
        facts = experiment_facts(experiment_id) or failed_facts(experiment_id)
        found = [] if facts is None else look(facts)
        experiment = Experiment.objects.select_related("benchmark").get(pk=experiment_id)
        with transaction.atomic():
            finish_inspection(claim=claim, results=_results(found))
            raise_flags(found, benchmark=experiment.benchmark, also=[experiment])
            _unlooked(found, experiment)
            if facts is not None and facts.runs:
                probe_if_leading(experiment_id)
                request_reading(experiment_id=experiment_id)
    return True


def inspect_uploads(*, benchmark_id: int, worker: str) -> bool:
    """The same for everything that was uploaded to a benchmark."""
    claim = claim_inspection(worker=worker, benchmark_id=benchmark_id)
    if claim is None:
        return False
    with _failing(claim):
        benchmark = Benchmark.objects.get(pk=benchmark_id)
        newest = Evaluation.objects.filter(benchmark=benchmark, verified=False).order_by("-id").first()
        found = look(session_facts(benchmark))
        with transaction.atomic():
            finish_inspection(claim=claim, results=_results(found), upto=newest.pk if newest else 0)
            raise_flags(found, benchmark=benchmark)
    return True


def inspect_refusals() -> int:
    """Look at refused calls. Returns: how many suspicions there are."""
    found = look(refused_calls())
    with transaction.atomic():
        raise_flags(found, benchmark=None)
    return sum(len(said) for _, said, _ in found)


def look(facts: ExperimentFacts | SessionFacts) -> list[Found]:
    """Every enabled detector of that kind of facts, cheap ones first; one that breaks is written down."""
    kind: type[Detector[Any]] = ExperimentDetector if isinstance(facts, ExperimentFacts) else SessionDetector
    found: list[Found] = []
    detectors = _enabled(kind)
    if isinstance(facts, ExperimentFacts) and not facts.runs:
        detectors = [each for each in detectors if each.of_failed]
    for detector in detectors:
        try:
            said = [capped(suspicion) for suspicion in detector.inspect(facts)]
            found.append((detector.name, said, ""))
        except Exception as error:
            log.exception("%s could not look", detector.name)
            found.append((detector.name, [], f"{type(error).__name__}: {error}"[:500]))
    return found


def raise_flags(found: Sequence[Found], *, benchmark: Benchmark | None, also: Sequence[Subject] = ()) -> list[Flag]:
    """A flag for every row that is blamed; what is under review already is not raised again. Needs a transaction.

    also: what the caller will write about afterwards, locked with the rest before the first event.
    """
    blamed = [subject for _, said, _ in found for suspicion in said for subject in _subjects(suspicion)]
    if blamed:
        lock_subjects([*blamed, *also])
    q_values = _q_values(found)
    flags = []
    for name, said, _ in found:
        calibration = latest(name, benchmark) if benchmark else None
        for suspicion in said:
            for subject in _subjects(suspicion):
                if _is_under_review(name, suspicion, subject):
                    continue
                flags.append(
                    raise_flag(
                        detector=name,
                        level=suspicion.level,
                        subject=subject,
                        title=suspicion.title[:200],
                        statistic=suspicion.statistic,
                        threshold=suspicion.threshold,
                        p_value=suspicion.p_value,
                        evidence=_evidence(suspicion, q_values.get(id(suspicion))),
                        calibration=calibration,
                        source=DETECTORS.get(name).origin,
                    )
                )
    return flags


def _enabled(kind: type[Detector[Any]]) -> list[Detector[Any]]:
    chosen = [DETECTORS.get(name) for name in DETECTORS.names()]
    detectors = []
    for each in sorted((each for each in chosen if issubclass(each, kind)), key=lambda each: (each.cost, each.name)):
        setting = setting_of(each.name)
        if setting.enabled:
            detectors.append(each(setting.overrides))
    return detectors


def _q_values(found: Sequence[Found]) -> dict[int, float]:
    """q-value of each suspicion that has a p-value; detectors that said nothing count as p = 1."""
    tested = [(id(each), each.p_value) for _, said, _ in found for each in said if each.p_value is not None]
    silent = [1.0 for _, said, error in found if not said and not error]
    q = benjamini_hochberg([p for _, p in tested] + silent)
    return dict(zip((key for key, _ in tested), q, strict=False))


def _results(found: Sequence[Found]) -> list[dict[str, Any]]:
    q_values = _q_values(found)
    lines: list[dict[str, Any]] = []
    for name, said, error in found:
        if error or not said:
            lines.append({"detector": name, "level": "error" if error else "", "error": error})
        lines += [
            {
                "detector": name,
                "level": each.level,
                "title": each.title,
                "statistic": each.statistic,
                "threshold": each.threshold,
                "p": each.p_value,
                "q": q_values.get(id(each)),
                "numbers": dict(each.numbers),
            }
            for each in said
        ]
    return lines


def _subjects(suspicion: Suspicion) -> list[Subject]:
    """The rows that are blamed; an account is its agent, and people are not flagged for refused calls."""
    found: list[Subject] = []
    for kind, key in suspicion.blames:
        if kind == "experiment":
            found += Experiment.objects.filter(pk=key)
        elif kind == "upload":
            found += Upload.objects.filter(pk=key)
        elif kind == "account":
            found += Agent.objects.filter(user=key)
    return found


def _is_under_review(name: str, suspicion: Suspicion, subject: Subject) -> bool:
    """Whether people are looking at the same already: a chain that grows by a step is not a case of its own."""
    open_flags = Flag.objects.filter(detector=name, level=suspicion.level).exclude(state=FlagState.DECIDED)
    if isinstance(subject, Upload):
        same = {"upload__submitter": subject.submitter_id, "upload__benchmark": subject.benchmark_id}
        return open_flags.filter(**same).exists()
    if isinstance(subject, Agent):
        return open_flags.filter(agent=subject, experiment=None, upload=None, title__endswith=_kind(suspicion)).exists()
    return isinstance(subject, Experiment) and open_flags.filter(experiment=subject, title=suspicion.title).exists()


def _kind(suspicion: Suspicion) -> str:
    """ "12 calls over budget" -> "calls over budget": the count grows, the kind stays."""
    return suspicion.title.split(" ", 1)[-1]


def _evidence(suspicion: Suspicion, q: float | None) -> list[dict[str, Any]]:
    pieces: list[dict[str, Any]] = [{"text": sentence} for sentence in suspicion.sentences]
    if suspicion.p_value is not None and q is not None:
        pieces.append({"text": f"p = {suspicion.p_value:.2g}; q = {q:.2g} among the detectors that looked."})
    pieces += [{"text": each.why, "quote": each.text, "pin": each.where} for each in suspicion.quotes]
    for kind, key in suspicion.links[:100]:
        page = _PAGES.get(kind)
        link = {"link": reverse(page, args=[key])} if page else {}
        pieces.append({"text": f"{kind} {key}", "kind": kind, "row": key, **link})
    return pieces


def _unlooked(found: Sequence[Found], experiment: Experiment) -> None:
    """A detector that broke on this experiment has not cleared it: a person looks."""
    broken = [(name, error) for name, _, error in found if error]
    if broken:
        raise_flag(
            detector=broken[0][0],
            level="flag",
            subject=experiment,
            title="Could not be inspected",
            evidence=[f"{name} broke: {error}" for name, error in broken],
        )


class _failing:
    """What breaks in the block is written into the inspection and raised again; a lost lease is no news."""

    def __init__(self, claim: Claim) -> None:
        self._claim = claim

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> bool:
        if isinstance(error, LeaseLost):
            log.warning("%s; its result is dropped", error)
            return True
        if isinstance(error, Exception):
            fail_inspection(claim=self._claim, error=f"{type(error).__name__}: {error}")
        return False
