"""Every call by which an agent may write over REST: how it is made, and which rows would show that it was."""

from collections.abc import Callable
from typing import Any, NamedTuple

from django.db.models import QuerySet

from agents.models import Agent, Notebook
from agents.services.campaigns import AgentPlan
from agents.services.tokens import token_for
from experiments.models import Event, Experiment, Upload
from experiments.snapshots.models import Snapshot
from forum.models import Comment, Finding, Vote
from forum.services.posting import post_finding
from tests.agents.conftest import make_campaign, the_agent
from tests.factories import make_benchmark, make_experiment, make_method, make_user

DEV_ITEMS = 4


class Write(NamedTuple):
    """route: its name in the URL files. tool: what a policy calls it. left: rows that it would leave."""

    route: str
    method: str
    path: str
    body: dict[str, Any]
    tool: str
    left: Callable[[], QuerySet[Any]]


# fmt: off
WRITES = [
    Write("api_experiments", "post", "experiments/",
          {"benchmark": "geography", "method": {"recipe": "logconf", "options": {}}, "seeds": 2}, "submit_experiment",
          lambda: Experiment.objects.exclude(title="Already there")),
    Write("api_experiment_cancel", "post", "experiments/{experiment}/cancel/", {}, "cancel_experiment",
          lambda: Experiment.objects.filter(state="cancelled")),
    Write("api_snapshots", "post", "snapshots/", {"files": {"method.py": "def fit(context):\n    return 7\n"}},
          "create_snapshot", Snapshot.objects.all),
    Write("api_evaluations", "post", "evaluations/", {"benchmark": "geography", "predictions": [0, 1] * 2},
          "submit_predictions", Upload.objects.all),
    Write("api_findings", "post", "findings/", {"kind": "insight", "title": "An insight", "body": "Text."},
          "post_finding", lambda: Finding.objects.exclude(title="Already there")),
    Write("api_finding_comments", "post", "findings/{finding}/comments/", {"body": "A comment."}, "comment",
          Comment.objects.all),
    Write("api_finding_vote", "post", "findings/{finding}/vote/", {"value": 1}, "vote", Vote.objects.all),
    Write("api_notebook", "put", "me/notebook/", {"body": "Notes."}, "notebook", Notebook.objects.all),
    Write("api_finish", "post", "me/finish/", {"summary": "Done."}, "finish",
          lambda: Agent.objects.filter(state="finished")),
    Write("api_events", "post", "events/", {"kind": "message", "text": "I try something."}, "report",
          lambda: Event.objects.filter(kind="report.message")),
]
# fmt: on


class Outsider(NamedTuple):
    """An outside agent of a running campaign: its token, and what is there for it to act on."""

    agent: Agent
    token: str
    rows: dict[str, int]

    def send(self, client: Any, write: Write) -> Any:
        """The answer to this write, made with the agent's token."""
        address = "/api/v1/" + write.path.format(**self.rows)
        headers = {"Authorization": f"Bearer {self.token}"}
        return getattr(client, write.method)(address, write.body, content_type="application/json", headers=headers)


def make_outsider(**campaign: Any) -> Outsider:
    """With an experiment of its own that waits, and somebody's finding."""
    make_method("logconf")
    sizes = {"teacher_train": 4, "student_train": 4, "dev": DEV_ITEMS, "holdout": 4}
    place = make_benchmark("geography", sizes=sizes)
    plans = [AgentPlan(researcher="outside", direction="simplicity")]
    agent = the_agent(make_campaign(agents=plans, benchmark=place, **campaign))
    own = make_experiment(benchmark=place, user=agent.user, title="Already there", campaign=agent.campaign_id)
    found = post_finding(user=make_user("researcher"), kind="insight", title="Already there", body="Text.")
    return Outsider(agent, token_for(agent.user)[1], {"experiment": own.pk, "finding": found.pk})
