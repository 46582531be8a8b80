"""Transfer studies for the made-up lab: every experiment that leads its board was studied, many of them often."""

import numpy as np
from django.contrib.auth.models import User
from django.utils import timezone

from experiments.models import Benchmark, Experiment
from experiments.transfer.models import TransferCell, TransferStudy
from experiments.transfer.plans import canonical, hash_of

STUDIES, CELLS = 300, 5
_VERDICTS = ("transfers", "inconclusive", "does_not_transfer", "harms", "not_measurable")


def fill(owner: User, benchmarks: list[Benchmark], rng: np.random.Generator) -> None:
    """Studies of the best experiments of the first benchmark, in cells of the others, all of them done."""
    scored = Experiment.objects.filter(state="scored", standing="counted", dev_pgr__isnull=False).order_by("-dev_pgr")
    sources = list(scored.filter(benchmark=benchmarks[0])[:STUDIES])
    ran = iter(scored.exclude(benchmark=benchmarks[0])[: STUDIES * CELLS])
    places = benchmarks[1 : 1 + CELLS]
    now = timezone.now()
    for source in sources:
        plan = _plan(source, places)
        study = TransferStudy.objects.create(
            experiment=source, author=owner, theta_min=0.2, seeds=5, confirmatory=True, plan_text=canonical(plan),
            plan_hash=hash_of(plan), state="done", finished_at=now,
        )  # fmt: skip
        TransferCell.objects.bulk_create(
            TransferCell(
                study=study, benchmark=place, experiment=experiment, verdict=_VERDICTS[experiment.pk % len(_VERDICTS)],
                numbers=_numbers(rng), judged_at=now,
            )
            for place, experiment in zip(places, ran, strict=False)
        )  # fmt: skip


def _plan(source: Experiment, places: list[Benchmark]) -> dict[str, object]:
    cell = {"n_items": 1000, "weak": 0.6, "vanilla": 0.7, "ceiling": 0.8, "gap": 0.2, "mde": 0.2, "seen_before": 1}
    more = {
        "chosen_of": 4000, "selection_bias": 0.1, "dev_pgr": source.dev_pgr, "dev_pgr_less_bias": 0.4,
    }  # fmt: skip
    return {
        "experiment": source.pk, "method": source.method.name, "method_digest": source.method_digest, "alpha": 0.05,
        "split": "holdout", "correction": "holm", "exclusions": "none", "stop": "when all have ended", "source": more,
        "cells": [{**cell, "benchmark": each.slug} for each in places],
    }  # fmt: skip


def _numbers(rng: np.random.Generator) -> dict[str, object]:
    pgr = float(rng.normal(0.4, 0.3))
    score = {
        "value": pgr, "se": 0.1, "low": pgr - 0.2, "high": pgr + 0.2, "bounded": True, "n_items": 1000, "n_seeds": 5,
        "level": 0.95, "reason": "",
    }  # fmt: skip
    return {
        "accuracies": {"weak": 0.6, "candidate": 0.7, "vanilla": 0.7, "ceiling": 0.8}, "pgr": score,
        "over_vanilla": score, "lower": pgr - 0.17, "upper": pgr + 0.17, "p": float(rng.uniform()), "gap_over_se": 9.0,
        "failed": 0, "sensitivity": None, "bootstrap": [pgr - 0.25, pgr + 0.25],
        "settle": {"items": 4000, "seeds": None, "both": None}, "says": "Inconclusive: on both sides of the margin.",
    }  # fmt: skip
