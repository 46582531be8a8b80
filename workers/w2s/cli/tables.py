"""Turns outcomes, cache entries and registries into text and JSON."""

import statistics
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from metrics import MEASURABLE_GAP_OVER_SE, Estimate
from workers.w2s.cli.experiment import Outcome
from workers.w2s.features import Entry
from workers.w2s.methods import METHODS, classify
from workers.w2s.spec import BenchmarkSpec

_ARMS = {
    "weak": "weak teachers",
    "control": "control: a weak student",
    "vanilla": "baseline: vanilla",
    "method": "",  # its own name
    "ceiling": "ceiling",
}
_UNITS = ("B", "KiB", "MiB", "GiB")


def outcome_table(outcome: Outcome) -> str:
    """Accuracies of all arms (mean ± SD over seeds), and PGR with its interval, on dev and holdout."""
    scores = list(outcome.scores.items())
    options = ", ".join(f"{name}={value}" for name, value in outcome.options.items())
    rows = [["", *(f"{split} ({part.n_items:,} items)" for split, part in scores)]]
    for arm, name in _ARMS.items():
        rows.append([name or outcome.method, *(_spread(part.accuracies[arm]) for _, part in scores)])
    rows.append(["PGR", *(interval(part.pgr) for _, part in scores)])
    rows.append(["PGR over vanilla", *(interval(part.over_vanilla, signed=True) for _, part in scores)])
    rows.append(["gap / SE", *(f"{part.gap_over_se:.1f}" for _, part in scores)])
    title = (
        f"{outcome.benchmark}: {outcome.method} ({options or 'no options'}), "
        f"{len(outcome.seeds)} seeds, {outcome.teachers} teachers, {outcome.seconds:.2f} s"
    )
    weak_gap = [split.value for split, part in scores if part.gap_over_se < MEASURABLE_GAP_OVER_SE]
    notes = [f"not measurable on {', '.join(weak_gap)}: the gap is under 4 standard errors"] if weak_gap else []
    return "\n".join([title, "", columns(rows), *notes])


def outcome_json(outcome: Outcome) -> dict[str, Any]:
    """Everything in the table and the digests behind it, as plain values."""
    plain = asdict(outcome)
    plain["scores"] = {split.value: asdict(part) for split, part in outcome.scores.items()}
    return plain


def interval(estimate: Estimate, *, signed: bool = False) -> str:
    """ "0.39 [0.24, 0.51]"; an open end is "?"; no value is its reason."""
    if estimate.value is None:
        return estimate.reason
    low, high = ("?" if end is None else f"{end:.2f}" for end in (estimate.low, estimate.high))
    return f"{estimate.value:{'+' if signed else ''}.2f} [{low}, {high}]"


def entry_table(entries: Sequence[Entry]) -> str:
    """The feature cache, a line per entry."""
    rows = [["key", "model", "texts", "files", "size", "last used"]]
    for entry in entries:
        files = ", ".join(entry.files) + (" (unfinished)" if entry.unfinished else "")
        used = f"{entry.seconds_unused / 86400:.1f} days ago"
        rows.append([entry.key[:12], entry.model, f"{entry.texts:,}", files, size(entry.size_bytes), used])
    return columns(rows) if entries else "the feature cache is empty"


def benchmark_table(benchmarks: Sequence[BenchmarkSpec]) -> str:
    """The built-in benchmarks, a line each."""
    rows = [["benchmark", "weak", "strong", "student", "offers", "seeds"]]
    for spec in benchmarks:
        rows.append(
            [spec.slug, str(spec.weak), str(spec.strong), spec.student, ", ".join(spec.offers), str(spec.seeds)]
        )
    return columns(rows)


def method_table() -> str:
    """The registered methods, a line each."""
    rows = [["method", "class", "options", "summary"]]
    for name in METHODS.names():
        method = METHODS.get(name)
        fields = method.Options.model_fields
        options = ", ".join(f"{field}={info.default}" for field, info in fields.items())
        rows.append([name, classify(method.uses), options or "-", method.summary])
    return columns(rows)


def size(size_bytes: int) -> str:
    """ "9.5 MiB"."""
    amount, unit = float(size_bytes), 0
    while amount >= 1024 and unit < len(_UNITS) - 1:
        amount, unit = amount / 1024, unit + 1
    return f"{amount:.1f} {_UNITS[unit]}" if unit else f"{size_bytes} B"


def columns(rows: Sequence[Sequence[str]]) -> str:
    """Rows with columns as wide as their widest cell, two spaces apart."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join(lines)


def _spread(accuracies: Sequence[float]) -> str:
    mean = statistics.fmean(accuracies)
    return f"{mean:.3f} ± {statistics.stdev(accuracies):.3f}" if len(accuracies) > 1 else f"{mean:.3f}"
