"""What the tests of oversight share."""

import hashlib

from experiments.models import Experiment
from experiments.snapshots.models import Snapshot, SnapshotParent
from oversight.models import Flag
from oversight.services.flags import raise_flag
from tests.agents.conftest import make_campaign, the_agent
from tests.factories import make_experiment


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
