"""Published figures as benchmarks of their own: external rows beside ours, which nothing in the lab is tuned to."""

import json
from pathlib import Path
from typing import Any

from django.db import transaction

from experiments.lifecycle import BenchmarkState
from experiments.models import Benchmark, ReferenceResult
from metrics import pgr_from_fixed

_FILE = Path(__file__).resolve().parent.parent / "reference_data.json"


def published() -> dict[str, Any]:
    """The file of published figures: where they come from, and per dataset sizes, baselines and methods."""
    return dict(json.loads(_FILE.read_text(encoding="utf-8")))


@transaction.atomic
def import_references() -> list[str]:
    """Write the reference benchmarks "chat", "math" and "code" with their rows; safe to repeat.

    PGR is computed here from the accuracies per seed, by the lab's own arithmetic. Returns: their slugs. A benchmark
    of somebody's own that has taken such a name is left alone.
    """
    data = published()
    written = []
    for slug, facts in data["datasets"].items():
        row, _ = Benchmark.objects.get_or_create(
            slug=slug, defaults={"state": BenchmarkState.REFERENCE, "builtin": True, **_columns(slug, facts, data)}
        )
        if row.state != BenchmarkState.REFERENCE:
            continue
        for each in facts["methods"]:
            ReferenceResult.objects.update_or_create(
                benchmark=row, method=each["method"], defaults=_result(each, facts, data)
            )
        written.append(slug)
    return written


def _columns(slug: str, facts: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
    arms = ", ".join(
        f"{arm} {facts[arm]['mean']:.4f} ± {facts[arm]['se']:.4f} ({facts[arm]['seeds']} seeds)"
        for arm in ("weak", "ceiling")
    )
    return {
        "title": f"{facts['title']} (published)",
        "description": f"{facts['description']} Published accuracies: {arms}.",
        "dataset": f"published:{slug}",
        "split_rule": "As published; the items are not held here.",
        "weak_model": facts["weak_model"],
        "strong_model": facts["strong_model"],
        "student": "lora",
        "offers": [],
        "teachers": facts["weak"]["seeds"],
        "on_demand": True,
        "sizes": facts["sizes"],
        "provenance": {"source": data["source"], "weak": facts["weak"], "ceiling": facts["ceiling"]},
    }


def _result(each: dict[str, Any], facts: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
    weak, ceiling = ((facts[arm]["mean"], facts[arm]["se"]) for arm in ("weak", "ceiling"))
    measured = pgr_from_fixed(each["transfer_per_seed"], weak, ceiling, facts["sizes"]["test"])
    return {
        "title": each["title"],
        "transfer_per_seed": each["transfer_per_seed"],
        "pgr_mean": measured.mean,
        "pgr_se_seeds": measured.se_seeds,
        "pgr_se_total": measured.se_total,
        "source": data["source"] + (f". {each['note']}" if "note" in each else ""),
        "doubtful": data["doubtful"] if each["doubtful"] else "",
    }
