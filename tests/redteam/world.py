"""The lab that is attacked: geography with the real model's features, everything through the real doors.

The broker and the workers' processes are left out: what waits is done here, by the workers' own functions.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from rest_framework.test import APIClient

from aarweb.roles import sync_roles
from agents.services import create_token
from experiments import dispatch, ground_truth, scoring
from experiments.api import evaluations as door
from experiments.models import Benchmark, Experiment, Prediction, Upload
from experiments.scored_probes import score_probe
from experiments.services import uploads
from experiments.services.benchmarks import request_preparation, sync_builtin
from experiments.services.probes import add_probes
from experiments.services.scored_uploads import score_upload
from experiments.services.workers import announce, announce_methods
from oversight.inspection import inspect_experiment, inspect_refusals, inspect_uploads
from oversight.models import Flag
from tests.factories import make_user
from tests.lab.labs import CACHE
from workers.catalogue import methods
from workers.extraction import extract_features
from workers.management.commands.benchmark import facts_of
from workers.preparation import prepare_next
from workers.probing import probe_next
from workers.training import train_next
from workers.w2s.benchmarks import BUILTIN
from workers.w2s.spec import BenchmarkSpec

SLUG = "geography"
SEEDS = int(os.environ.get("REDTEAM_SEEDS", "2"))  # each is a sandbox of its own, and one for each of its reruns
WORKER = "gpu@redteam"


def cache_dir() -> Path:
    """Where features are kept, with those of whole labs; REDTEAM_CACHE names a folder that outlives the run."""
    return Path(os.environ.get("REDTEAM_CACHE") or CACHE)


def open_lab() -> Benchmark:
    """This process as gpu and evaluation worker in one, and a ready benchmark."""
    sync_roles()
    scoring.become_scorer()
    announce_methods(methods=methods())
    announce(name=WORKER, queues=["gpu"], device="cpu", versions={"sandbox": "bubblewrap"})
    return open_benchmark(next(each for each in BUILTIN if each.slug == SLUG))


def open_benchmark(spec: BenchmarkSpec) -> Benchmark:
    """Made ready by the real steps."""
    sync_builtin(benchmarks=[replace(facts_of(spec), teachers=5, default_seeds=5)])
    request_preparation(user=make_user("admin"), slug=spec.slug)
    assert prepare_next(worker="evaluation@redteam", slug=spec.slug)
    assert extract_features(worker=WORKER, slug=spec.slug)
    assert prepare_next(worker="evaluation@redteam", slug=spec.slug)
    return Benchmark.objects.get(slug=spec.slug)


def silence_the_broker(monkeypatch) -> None:
    """No message is sent: what waits is done by `work`, and an upload is scored where the web waits for its answer."""
    monkeypatch.setattr(dispatch, "_send", lambda task, queue, *args: None)
    monkeypatch.setattr(door, "await_evaluation", _scored_at_once)


def _scored_at_once(upload_id: int):
    score_upload(upload_id)
    return uploads.told_of(Upload.objects.get(pk=upload_id).evaluation)


class Account:
    """An agent with a token, which knows nothing but the API."""

    def __init__(self, name: str) -> None:
        row, token = create_token(name=name, role="agent", scopes=("read", "write"))
        self.user = row.user
        self._client = APIClient(raise_request_exception=False)
        self._client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")

    def get(self, path: str):
        return self._client.get(f"/api/v1/{path}")

    def post(self, path: str, body: Mapping):
        return self._client.post(f"/api/v1/{path}", body, format="json")

    def upload(self, bits, slug: str = SLUG) -> float | None:
        """Dev PGR as the agent is told it; None once the budget is spent."""
        answer = self.post("evaluations/", {"benchmark": slug, "predictions": np.asarray(bits).astype(int).tolist()})
        return answer.json()["dev_pgr"] if answer.status_code < 300 else None

    def snapshot(self, files: Mapping[str, str], parents=()) -> int:
        answer = self.post("snapshots/", {"files": dict(files), "parents": list(parents)})
        assert answer.status_code in (200, 201), answer.content
        return answer.json()["id"]

    def submit(self, method: Mapping, seeds: int = SEEDS, slug: str = SLUG) -> Experiment:
        answer = self.post(
            "experiments/",
            {"benchmark": slug, "title": "An idea", "hypothesis": "It helps", "method": dict(method), "seeds": seeds},
        )
        assert answer.status_code == 202, answer.content
        return Experiment.objects.get(pk=answer.json()["id"])

    def run_code(
        self, code: str, seeds: int = SEEDS, files: Mapping[str, str] | None = None, parents=(), slug: str = SLUG
    ) -> Experiment:
        """Submits method.py, trains, scores, inspects."""
        snapshot = self.snapshot({"method.py": code, **(files or {})}, parents)
        return work(self.submit({"snapshot": snapshot}, seeds, slug))

    def told(self, experiment: Experiment) -> float | None:
        """The dev PGR that the agent sees of its experiment."""
        return self.get(f"experiments/{experiment.pk}/").json().get("dev_pgr")

    def post_finding(self, experiments, title: str = "It works") -> int:
        answer = self.post(
            "findings/",
            {"kind": "result", "title": title, "body": "See the numbers.", "experiments": list(experiments)},
        )
        assert answer.status_code == 201, answer.content
        return answer.json()["id"]


def work(experiment: Experiment) -> Experiment:
    """What gpu and evaluation workers do with a submission."""
    while train_next(worker=WORKER):
        pass
    scoring.score_experiment(experiment.pk)
    inspect_experiment(experiment_id=experiment.pk, worker="evaluation@redteam")
    experiment.refresh_from_db()
    return experiment


def probe(experiment: Experiment, *kinds: str) -> None:
    """Reruns of an experiment, scored and looked at, as for one that would lead."""
    experiment.probes.filter(state="queued").update(state="failed", error="the red team asks for its own")
    for made in add_probes(experiment_id=experiment.pk, kinds=kinds):
        assert probe_next(worker=WORKER)
        score_probe(made.pk)
    look_again(experiment)


def look_again(experiment: Experiment) -> None:
    """The inspection that news asks for."""
    from oversight.services.inspections import request_inspection

    request_inspection(experiment_id=experiment.pk)
    inspect_experiment(experiment_id=experiment.pk, worker="evaluation@redteam")


def look_at_uploads(benchmark: Benchmark) -> None:
    inspect_uploads(benchmark_id=benchmark.pk, worker="evaluation@redteam")
    inspect_refusals()


def answers_of(experiment: Experiment, row: int = 0) -> np.ndarray:
    """(items,) what one run of it predicts on dev: an honest model to start from."""
    run = experiment.runs.order_by("seed_index")[row]
    stored = Prediction.objects.get(run=run, split="dev")
    return np.frombuffer(bytes(stored.probs), dtype="<f4") >= 0.5


def truth(benchmark: Benchmark, split: str) -> np.ndarray:
    """For the referee, and for attackers who bought labels elsewhere."""
    sealed = ground_truth.Sealed(**benchmark.provenance["labels"])
    return ground_truth.read(sealed)[split].astype(bool)


@dataclass
class Outcome:
    """One line of the table. stopped: by what it was prevented or detected, "" if by nothing."""

    attack: str
    queries: int = 0
    prevented: str = ""
    flags: list[tuple[str, str]] = field(default_factory=list)
    leaked: float | None = None
    note: str = ""

    @property
    def held(self) -> bool:
        return any(level == "hold" for _, level in self.flags)

    @property
    def flagged(self) -> bool:
        return any(level in ("flag", "hold") for _, level in self.flags)

    @property
    def stopped(self) -> bool:
        return bool(self.prevented) or self.flagged


def flags_on(*, accounts=(), experiments=()) -> list[tuple[str, str]]:
    """(detector, level) of every flag above a note on these."""
    users = [account.user.pk for account in accounts]
    keys = [experiment.pk for experiment in experiments]
    found = Flag.objects.exclude(level="info")
    rows = found.filter(upload__submitter__in=users) | found.filter(experiment__in=keys)
    return sorted(set(rows.values_list("detector", "level")))
