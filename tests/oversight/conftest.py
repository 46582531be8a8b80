"""What the tests of oversight share."""

import hashlib
from threading import Event, current_thread

import pytest

from experiments.models import Experiment
from experiments.snapshots.models import Snapshot, SnapshotParent
from oversight.models import Flag
from oversight.services.decisions import decide_flag
from oversight.services.flags import raise_flag
from tests.agents.conftest import make_campaign, the_agent
from tests.asides import Aside, waits
from tests.factories import make_experiment


@pytest.fixture
def stop(monkeypatch):
    """stop(owner, name, work): work begins on its own connection and stands where it calls `name`, holding rows.

    Returns: the thread, and what lets it go on; a test that failed leaves nobody standing.
    """
    standing = []

    def begin(owner, name, work):
        held, go_on, known, started = Event(), Event(), getattr(owner, name), Event()

        def slowly(*args, **fields):
            if current_thread() is early:
                held.set()
                assert go_on.wait(60)
            return known(*args, **fields)

        def run():
            assert started.wait(60)
            return work()

        standing.append(go_on)
        monkeypatch.setattr(owner, name, slowly)
        early = Aside(run)
        started.set()
        assert held.wait(60)
        return early, go_on

    yield begin
    for go_on in standing:
        go_on.set()


@pytest.fixture
def meet(stop):
    """meet(owner, name, first, second): first stands at `name`; second comes and waits; first goes on; both end."""

    def run(owner, name, first, second):
        early, go_on = stop(owner, name, first)
        late = Aside(second)
        assert waits(late)
        go_on.set()
        early.result()
        return late.result()

    return run


def raised(subject, *, level: str = "flag", detector: str = "replay", said: str = "h = 0.04", **fields) -> Flag:
    """A detector's flag."""
    values = {"title": "Predictions differ from the replay", "statistic": 0.04, "threshold": 0.01, "p_value": 1e-6}
    evidence = [{"text": said, "link": "/experiments/1/"}]
    return raise_flag(detector=detector, level=level, subject=subject, evidence=evidence, **{**values, **fields})


def agents_experiment(**fields) -> Experiment:
    """A scored experiment of an agent in a running campaign."""
    agent = the_agent(make_campaign())
    return make_experiment(user=agent.user, state="scored", campaign=agent.campaign_id, **fields)


def make_snapshot(user, text: str, *parents: Snapshot) -> Snapshot:
    """Code with a line of descent."""
    made = Snapshot.objects.create(
        digest=hashlib.sha256(text.encode()).hexdigest(),
        submitter=user,
        files={"method.py": text},
        n_files=1,
        size_bytes=len(text),
    )
    SnapshotParent.objects.bulk_create(SnapshotParent(child=made, parent=parent) for parent in parents)
    return made


def coded(user) -> Experiment:
    """A scored experiment with code of its own."""
    return make_experiment(user=user, state="scored", snapshot=make_snapshot(user, "def fit(): pass"))


def decided(flag: Flag, verdict: str, *reviewers) -> None:
    """What these say of it, one after the other."""
    for reviewer in reviewers:
        decide_flag(user=reviewer, flag_id=flag.pk, verdict=verdict, reason="looked")
