"""Fills two running campaigns, of 9 agents and of 100, with what they thought, did, found and were asked about."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
from django.contrib.auth.models import User
from django.utils import timezone

from agents.directions import DIRECTIONS
from agents.models import Action, Agent, Approval, Budget, Campaign, Entry, Latch, Notebook, Policy, Step
from agents.services.campaigns import AgentPlan, create_campaign
from agents.services.policies import ensure_default
from experiments.models import Event, EventCounter, Experiment
from experiments.snapshots.models import Snapshot, SnapshotParent
from forum.models import Finding, FindingExperiment, FindingParent, Kind
from notifications.models import Notification
from oversight.lifecycle import Level, Source
from oversight.models import Decision, DetectorSetting, Flag

BATCH = 2000
SIZES = (100, 9)  # agents; the last one is the newest, so the dashboard shows it
STEPS = {100: 60, 9: 400}  # of each agent
FINDINGS = 2000
FLAGS, DECIDED_FLAGS, APPROVALS, PARKED = 60, 200, 400, 5
SNAPSHOTS, NEWS, AUDITED = 400, 1000, 300
_TOOLS = ("submit_experiment", "leaderboard", "search_findings", "post_finding", "wait")
_REPLY = "The last setting gave less than the one before. " * 12


@dataclass(frozen=True, slots=True)
class Crew:
    """A campaign and its agents, whose accounts hand experiments in."""

    campaign: Campaign
    agents: list[Agent]


def begin(owner: User, benchmarks: Sequence[str]) -> list[Crew]:
    """Made by the service, set to running by hand: nothing wakes a worker."""
    ensure_default()
    crews = []
    now = timezone.now()
    for size in SIZES:
        plans = [
            AgentPlan(researcher="claude", model="claude-opus-5-5", direction=DIRECTIONS[each % len(DIRECTIONS)].slug)
            for each in range(size)
        ]
        campaign = create_campaign(
            user=owner, name=f"Campaign of {size}", benchmarks=benchmarks, agents=plans,
            budgets={"money": 400_000_000, "tokens": 900_000_000, "gpu_seconds": 90_000, "evaluations": 9000},
            deadline=now + timedelta(hours=20), brief="Close the gap; say what you expect before you try it.",
        )  # fmt: skip
        Campaign.objects.filter(pk=campaign.pk).update(state="running", started_at=now - timedelta(days=5))
        Budget.objects.filter(campaign=campaign).update(spent=8000, reserved=100)
        campaign.refresh_from_db()
        crews.append(Crew(campaign, list(campaign.agents.select_related("user").order_by("id"))))
    return crews


def fill(owner: User, crews: Sequence[Crew]) -> None:
    """Everything around the experiments that the crews have handed in already."""
    draw = np.random.default_rng(11)
    for crew in crews:
        steps = STEPS[len(crew.agents)]
        for agent in crew.agents:
            _life(agent, steps)
        _states(crew)
        _events(crew, steps)
    _findings(crews, draw)
    _snapshots(crews)
    _flags(owner, crews, draw)
    _approvals(owner, crews)
    _news(owner)
    for index in range(AUDITED):  # the trail is written by triggers
        DetectorSetting.objects.update_or_create(
            name=f"detector-{index % 10}", defaults={"overrides": {"threshold": index}, "updated_by": owner}
        )


def _life(agent: Agent, count: int) -> None:
    steps = Step.objects.bulk_create(
        (
            Step(agent=agent, number=number, state="done", cost=21_000 + number, finished_at=timezone.now(),
                 usage={"input": 900, "output": 700, "cache_read": 30_000, "cache_write": 800})
            for number in range(1, count + 1)
        ),
        batch_size=BATCH,
    )  # fmt: skip
    Action.objects.bulk_create(
        (
            Action(step=step, index=0, call_id=f"call-{step.number}", tool=_TOOLS[step.number % len(_TOOLS)],
                   arguments={"benchmark": "geography", "method": "logconf", "options": {"weight": 0.5}},
                   digest=f"{step.pk:064x}", state="done", result="scored: dev PGR 0.41 [0.32, 0.50]. " * 20,
                   started_at=step.started_at, finished_at=step.finished_at)
            for step in steps
        ),
        batch_size=BATCH,
    )  # fmt: skip
    Entry.objects.bulk_create((entry for step in steps for entry in _entries(agent, step)), batch_size=BATCH)
    Notebook.objects.bulk_create(
        Notebook(agent=agent, version=version, body=f"What I know after {version} looks.\n" * 40)
        for version in range(1, 6)
    )
    Agent.objects.filter(pk=agent.pk).update(steps_done=count)


def _call(agent: Agent, state: str) -> Action:
    """One more, which has not ended."""
    step = Step.objects.create(agent=agent, number=agent.steps.count() + 1, state="acting")
    return Action.objects.create(
        step=step, index=0, call_id="open", tool="submit_experiment", arguments={}, digest=f"{step.pk:064x}",
        state=state, started_at=timezone.now(),
    )  # fmt: skip


def _entries(agent: Agent, step: Step) -> list[Entry]:
    call = {"type": "tool_use", "id": f"call-{step.number}", "name": _TOOLS[step.number % len(_TOOLS)],
            "input": {"benchmark": "geography", "method": "logconf", "options": {"weight": 0.5}}}  # fmt: skip
    result = {"type": "tool_result", "tool_use_id": call["id"], "content": "scored: dev PGR 0.41"}
    said = [{"type": "text", "text": _REPLY}, call]
    return [
        Entry(agent=agent, number=2 * step.number - 1, role="assistant", kind="reply", content=said, step=step),
        Entry(agent=agent, number=2 * step.number, role="user", kind="results", content=[result], step=step),
    ]


def _states(crew: Crew) -> None:
    now = timezone.now()
    running = list(Experiment.objects.filter(state="running").values_list("pk", flat=True))
    for index, agent in enumerate(crew.agents):
        found: dict[str, Any] = {"state": ("thinking", "waiting", "acting", "waiting", "ready")[index % 5]}
        if index % 5 == 1:
            found["waits_for"] = running[:1]
        elif index % 5 == 2:
            _call(agent, "running")
        elif index % 5 == 3:
            found |= {"error": "overloaded (529)", "wake_at": now + timedelta(minutes=3), "failures": 2}
        elif index % 9 == 8:
            found["state"] = "paused"
            Latch.objects.create(
                agent=agent, kind="reviewer", reason="Let me read what it did first.", confirmed_at=now
            )
        Agent.objects.filter(pk=agent.pk).update(state_since=now - timedelta(seconds=index), **found)


def _events(crew: Crew, steps: int) -> None:
    number, rows, campaign = 0, [], crew.campaign.pk
    for step in range(1, steps + 1):
        for agent in crew.agents:
            number += 1
            told = {"campaign": campaign, "agent": agent.pk, "name": agent.name, "step": step}
            rows.append(Event(campaign=campaign, number=number, kind="step.finished", subject=f"agent:{agent.pk}",
                              payload=told))  # fmt: skip
    Event.objects.bulk_create(rows, batch_size=BATCH)
    EventCounter.objects.update_or_create(campaign=campaign, defaults={"last_number": number})


def _findings(crews: Sequence[Crew], draw: np.random.Generator) -> None:
    own = {
        crew.campaign.pk: list(Experiment.objects.filter(campaign=crew.campaign.pk).order_by("id")) for crew in crews
    }
    kinds, before = Kind.values, list[Finding]()
    for start in range(0, FINDINGS, 500):
        rows, about = [], []
        for index in range(start, start + 500):
            crew = crews[index % len(crews)]
            mine = own[crew.campaign.pk]
            spoken = mine[min(len(mine) - 1, index * len(mine) // FINDINGS)]
            rows.append(
                Finding(kind=kinds[index % len(kinds)], title=f"What setting {index} says", body=_REPLY,
                        author=spoken.submitter, campaign=crew.campaign.pk, experiment_count=1,
                        parent_count=1 if before else 0)
            )  # fmt: skip
            about.append(spoken)
        made = Finding.objects.bulk_create(rows)
        FindingExperiment.objects.bulk_create(
            FindingExperiment(finding=each, experiment=spoken) for each, spoken in zip(made, about, strict=True)
        )
        if before:
            FindingParent.objects.bulk_create(
                FindingParent(finding=each, parent=before[int(draw.integers(len(before)))]) for each in made
            )
        before += made


def _snapshots(crews: Sequence[Crew]) -> None:
    agents = [agent for crew in crews for agent in crew.agents]
    code = "def train(data, options):\n    return fit(data.hidden_states, data.weak_labels)\n" * 60
    made = Snapshot.objects.bulk_create(
        Snapshot(digest=f"{index + 1:064x}", submitter=agents[index % len(agents)].user, n_files=2,
                 files={"method.py": code, "README.md": f"attempt {index}"}, size_bytes=len(code) + 12)
        for index in range(SNAPSHOTS)
    )  # fmt: skip
    SnapshotParent.objects.bulk_create(
        SnapshotParent(child=made[index], parent=made[index // 2]) for index in range(1, len(made))
    )
    told = Experiment.objects.exclude(campaign=0).order_by("id").values_list("pk", flat=True)
    for index, key in enumerate(told[:: max(1, len(told) // (2 * SNAPSHOTS))]):
        Experiment.objects.filter(pk=key).update(snapshot=made[index % len(made)])


def _flags(owner: User, crews: Sequence[Crew], draw: np.random.Generator) -> None:
    about = list(Experiment.objects.filter(state="scored").exclude(campaign=0).order_by("id"))
    by_account = {agent.user_id: agent for crew in crews for agent in crew.agents}
    rows = []
    for index in range(FLAGS + DECIDED_FLAGS):
        suspect = about[int(draw.integers(len(about)))]
        level = (Level.FLAG, Level.FLAG, Level.HOLD, Level.INFO)[index % 4]
        rows.append(
            Flag(experiment=suspect, agent=by_account[suspect.submitter_id], campaign_id=suspect.campaign, level=level,
                 detector=f"detector-{index % 10}", source=Source.DETECTOR, key=f"{index:064x}", statistic=3.1,
                 title="The dev score is far above what the holdout gives", threshold=2.6, p_value=0.001,
                 evidence=[{"text": "dev 0.71, holdout 0.44", "link": f"/experiments/{suspect.pk}/", "quote": ""}],
                 state="decided" if index >= FLAGS else "open")
        )  # fmt: skip
    made = Flag.objects.bulk_create(rows)
    Decision.objects.bulk_create(
        Decision(flag=each, round=1, verdict="clean", reason="Looked at both.", decided_by=owner)
        for each in made[FLAGS:]
    )
    held = [each.experiment_id for each in made[:FLAGS] if each.level == Level.HOLD]
    Experiment.objects.filter(pk__in=held).update(standing="under_review")


def _approvals(owner: User, crews: Sequence[Crew]) -> None:
    """Answered ones of everybody; PARKED agents of each crew wait for one."""
    policy, now = Policy.objects.get(campaign=None), timezone.now()
    call = {"benchmark": "geography", "method": "logconf", "options": {"weight": 0.5}, "title": "A wider window"}
    for crew in crews:
        for index in range(APPROVALS // len(crews)):
            agent = crew.agents[index % len(crew.agents)]
            _approval(agent, policy, call, state="refused", decided_by=owner, decided_at=now, note="too costly")
        for agent in [each for index, each in enumerate(crew.agents) if index % 5 == 3][:PARKED]:
            action = _call(agent, "parked")
            asked = _approval(agent, policy, call, action=action, requested_at=now - timedelta(minutes=agent.pk))
            Agent.objects.filter(pk=agent.pk).update(
                state="waiting", error="", failures=0, waits_for=[], wake_at=asked.expires_at,
                doing=f"waiting for approval #{asked.pk}",
            )  # fmt: skip


def _approval(agent: Agent, policy: Policy, call: dict[str, Any], **fields: Any) -> Approval:
    now = timezone.now()
    return Approval.objects.create(
        agent=agent, policy=policy, tool="submit_experiment", arguments=call, digest=f"{agent.pk:064x}", rule=1,
        why="People look at first experiments", cost={"gpu_seconds": 40}, expires_at=now + timedelta(days=1), **fields,
    )  # fmt: skip


def _news(owner: User) -> None:
    events = list(Event.objects.order_by("-id").values_list("pk", flat=True)[:NEWS])
    Notification.objects.bulk_create(
        Notification(user=owner, kind="flag", event=event, text="A detector suspects experiment 12", subject="flag:1",
                     read_at=timezone.now() if index % 3 else None)
        for index, event in enumerate(events)
    )  # fmt: skip
