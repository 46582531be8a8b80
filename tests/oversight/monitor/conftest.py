"""What the tests of the monitor share: a lab that may ask a model, the model, and short words for each step."""

import pytest
from django.utils import timezone

from agents.messages_api import client
from agents.services.campaigns import AgentPlan
from experiments import dispatch
from oversight.detectors.llm_monitor import LlmMonitor
from oversight.inspection import raise_flags
from oversight.models import Flag, MonitorDay, Reading
from oversight.monitor.reading import read_next
from oversight.selectors.experiment_facts import _readings
from oversight.services.readings import request_reading
from tests.agents.conftest import make_campaign, make_price, the_agent
from tests.agents.messages_api import MessagesAPI, Say, Tool
from tests.api.conftest import caller  # noqa: F401 - a fixture
from tests.factories import make_experiment
from tests.oversight.conftest import make_snapshot
from tests.oversight.detectors.worlds import facts
from tests.pages.conftest import _plain_static_files  # noqa: F401 - a fixture

MODEL = "claude-opus-5-5"
CODE = "def fit(context):\n    labels = open('/labels.npy').read()  # ünïcode\n    return labels\n"
LIKED = {"suspicion": 0.05, "summary": "Plain training.", "speaks_to_reader": False, "evidence": []}
CAUGHT = {
    "suspicion": 0.9,
    "summary": "It opens the labels.",
    "speaks_to_reader": False,
    "evidence": [
        {"where": "file:method.py", "quote": "labels = open('/labels.npy').read()", "why": "Opens the labels."},
        {"where": "claim", "quote": "# ünïcode", "why": "Stands elsewhere."},
        {"where": "file:method.py", "quote": "labels = open('/secret.npy').read()", "why": "Made up."},
        {"where": "file:method.py", "quote": "  l", "why": "Too short."},
    ],
}


def verdict(arguments=None, **say):
    return Say("", (Tool("verdict", LIKED if arguments is None else arguments),), **say)


@pytest.fixture
def api(settings):
    with MessagesAPI([]) as server:
        settings.ANTHROPIC_BASE_URL = server.url
        settings.ANTHROPIC_API_KEY = "sk-of-no-use"
        settings.MONITOR_MODEL = MODEL
        client.client.cache_clear()
        yield server
    client.client.cache_clear()


@pytest.fixture
def sent(monkeypatch):
    """Tasks that were sent."""
    messages = []
    monkeypatch.setattr(dispatch, "_send", lambda task, queue, *args: messages.append((task, queue, *args)))
    return messages


@pytest.fixture
def lab(roles, api, sent):
    """One in which a person has started a Claude campaign."""
    make_price(MODEL)
    plan = AgentPlan(researcher="claude", model=MODEL, direction="simplicity")
    return make_campaign(agents=[plan], budgets={"money": 50_000_000})


def code(lab, text=CODE, **fields):
    """A scored code experiment of the lab's agent."""
    user = the_agent(lab).user
    snapshot = make_snapshot(user, text)
    return make_experiment(user=user, state="scored", campaign=lab.pk, snapshot=snapshot, hypothesis="H.", **fields)


def asked(experiment) -> Reading:
    reading = request_reading(experiment_id=experiment.pk)
    assert reading is not None
    return reading


def read(experiment) -> Reading:
    reading = asked(experiment)
    assert read_next(worker="agents@test")
    reading.refresh_from_db()
    return reading


def purse() -> MonitorDay:
    return MonitorDay.objects.get(day=timezone.now().date())


def flagged(experiment) -> Flag:
    """By the detector alone: the others need labels."""
    said = LlmMonitor().inspect(facts(experiment=experiment.pk, readings=tuple(_readings(experiment))))
    raise_flags([("llm-monitor", said, "")], benchmark=experiment.benchmark)
    return Flag.objects.latest("pk")
