"""What tests of pages share: people of every role, logged in, and a lab with something in every state."""

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from tests.factories import (
    make_benchmark,
    make_event,
    make_experiment,
    make_method,
    make_reference,
    make_upload_evaluation,
    make_user,
    make_worker,
)

SECRET = 0.7654321  # the holdout PGR of every scored experiment of `lab`: nobody else may meet its digits


@pytest.fixture(autouse=True)
def _plain_static_files(settings):
    """Pages name their files without the manifest that collectstatic makes."""
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": plain}
    settings.STATIC_ROOT.mkdir(parents=True, exist_ok=True)  # else whitenoise warns in every test


def logged_in(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def viewer(db):
    return logged_in(make_user("viewer"))


@pytest.fixture
def researcher(db):
    return logged_in(make_user("researcher", name="rosa"))


@pytest.fixture
def admin(db):
    return logged_in(make_user("admin", is_staff=True))


@pytest.fixture
def agent(db):
    return logged_in(make_user("agent"))


@pytest.fixture
def blind(db):
    """Somebody who may look at everything but the holdout."""
    user = make_user("", name="blind")
    user.user_permissions.add(Permission.objects.get(codename="view_lab"))
    return logged_in(user)


@pytest.fixture
def lab(roles):
    """Benchmarks and experiments in every state. Returns: what tests ask for by name."""
    user = make_user("researcher", name="ada")
    geography = make_benchmark("geography", title="Geography")
    make_benchmark("elements", state="preparing", stage="features", progress_done=10, progress_total=40)
    make_benchmark("grammar", state="failed", error="grammar.jsonl, line 118: label is 2")
    make_benchmark("latitude", state="registered")
    chat = make_benchmark("chat", state="reference", title="Chat", baselines=False)
    make_reference(chat)
    make_reference(chat, "entropy", doubtful="its per-seed values repeat")
    vanilla = make_method("vanilla", title="Vanilla student")
    gray = make_method("zero-shot", method_class="policy_gray", uses=["likelihood"], options_schema={})
    common = {"benchmark": geography, "user": user, "method": vanilla}
    scored = make_experiment(
        state="scored", title="The scored one", dev=0.5, holdout=SECRET, options={"l2": 0.5}, **common
    )
    other = make_experiment(state="scored", title="The other one", dev=0.3, holdout=SECRET, **common)
    rows = {
        "scored": scored,
        "other": other,
        "gray": make_experiment(
            state="scored", title="The gray one", dev=0.9, holdout=SECRET, benchmark=geography, user=user, method=gray,
            standing="policy_gray",
        ),
        "disqualified": make_experiment(
            state="scored", title="The bad one", dev=0.8, holdout=SECRET, standing="disqualified", **common
        ),
        "running": make_experiment(state="running", title="The running one", **common),
        "queued": make_experiment(title="The queued one", **common),
        "failed": make_experiment(state="failed", title="The failed one", error="every seed failed", **common),
        "cancelled": make_experiment(state="cancelled", title="The cancelled one", **common),
    }  # fmt: skip
    make_worker()
    make_upload_evaluation(benchmark=geography, user=user)
    make_event("experiment.submitted", f"experiment:{scored.pk}", user=user, payload={"experiment": scored.pk})
    make_event("experiment.scored", f"experiment:{scored.pk}", payload={"experiment": scored.pk, "state": "scored"})
    return rows


def addresses(lab) -> list[str]:
    """Every page, fragment, figure and file of the lab that is read with GET."""
    one, two = lab["scored"].pk, lab["other"].pk
    figures = {
        "pgr-over-time": "benchmark=geography",
        "benchmark-methods": "benchmark=geography",
        "leaderboard": "benchmark=geography&class=weak_to_strong",
        "method-benchmarks": "method=vanilla",
        "compared-scores": f"ids={one},{two}",
        "seed-spread": f"ids={one}",
        "training-curves": f"experiment={one}",
        "throughput": "",
    }
    return [
        "/",
        "/?benchmark=geography",
        "/experiments/",
        "/experiments/?state=scored&order=-dev_pgr",
        "/experiments/export.csv",
        f"/experiments/compare/?ids={one},{two}",
        *(f"/experiments/{row.pk}/" for row in lab.values()),
        f"/experiments/{one}/row/",
        f"/experiments/{one}.json",
        "/benchmarks/",
        *(f"/benchmarks/{slug}/" for slug in ("geography", "elements", "grammar", "latitude", "chat")),
        "/leaderboard/",
        "/leaderboard/?benchmark=geography&standing=all",
        "/leaderboard/?benchmark=geography&class=policy_gray",
        "/leaderboard/?benchmark=chat",
        "/methods/",
        "/methods/vanilla/",
        "/methods/zero-shot/",
        "/workers/",
        *(f"/charts/{name}/?{query}" for name, query in figures.items()),
        *(f"/charts/{name}/table/?{query}" for name, query in figures.items()),
        *(f"/charts/{name}.csv?{query}" for name, query in figures.items()),
    ]


FRAGMENTS = [
    *(f"/?part={part}" for part in ("now", "events", "benchmarks", "findings", "begin", "watch")),
    "/experiments/",
    "/benchmarks/",
    "/workers/",
]
