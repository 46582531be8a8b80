"""Campaigns of four agents on a lab of their own, whose broker or database is taken away for a while in the middle.

    python -m tests.agents.outages valkey|postgres ...

One campaign for each service that is named, one after the other. Real workers, a real clock, the stand-in of the
Messages API. Ends with 1 and says why if anything was lost or done twice; prints what the agents did before, during
and after each outage.
"""

import json
import os
import re
import sys
import time
from collections import Counter

from bench.scratch import Outage, scratch_lab
from bench.servers import running, wait_for
from tests.agents.messages_api import MessagesAPI, Say, Tool

AGENTS, ROUNDS = 4, 8
MODEL = "claude-opus-5-5"
LEASE_SECONDS = 5
AWAY_SECONDS = 6  # longer than a lease
END_SECONDS = 300  # seconds of a machine that is busy; twelve of one that is not


def answer(request):
    """One finding a round, then the end. The round is that of the results it has been given."""
    name = re.search(r"You are (\w+-\d+)\.", json.dumps(request["messages"][0]))[1]
    done = sum(message["role"] == "assistant" for message in request["messages"])
    if done >= ROUNDS:
        return Say("All told.", (Tool("finish", {"summary": "done"}),))
    post = {"kind": "insight", "title": f"{name} round {done}", "body": "What I learned."}
    return Say("I look, then I write. " * 4, (Tool("list_methods"), Tool("post_finding", post)), pause=0.02)


def main(services: list[str]) -> None:
    os.environ["CLAUDE_READY"] = "1"  # this process starts the campaign; the key is the worker's alone
    with scratch_lab() as outage, MessagesAPI(answer) as api:
        common = {"ANTHROPIC_BASE_URL": api.url, "ANTHROPIC_API_KEY": "k", "AUTOSTART": "0"}
        common |= {"LEASE_SECONDS": str(LEASE_SECONDS), "REAPER_SECONDS": "1"}
        with running("worker-agents", "worker-default", "beat", **common):
            prepare()
            for service in services:
                run(service, outage)


def prepare() -> None:
    from tests.agents.conftest import make_price
    from tests.factories import make_method

    make_method("vanilla")
    make_price(MODEL)


def run(service: str, outage: Outage) -> None:
    from django.db import connection

    from agents.services.campaigns import AgentPlan, start_campaign
    from forum.models import Finding
    from tests.agents.conftest import make_campaign

    names = [f"{service}-{index}" for index in range(AGENTS)]
    plans = [AgentPlan(researcher="claude", model=MODEL, direction="simplicity", name=name) for name in names]
    campaign = make_campaign(agents=plans, budgets={"money": 10**9, "tokens": 10**9}, start=False)
    start_campaign(user=campaign.created_by, campaign_id=campaign.pk)
    findings = Finding.objects.filter(campaign=campaign.pk)
    wait_for(lambda: findings.count() >= AGENTS, "the first findings")
    before = findings.count()
    outage.begin(service)
    time.sleep(AWAY_SECONDS)
    outage.end(service)
    connection.close()  # ours may be one of those that broke
    during = findings.count() - before
    began = time.monotonic()
    open_ones = campaign.agents.exclude(state="finished")
    try:
        wait_for(lambda: not open_ones.exists(), "every agent has finished", END_SECONDS)
    except SystemExit:
        print("left:", list(open_ones.values_list("name", "state", "wake_at", "lease_until", "steps_done", "error")))
        raise
    took = time.monotonic() - began
    wait_for(lambda: type(campaign).objects.get(pk=campaign.pk).state == "finished", "the campaign has finished")
    after = findings.count() - before - during
    print(
        f"{service} away for {AWAY_SECONDS} s: {before} findings before, {during} during, {after} after ({took:.0f} s)"
    )
    check(campaign)


def check(campaign) -> None:
    """Nothing lost, nothing twice, books and log in order."""
    from agents.models import Action, Budget, Entry, Reservation, Step
    from experiments.models import Event
    from forum.models import Finding

    titles = Counter(Finding.objects.filter(campaign=campaign.pk).values_list("title", flat=True))
    assert not [title for title, count in titles.items() if count > 1], titles
    actions = Action.objects.filter(step__agent__campaign=campaign)
    steps = Step.objects.filter(agent__campaign=campaign)
    states = Counter(actions.values_list("state", flat=True))
    posts = actions.filter(tool="post_finding")
    written, interrupted = posts.filter(state="done").count(), posts.filter(state="interrupted").count()
    # an action that a crash has caught is reported as interrupted, whether it had written or not; all others are there
    assert written <= len(titles) <= written + interrupted, (written, len(titles), interrupted)
    assert written + interrupted == AGENTS * ROUNDS, states
    assert set(states) <= {"done", "interrupted"}, states
    assert not steps.filter(state__in=["thinking", "acting"]).exists()
    calls = Reservation.objects.filter(agent__campaign=campaign)
    for budget in Budget.objects.filter(campaign=campaign):
        assert budget.reserved == 0, budget
        assert budget.spent == sum(each.spent for each in calls.filter(kind=budget.kind)), budget
    numbers = list(Event.objects.filter(campaign=campaign.pk).order_by("number").values_list("number", flat=True))
    assert numbers == list(range(1, len(numbers) + 1)), "the log has gaps"
    for agent in campaign.agents.all():
        blocks = [block for entry in Entry.objects.filter(agent=agent).order_by("number") for block in entry.content]
        asked = [block["id"] for block in blocks if block["type"] == "tool_use"]
        assert [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"] == asked, agent
    failed = Counter(steps.filter(state="failed").values_list("error", flat=True))
    print(f"actions: {dict(states)}; failed steps: {dict(failed) or 'none'}; {len(numbers)} events without a gap")


if __name__ == "__main__":
    main(sys.argv[1:])
