"""Callers of the API: one per role, each with a token of its own; and a benchmark whose labels are really sealed."""

import numpy as np
import pytest
from rest_framework.test import APIClient

from agents.services import create_token
from experiments import dispatch, ground_truth, scoring
from experiments.models import Benchmark
from experiments.services import uploads
from experiments.services.scored_uploads import score_upload
from tests.factories import make_benchmark, make_teacher

DEV_ITEMS = 200
_WAKE = uploads._wake


class Caller(APIClient):
    """An API client that speaks for one account and shortens addresses."""

    def __init__(self, user=None, token=None, **kwargs):
        super().__init__(**kwargs)
        self.user = user
        if token:
            self.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")

    def generic(self, method, path, *args, **kwargs):
        path = path.removeprefix("http://testserver")
        return super().generic(method, path if path.startswith("/") else f"/api/v1/{path}", *args, **kwargs)

    def send(self, path, body=None, key=""):
        """POST JSON, with an Idempotency-Key if given."""
        headers = {"HTTP_IDEMPOTENCY_KEY": key} if key else {}
        return self.post(path, body, format="json", **headers)


@pytest.fixture
def caller(roles):
    """Makes a caller of a role; the n-th of a role has a name of its own."""
    made = []

    def make(role="agent", *, scopes=("read", "write"), name="", **kwargs):
        made.append(role)
        row, token = create_token(name=name or f"{role}-{len(made)}", role=role, scopes=scopes)
        return Caller(row.user, token, **kwargs)

    return make


@pytest.fixture
def agent(caller):
    return caller("agent")


@pytest.fixture
def researcher(caller):
    return caller("researcher")


@pytest.fixture
def labels(tmp_path, settings):
    """Hidden dev labels, half of them 1."""
    settings.STORAGES = {
        **settings.STORAGES,
        "ground_truth": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": str(tmp_path / "truth")},
        },
    }
    return np.arange(DEV_ITEMS, dtype=np.int8) % 2


@pytest.fixture
def sealed_benchmark(roles, labels, monkeypatch) -> Benchmark:
    """Ready, with DEV_ITEMS sealed dev labels, weak accuracy .6 and ceiling .8 on dev; this process may score."""
    monkeypatch.setattr(ground_truth, "_opened", type(ground_truth._opened)())
    scoring.become_scorer()
    sealed = scoring.store_labels("geography", {"dev": labels, "holdout": labels})
    benchmark = make_benchmark(
        provenance={"data": "d" * 64, "labels": sealed},
        sizes={"student_train": 3, "dev": DEV_ITEMS, "holdout": DEV_ITEMS},
    )
    make_teacher(benchmark)
    return benchmark


@pytest.fixture
def scorer(monkeypatch):
    """Uploads are scored where they are written, in the test's own transaction."""
    monkeypatch.setattr(uploads, "_wake", lambda _, upload_id: score_upload(upload_id))


@pytest.fixture
def called_scorer(scorer, monkeypatch):
    """Uploads are scored where they are sent: the broker and the worker's process are left out, nothing else."""
    monkeypatch.setattr(uploads, "_wake", _WAKE)
    monkeypatch.setattr(dispatch, "score_upload", score_upload)


@pytest.fixture
def plain_static(settings):
    """Pages find their static files without the manifest that `manage.py prepare` makes."""
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": plain}


def vector(labels, wrong: int) -> list[int]:
    """Predictions that are wrong on the first `wrong` items."""
    guess = labels.copy()
    guess[:wrong] = 1 - guess[:wrong]
    return guess.tolist()


def problem(response, status: int, slug: str) -> dict:
    """The body of a problem response, its frame checked."""
    assert response.status_code == status, response.content[:500]
    assert response["Content-Type"] == "application/problem+json"
    body = response.json()
    assert body["type"] == f"/problems/{slug}"
    assert body["status"] == status
    assert body["title"]
    assert body["instance"].startswith("/api/")
    return body
