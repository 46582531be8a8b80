"""Every method on every built-in benchmark, as the Markdown of docs/results.md.

python -m bench.results [--cache-dir DIR] [--seeds N] [--benchmark B ...] [--method M ...] [--write]. Scores are kept in
the cache folder by content, so what was interrupted goes on, and a second call prints at once. --write replaces the
part of docs/results.md after its marker; otherwise the Markdown is printed. Options are the methods' defaults, or a
variant fixed in this file; nothing is chosen by its score, except in the row that says so.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import metrics
from metrics import Estimate
from workers.w2s.arena import method_digest
from workers.w2s.benchmarks import BUILTIN
from workers.w2s.cli.experiment import Bench, SplitScores, check_request
from workers.w2s.cli.progress import progress_line
from workers.w2s.cli.tables import interval
from workers.w2s.heads import L2_GRID
from workers.w2s.methods import METHODS, NotOffered, classify
from workers.w2s.spec import BenchmarkSpec, Split

PAGE = Path(__file__).resolve().parents[1] / "docs" / "results.md"
MARKER = "<!-- below this line: printed by python -m bench.results -->"
# method -> options worth a row beside the defaults
VARIANTS: Mapping[str, Sequence[Mapping[str, Any]]] = {
    "logconf": ({"l2": 10.0},),
    "noisy-channel": ({"prior": "likelihood"},),
    "pca": ({"rank": 2},),
    "zero-shot": ({"answer": "likelihood"},),
}
FEWER_SEEDS = {"few-shot": 10}  # it reads every training item once a seed
TUNED = "vanilla, l2 chosen by true accuracy"
_METRICS = hashlib.sha256(Path(metrics.__file__).read_bytes()).hexdigest()  # scores depend on it as well


@dataclass(frozen=True)
class Row:
    """A line of a table. scores: by split."""

    name: str
    kind: str
    seeds: int
    seconds: float
    scores: Mapping[str, SplitScores]


def main(argv: Sequence[str] | None = None) -> None:
    """Run what is missing, then print or write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cache-dir", type=Path, default=Path("/tmp/aarweb-bench"))
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--benchmark", nargs="+", default=[spec.slug for spec in BUILTIN if not spec.on_demand])
    parser.add_argument("--method", nargs="+", default=METHODS.names())
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args(argv)
    specs = [spec for spec in BUILTIN if spec.slug in asked.benchmark]
    tables = {}
    for spec in specs:
        seeds = spec.seeds if spec.on_demand else asked.seeds
        bench = Bench.open(spec, seeds=seeds, cache_dir=asked.cache_dir, report=progress_line(sys.stderr))
        tables[spec.slug] = list(rows(bench, asked.method, asked.cache_dir))
    text = "\n".join([*summary(tables), *(line for spec in specs for line in section(spec, tables[spec.slug]))])
    if asked.write:
        head = PAGE.read_text(encoding="utf-8").split(MARKER)[0]
        PAGE.write_text(f"{head}{MARKER}\n\n{text}\n", encoding="utf-8")
    else:
        print(text)


def rows(bench: Bench, methods: Sequence[str], cache_dir: Path) -> Iterator[Row]:
    """One row per method and variant that the benchmark allows, and the one that cheats."""
    for name in methods:
        for options in ({}, *VARIANTS.get(name, ())):
            try:
                check_request(bench.spec, name, options)
            except NotOffered:
                continue
            yield scored(bench, name, options, cache_dir)
    if bench.spec.student == "probe":
        tried = [scored(bench, "vanilla", {"l2": l2}, cache_dir) for l2 in L2_GRID]
        best = {
            split.value: max((row.scores[split.value] for row in tried), key=lambda part: part.pgr.value or 0.0)
            for split in (Split.DEV, Split.HOLDOUT)
        }
        yield Row(TUNED, "cheating", len(bench.baselines.seeds), sum(row.seconds for row in tried), best)


def scored(bench: Bench, method: str, options: Mapping[str, Any], cache_dir: Path) -> Row:
    """The method's row, from the cache if the same code has run on the same data."""
    seeds = min(FEWER_SEEDS.get(method, len(bench.baselines.seeds)), len(bench.baselines.seeds))
    about = [method_digest(method, options), bench.dataset.digest, bench.arena.digests, seeds]
    about += [len(bench.baselines.seeds), bench.spec.student, bench.spec.teachers, _METRICS]
    path = cache_dir / "results" / f"{hashlib.sha256(json.dumps(about).encode()).hexdigest()[:40]}.json"
    shown = ", ".join(f"{key}={value}" for key, value in options.items())
    name = f"{method} ({shown})" if shown else method
    kind = classify(METHODS.get(method).uses).replace("_", "-")
    if not path.exists():
        print(f"{bench.spec.slug}: {name}", file=sys.stderr)
        outcome = bench.run(method, options, progress_line(sys.stderr), seeds=seeds)
        stored = {"seconds": outcome.seconds, "scores": {s.value: asdict(p) for s, p in outcome.scores.items()}}
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".tmp")
        partial.write_text(json.dumps(stored))
        partial.rename(path)
    stored = json.loads(path.read_text())
    return Row(name, kind, seeds, stored["seconds"], {s: _scores(part) for s, part in stored["scores"].items()})


def _scores(part: dict[str, Any]) -> SplitScores:
    estimates = {name: Estimate(**part[name]) for name in ("pgr", "over_vanilla", "control_pgr")}
    return SplitScores(**part | estimates)


def summary(tables: Mapping[str, Sequence[Row]]) -> Iterator[str]:
    """PGR on holdout, methods down, benchmarks across."""
    slugs = list(tables)
    names = list(dict.fromkeys(row.name for table in tables.values() for row in table))
    cells = {(slug, row.name): row.scores["holdout"].pgr.value for slug in slugs for row in tables[slug]}
    yield "## PGR on holdout, at a glance"
    yield ""
    yield f"| method | {' | '.join(slugs)} |"
    yield f"|---|{'---:|' * len(slugs)}"
    for name in names:
        shown = [cells.get((slug, name)) for slug in slugs]
        yield f"| {name} | {' | '.join('' if value is None else f'{value:.2f}' for value in shown)} |"
    yield ""


def section(spec: BenchmarkSpec, table: Sequence[Row]) -> Iterator[str]:
    """A benchmark: its arms, then its methods, the best on holdout first."""
    parts = table[0].scores
    yield f"## {spec.slug}"
    yield ""
    yield f"Weak `{spec.weak}`, strong `{spec.strong}`, student: {spec.student}. Accuracies:"
    yield ""
    yield "| split | items | groups | weak | control | vanilla | ceiling | gap / SE | PGR of the control |"
    yield "|---|---:|---:|---:|---:|---:|---:|---:|---:|"
    for split in ("dev", "holdout"):
        part = parts[split]
        means = {arm: sum(values) / len(values) for arm, values in part.accuracies.items()}
        arms = " | ".join(f"{means[arm]:.3f}" for arm in ("weak", "control", "vanilla", "ceiling"))
        gap, control = f"{part.gap_over_se:.1f}", interval(part.control_pgr)
        yield f"| {split} | {part.n_items:,} | {part.n_groups} | {arms} | {gap} | {control} |"
    yield ""
    yield "| method | class | seeds | PGR dev | PGR holdout | over vanilla, holdout | s |"
    yield "|---|---|---:|---:|---:|---:|---:|"
    for row in sorted(table, key=lambda row: -(row.scores["holdout"].pgr.value or -9.0)):
        dev, holdout = row.scores["dev"], row.scores["holdout"]
        over = interval(holdout.over_vanilla, signed=True)
        yield (
            f"| {row.name} | {row.kind} | {row.seeds} | {interval(dev.pgr)} | {interval(holdout.pgr)} "
            f"| {over} | {row.seconds:.1f} |"
        )
    yield ""


if __name__ == "__main__":
    main()
