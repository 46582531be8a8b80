"""`{{pgr exp:12}}` and its like: numbers that a text shows live from the ledger, and that nobody can type.

A badge's markup holds classes that the sanitiser takes out of everything an author writes: what looks like one is one.
Titles are typed by authors, so they stand behind the badge, never in it.
Only dev scores: a text is read by agents, too.
"""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from statistics import fmean, variance
from typing import TYPE_CHECKING

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from experiments.lifecycle import ExperimentState, RunState, Standing
from experiments.looks import LOOKS
from experiments.models import Experiment, Run
from experiments.selectors.scores import Score, dev_score
from metrics import t_quantile

if TYPE_CHECKING:
    from experiments.permissions import Actor
    from forum.models import Finding
    from forum.querysets import FindingQuerySet

MOST_REFERENCES = 100  # in one text
LEVEL = 0.95
_METRICS = ("pgr", "accuracy")
_FIELDS = (
    "id",
    "title",
    "state",
    "standing",
    "tainted_by",
    "seeds",
    "dev_pgr",
    "dev_score",
    "dev_accuracy",
    "benchmark__slug",
)

PATTERN = re.compile(
    r"\{\{[ \t]*(?:(?P<metric>[a-z_]{1,20})[ \t]+)?"
    r"(?P<kind>exp|experiment|finding)[ \t]*:[ \t]*#?(?P<key>[0-9]{1,9})[ \t]*\}\}"
)


@dataclass(frozen=True, slots=True)
class Reference:
    """One reference as it was written. metric: "pgr", "accuracy", another word that means nothing, or ""."""

    metric: str
    kind: str
    key: int


@dataclass(frozen=True, slots=True)
class Ledger:
    """The rows that some references name."""

    experiments: Mapping[int, Experiment] = field(default_factory=dict)
    accuracies: Mapping[int, list[float]] = field(default_factory=dict)
    findings: Mapping[int, "Finding"] = field(default_factory=dict)


def find_references(text: str) -> list[Reference]:
    """Every reference in a text, those in code included."""
    return [read_reference(match) for match in PATTERN.finditer(text)]


def read_reference(match: re.Match[str]) -> Reference:
    """The reference that PATTERN has found."""
    kind = "finding" if match["kind"] == "finding" else "experiment"
    return Reference(match["metric"] or "", kind, int(match["key"]))


def ledger_of(references: Iterable[Reference], user: "Actor", findings: "FindingQuerySet") -> Ledger:
    """Reads the rows, three queries for any number of references; `findings` are those the user may see."""
    wanted = set(references)
    experiment_ids = {each.key for each in wanted if each.kind == "experiment"}
    finding_ids = {each.key for each in wanted if each.kind == "finding"}
    seeded = {each.key for each in wanted if each.kind == "experiment" and each.metric == "accuracy"}
    return Ledger(
        experiments=_experiments(experiment_ids, user),
        accuracies=_accuracies(seeded),
        findings={each.pk: each for each in findings.filter(pk__in=finding_ids).only("id", "kind", "title")}
        if finding_ids
        else {},
    )


def badge(reference: Reference, ledger: Ledger, base: str = "") -> SafeString:
    """The reference as a link that shows its number with interval and n. base: prefix of addresses, for feeds."""
    if reference.kind == "finding":
        return _finding_badge(reference, ledger, base)
    experiment = ledger.experiments.get(reference.key)
    if experiment is None:
        return _missing(f"experiment {reference.key}: there is none")
    if reference.metric and reference.metric not in _METRICS:
        return _missing(f"{reference.metric} of experiment {reference.key}: not known; pgr and accuracy are")
    shown = _SHOWN[reference.metric](experiment, ledger)
    made = _badge(base + reverse("experiment", args=[experiment.pk]), f"#{experiment.pk}", shown, _note(experiment))
    return made if reference.metric else _titled(made, experiment.title)


def _experiments(ids: set[int], user: "Actor") -> dict[int, Experiment]:
    if not ids:
        return {}
    # `only`: the holdout columns are not even read
    found = Experiment.objects.visible_to(user).filter(pk__in=ids).select_related("benchmark").only(*_FIELDS)
    return {each.pk: each for each in found}


def _accuracies(ids: set[int]) -> dict[int, list[float]]:
    if not ids:
        return {}
    scored = Run.objects.filter(experiment_id__in=ids, state=RunState.SCORED)
    found: dict[int, list[float]] = {}
    for key, accuracy in scored.order_by("experiment_id", "seed_index").values_list("experiment_id", "dev_accuracy"):
        if accuracy is not None:
            found.setdefault(key, []).append(accuracy)
    return found


def _show_pgr(experiment: Experiment, ledger: Ledger) -> str:
    score = dev_score(experiment)
    if score is None or score.value is None:
        return f"PGR: {_no_number(experiment, score)}"
    interval = f"[{_number(score.low)}, {_number(score.high)}]" if score.bounded else "[unbounded]"
    return f"PGR {_number(score.value)} {interval} {_n(score, experiment)}"


def _show_accuracy(experiment: Experiment, ledger: Ledger) -> str:
    score, mean = dev_score(experiment), experiment.dev_accuracy
    if mean is None:
        return f"accuracy: {_no_number(experiment, score)}"
    interval = accuracy_interval(ledger.accuracies.get(experiment.pk, []), score.n_items if score else None)
    shown = f"[{_number(interval[0], 3)}, {_number(interval[1], 3)}]" if interval else "[no interval]"
    return f"accuracy {_number(mean, 3)} {shown} {_n(score, experiment)}"


def _show_experiment(experiment: Experiment, ledger: Ledger) -> str:
    return LOOKS[experiment.state].label.lower()


_SHOWN = {"": _show_experiment, "pgr": _show_pgr, "accuracy": _show_accuracy}


def accuracy_interval(per_seed: list[float], n_items: int | None) -> tuple[float, float] | None:
    """95% interval of a mean accuracy: the spread over seeds and the sampling of test items, added.

    The items are the same for every seed, so their share, p(1 - p)/n, does not shrink with more seeds; they are treated
    as independent. None with fewer than two seeds or two items. Source: Satterthwaite 1946 for the degrees of freedom.
    """
    n_seeds = len(per_seed)
    if n_seeds < 2 or n_items is None or n_items < 2:
        return None
    mean = fmean(per_seed)
    of_seeds, of_items = variance(per_seed) / n_seeds, mean * (1 - mean) / n_items
    total = of_seeds + of_items
    if total == 0:
        return mean, mean
    df = total**2 / (of_seeds**2 / (n_seeds - 1) + of_items**2 / (n_items - 1))
    reach = t_quantile(df, LEVEL) * math.sqrt(total)
    return max(mean - reach, 0.0), min(mean + reach, 1.0)


def _n(score: Score | None, experiment: Experiment) -> str:
    items = score.n_items if score else None
    seeds = (score.n_seeds if score else None) or experiment.seeds
    return f"n = {'?' if items is None else items} × {seeds} seed{'' if seeds == 1 else 's'}"


def _no_number(experiment: Experiment, score: Score | None) -> str:
    if experiment.state == ExperimentState.SCORED:
        return (score.reason if score else "") or "no value"
    return f"none, {LOOKS[experiment.state].label.lower()}"


def _note(experiment: Experiment) -> str:
    if experiment.standing == Standing.COUNTED:
        return "" if experiment.tainted_by_id is None else "tainted, re-verify"
    return LOOKS[experiment.standing].label.lower()


def _number(value: float | None, digits: int = 2) -> str:
    return "…" if value is None else f"{value:.{digits}f}".replace("-", "−")


def _finding_badge(reference: Reference, ledger: Ledger, base: str) -> SafeString:
    finding = ledger.findings.get(reference.key)
    if reference.metric:
        return _missing(f"{reference.metric} of finding {reference.key}: a finding has no numbers")
    if finding is None:
        return _missing(f"finding {reference.key}: there is none, or it is hidden")
    made = _badge(base + reverse("finding", args=[finding.pk]), f"finding {finding.pk}", finding.kind, "")
    return _titled(made, finding.title)


def _badge(url: str, key: str, shown: str, note: str) -> SafeString:
    warning = format_html(' <span class="ledger-note">{}</span>', note) if note else mark_safe("")
    return format_html(
        '<a class="ledger" href="{}"><span class="ledger-key">{}</span> {}{}</a>', url, key, shown, warning
    )


def _titled(made: SafeString, title: str) -> SafeString:
    return format_html("{} “{}”", made, title)


def _missing(text: str) -> SafeString:
    return format_html('<span class="ledger missing">{}</span>', text)
