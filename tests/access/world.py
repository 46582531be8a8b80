"""One lab with a row of everything, and everybody who may come to its doors."""

from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User
from django.test import Client

from agents.models import Approval
from agents.services.admission import admit_outside
from agents.services.campaigns import AgentPlan, create_campaign, start_campaign
from agents.services.control import pause_agent
from agents.services.notebooks import save_notebook
from agents.services.policies import set_policy
from agents.services.tokens import token_for
from agents.tools import TOOLS, parse
from experiments.models import Benchmark, Method
from experiments.options import complete_options
from experiments.services.code import CODE, frozen_digest
from experiments.snapshots.services import create_snapshot
from experiments.transfer.models import TransferStudy
from experiments.transfer.services import start_study
from forum.services.posting import comment, post_finding
from oversight.services.flags import flag_by_hand
from tests.factories import (
    make_benchmark,
    make_experiment,
    make_method,
    make_teacher,
    make_upload_evaluation,
    make_user,
)

PEOPLE = ("viewer", "researcher", "reviewer", "admin")
# the row's own agent; another of the same campaign; one of the same campaign that a reviewer has paused
AGENTS = ("agent", "other", "paused")
ACTORS = ("anonymous", "nobody", *PEOPLE, *AGENTS)


# fmt: off
WHY = {"reason": "Because a test asks."}
# What a POST or PUT sends, by the name of its route, so that it is refused for who asks and not for what it says.
BODIES: dict[str, dict[str, Any]] = {
    "api_campaigns": {
        "name": "Another", "benchmarks": ["geography"], "agents": [{"researcher": "search", "direction": "critics"}],
    },
    "api_campaign_estimate": {
        "benchmarks": ["geography"], "agents": [{"researcher": "search", "direction": "critics"}],
    },
    "api_transfer_studies": {"experiment": 0, "cells": [{"benchmark": "elements"}]},
    "api_transfer_preview": {"experiment": 0, "cells": [{"benchmark": "elements"}]},
    "transfer_new": {"experiment": 0, "cells": ["elements"], "seeds": "5", "theta_min": "0.2"},
    "api_experiments": {"benchmark": "geography", "method": {"recipe": "vanilla", "options": {}}, "seeds": 2},
    "snapshot_run": {"benchmark": "geography", "seeds": "2"},
    "experiment_new": {"benchmark": "geography", "method": "vanilla", "seeds": "2"},
    "api_notebook": {"body": "Notes."},
    "api_events": {"kind": "message", "text": "Something of mine."},
    "api_campaign_freeze": WHY,
    "api_campaign_thaw": WHY,
    "api_campaign_stop": WHY,
    "api_agent_pause": WHY,
    "api_agent_resume": WHY,
    "api_agent_stop": WHY,
    "api_agent_message": {"message": "Hello."},
    "api_snapshots": {"files": {"method.py": "def fit(context):\n    return 2\n"}},
    "api_findings": {"kind": "insight", "title": "An insight", "body": "Text."},
    "api_finding_comments": {"body": "A comment."},
    "api_finding_vote": {"value": 1},
    "api_finding_hide": WHY,
    "api_finding_unhide": WHY,
    "api_comment_hide": WHY,
    "api_comment_unhide": WHY,
    "api_experiment_flags": {"note": "Look at this."},
    "api_flags": {"note": "Look at this.", "subject": ""},
    "api_flag_decide": {"verdict": "clean", **WHY},
    "api_flag_reopen": WHY,
    "api_campaign_policy": {"rules": [{"effect": "allow"}], **WHY},
    "api_approval_approve": {"note": "Go on."},
    "api_approval_refuse": {"note": "Not now."},
    "flag_decide": {"verdict": "clean", **WHY},
    "flag_reopen": WHY,
    "experiment_flag": {"note": "Look at this."},
    "approval_approve": {"note": "Go on."},
    "approval_refuse": {"note": "Not now."},
    "agent_pause": WHY,
    "agent_resume": WHY,
    "agent_stop": WHY,
    "agent_message": {"message": "Hello."},
    "campaign_freeze": WHY,
    "campaign_thaw": WHY,
    "campaign_stop": WHY,
    "finding_new": {"kind": "insight", "title": "An insight", "body": "Text."},
    "finding_comment": {"body": "A comment."},
    "finding_vote": {"value": "1"},
    "finding_curate": WHY,
    "comment_curate": WHY,
}
# fmt: on
# Arguments that mean something else in one route than in the others, by the name of the route.
SAMPLES: dict[str, dict[str, Any]] = {
    "api_data": {"part": "dev"},
    "api_snapshot_file": {"path": "method.py"},
    "snapshot_file": {"path": "method.py"},
    "finding_curate": {"verb": "hide"},
    "comment_curate": {"verb": "hide"},
    "chart": {"name": "throughput"},
    "chart_table": {"name": "throughput"},
    "chart_csv": {"name": "throughput"},
    "method": {"name": "vanilla"},
    "api_method": {"name": "vanilla"},
    "login_link": {"link": "1-no-such-link"},
    "forum_keyed_feed": {"key": "no-such-key"},
}


@dataclass
class World:
    """clients: by actor. samples: of the arguments in addresses, by name; special: where a route needs another row."""

    clients: dict[str, Client]
    samples: dict[str, Any]
    special: dict[str, dict[str, Any]]


def make_world() -> World:
    """Rows by the services where they exist; what is submitted belongs to `agent`."""
    benchmark, method = make_benchmark(), make_method()
    make_teacher(benchmark)
    make_method(CODE)
    people = {role: make_user(role, role) for role in PEOPLE} | {"nobody": make_user("", "nobody")}
    campaign = create_campaign(
        user=people["reviewer"],
        name="Campaign",
        benchmarks=[benchmark.slug],
        agents=[AgentPlan(researcher="outside", direction="simplicity") for _ in AGENTS],
        budgets={},
    )
    start_campaign(user=people["reviewer"], campaign_id=campaign.pk)
    agents = dict(zip(AGENTS, campaign.agents.order_by("pk"), strict=True))
    clients = {"anonymous": Client()} | {name: _logged_in(user) for name, user in people.items()}
    for name, agent in agents.items():
        _, token = token_for(agent.user)
        clients[name] = Client(headers={"Authorization": f"Bearer {token}"})
    own = agents["agent"].user
    scored = make_experiment(benchmark=benchmark, method=method, user=own, state="scored", campaign=campaign.pk)
    queued = make_experiment(benchmark=benchmark, method=method, user=own, campaign=campaign.pk)
    study = _study(benchmark, method, people["researcher"])
    finding = post_finding(user=own, kind="result", title="A result", body="Text.", experiments=[scored.pk])
    remark = comment(user=own, finding_id=finding.pk, body="A comment.")
    snapshot = create_snapshot(user=own, files={"method.py": "def fit(context):\n    return None\n"})
    other = create_snapshot(user=own, files={"method.py": "def fit(context):\n    return 1\n"})
    evaluation = make_upload_evaluation(benchmark=benchmark, user=own)
    flag = flag_by_hand(user=people["admin"], subject=f"experiment:{scored.pk}", note="Look at this.")
    asking = [{"effect": "ask", "tool": "notebook", "arguments": {"body": "May I*"}}, {"effect": "allow"}]
    set_policy(user=people["reviewer"], campaign_id=campaign.pk, rules=asking, reason="A test.")
    tool = TOOLS.get("notebook")
    admit_outside(agents["agent"], tool, parse(tool, {"body": "May I write this?"}))
    approval = Approval.objects.get()
    BODIES["api_flags"]["subject"] = f"experiment:{scored.pk}"
    book = save_notebook(agent_id=agents["agent"].pk, body="Notes.")
    pause_agent(user=people["reviewer"], agent_id=agents["paused"].pk, reason="A test.")
    samples = {
        "experiment_id": scored.pk, "agent_id": agents["agent"].pk, "campaign_id": campaign.pk,
        "finding_id": finding.pk, "comment_id": remark.pk, "flag_id": flag.pk, "approval_id": approval.pk,
        "snapshot_id": snapshot.pk, "other": other.pk, "evaluation_id": evaluation.pk,
        "upload_id": evaluation.upload.pk, "slug": benchmark.slug,
        "version": book.version, "study_id": study.pk,
    }  # fmt: skip
    at_work = {"experiment_id": queued.pk}
    special = {"api_experiment_cancel": at_work, "experiment_cancel": at_work}
    return World(clients, samples, {**SAMPLES, **special})


def _study(benchmark: Benchmark, method: Method, user: User) -> TransferStudy:
    """A study that has begun, of an experiment that every body about studies then names."""
    make_benchmark("elements")
    options = complete_options(method.options_schema, {})
    won = make_experiment(
        benchmark=benchmark, method=method, user=user, state="scored", options=options,
        method_digest=frozen_digest(method, None, options),
    )  # fmt: skip
    for name in ("api_transfer_studies", "api_transfer_preview", "transfer_new"):
        BODIES[name]["experiment"] = won.pk
    return start_study(user=user, experiment=won.pk, benchmarks=["elements"])


def _logged_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client
