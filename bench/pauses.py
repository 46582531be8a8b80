"""How long a pause takes, from the request to the confirmed `paused`, in every phase of an agent's step.

    python -m bench.pauses [--pauses 12] [--freezes 10] [--agents 9]

Claude researchers in a real agents worker, against a stand-in of the Messages API that is silent for a while, then
speaks for a while. So many pauses of each kind in each phase, and freezes of the whole campaign at any moment. Limits:
pause now p95 at most 1 s and never over 5 s; after a freeze nothing new begins later than 3 s. A plain pause lets the
call in flight end: it is held against the length of that call.
"""

import argparse
import random
import re
import sys
import threading
import time
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from bench.scratch import scratch_lab
from bench.servers import quantile, running, wait_for
from tests.agents.messages_api import MessagesAPI, Say, Tool

if TYPE_CHECKING:
    from agents.models import Agent, Campaign

SILENT_SECONDS, WORDS, WORD_SECONDS = 0.8, 30, 0.04
CALL_SECONDS = SILENT_SECONDS + WORDS * WORD_SECONDS
NOW_P95, NOW_MOST, FREEZE_MOST = 1.0, 5.0, 3.0
PLAIN_MOST = CALL_SECONDS + 2.0  # many streams share one process here and are slower than their sleeps
PHASES = ("ready", "silent model", "streaming", "acting", "waiting")
MODEL = "claude-opus-5-5"
GIVE_UP_SECONDS = 30.0  # for one agent to come into a phase, and for one pause


class Model:
    """What every agent's model says: silence, words, a few calls, and a short sleep at the end of every step."""

    def __init__(self) -> None:
        self.silent: set[str] = set()
        self.calls = 0

    def __call__(self, request: dict[str, Any]) -> Any:
        return self._say  # called outside the stand-in's lock: many are silent at once

    def _say(self, request: dict[str, Any]) -> Say:
        name = re.search(r"You are (agent-\d+)\.", str(request["messages"][0]))
        assert name is not None
        self.silent.add(name[1])
        time.sleep(SILENT_SECONDS)
        self.silent.discard(name[1])
        self.calls += 1
        writes = [Tool("notebook", {"body": f"{self.calls}.{index}"}) for index in range(12)]
        sleep = [Tool("wait", {"seconds": 1})] if self.calls % 2 else []
        return Say("word " * WORDS, (*writes, *sleep), pause=WORD_SECONDS)


def make_campaign(agents: int) -> "Campaign":
    """Claude researchers with prices, budgets and a benchmark, running."""
    from django.contrib.auth import get_user_model
    from django.contrib.auth.models import Group

    from aarweb.roles import sync_roles
    from agents.models import Price
    from agents.services.campaigns import AgentPlan, create_campaign, start_campaign
    from experiments.models import Benchmark

    sync_roles()
    owner = get_user_model().objects.create_user("owner")
    owner.groups.set(Group.objects.filter(name="reviewer"))
    Benchmark.objects.create(slug="bench", title="Bench", dataset="b", weak_model="w", strong_model="s", state="ready")
    Price.objects.get_or_create(
        model=f"{MODEL}*",
        defaults={"input": 4_000_000, "output": 20_000_000, "cache_read": 1, "cache_write": 5_000_000},
    )
    plans = [
        AgentPlan(researcher="claude", model=MODEL, direction="simplicity", name=f"agent-{index}")
        for index in range(agents)
    ]
    made = create_campaign(user=owner, name="Pauses", benchmarks=["bench"], agents=plans, budgets={"money": 10**13})
    return start_campaign(user=owner, campaign_id=made.pk)


def phase_of(agent: "Agent", model: Model) -> str:
    """Which phase an agent is in, by its row and by what its model does; empty if none is measured."""
    if agent.state == "thinking":
        return "silent model" if agent.name in model.silent else "streaming"
    return agent.state if agent.state in PHASES else ""


def catch(campaign: "Campaign", phase: str, model: Model, chance: random.Random) -> "Agent | None":
    """An agent in that phase, some moments after it was first seen there; None if nobody comes into it."""
    end = time.monotonic() + GIVE_UP_SECONDS
    while time.monotonic() < end:
        for agent in campaign.agents.order_by("?"):
            if phase_of(agent, model) == phase:
                longest = {"silent model": 0.6, "streaming": 0.9, "waiting": 0.5}.get(phase, 0.0)
                time.sleep(chance.uniform(0, longest))
                agent.refresh_from_db()
                if phase_of(agent, model) == phase:
                    return agent
        time.sleep(0.002)
    return None


def pause_one(campaign: "Campaign", agent: "Agent", *, now: bool) -> float:
    """Seconds from the request to the confirmation, which is a row."""
    from agents.models import Latch
    from agents.services.control import pause_agent, resume_agent

    asked = time.time()
    pause_agent(user=campaign.created_by, agent_id=agent.pk, reason="bench", now=now)
    latch = Latch.objects.filter(agent=agent, released_at=None)
    wait_for(lambda: latch.exclude(confirmed_at=None).exists(), f"{agent.name} is paused", GIVE_UP_SECONDS)
    took: float = latch.get().confirmed_at.timestamp() - asked
    resume_agent(user=campaign.created_by, agent_id=agent.pk, reason="bench")
    return took


def freeze_once(campaign: "Campaign") -> tuple[float, float]:
    """Seconds from the request to the last beginning of anything (0 if there was none), and until all are held."""
    from django.db.models import Max

    from agents.lifecycle import AT_WORK
    from agents.models import Action, Step
    from agents.services.campaigns import freeze_campaign, thaw_campaign

    asked = time.time()
    freeze_campaign(user=campaign.created_by, campaign_id=campaign.pk, reason="bench")
    at_work = campaign.agents.filter(state__in=AT_WORK)
    wait_for(lambda: not at_work.exists(), "everybody is held", GIVE_UP_SECONDS)
    held = time.time() - asked
    time.sleep(0.5)  # whatever might still begin
    begun = [
        Step.objects.filter(agent__campaign=campaign).aggregate(last=Max("started_at"))["last"],
        Action.objects.filter(step__agent__campaign=campaign).aggregate(last=Max("started_at"))["last"],
    ]
    last = max(each.timestamp() for each in begun if each is not None) - asked
    thaw_campaign(user=campaign.created_by, campaign_id=campaign.pk)
    return max(last, 0.0), held


def keep_clock(over: threading.Event) -> None:
    """What beat does: whoever slept is woken."""
    from django.db import connection

    from agents.services.reaper import reap

    while not over.wait(0.3):
        reap()
    connection.close()


def run(pauses: int, freezes: int, agents: int) -> bool:
    """Sets up, measures, prints. Returns: whether every limit holds."""
    from django.conf import settings

    settings.CLAUDE_READY = True  # this process starts the campaign; the key is the worker's alone
    model, chance, over = Model(), random.Random(1), threading.Event()
    times: dict[tuple[str, str], list[float]] = defaultdict(list)
    with MessagesAPI(model) as api, running("worker-agents", ANTHROPIC_BASE_URL=api.url, ANTHROPIC_API_KEY="bench"):
        campaign = make_campaign(agents)
        clock = threading.Thread(target=keep_clock, args=(over,))
        clock.start()
        try:
            wait_for(lambda: model.calls >= agents, "every agent's first reply")
            cells = [(kind, phase) for kind in ("pause", "pause now") for phase in PHASES] * pauses
            chance.shuffle(cells)
            for kind, phase in cells:
                agent = catch(campaign, phase, model, chance)
                if agent is not None:
                    times[kind, phase].append(pause_one(campaign, agent, now=kind == "pause now"))
            frozen = []
            for _ in range(freezes):
                time.sleep(chance.uniform(1, 3))
                frozen.append(freeze_once(campaign))
        finally:
            over.set()
            clock.join()
    return report(times, frozen)


def report(times: dict[tuple[str, str], list[float]], frozen: list[tuple[float, float]]) -> bool:
    """Prints the distributions. Returns: whether every limit holds."""
    print(f"{'':<12}{'phase':<16}{'n':>4}{'p50 s':>9}{'p95 s':>9}{'max s':>9}")
    by_kind: dict[str, list[float]] = defaultdict(list)
    for (kind, phase), found in sorted(times.items()):
        by_kind[kind] += found
        print(_line(kind, phase, found))
    for kind, found in by_kind.items():
        print(_line(kind, "all", found))
    last, held = [each[0] for each in frozen], [each[1] for each in frozen]
    print(_line("freeze", "last beginning", last))
    print(_line("freeze", "all are held", held))
    now, plain = by_kind["pause now"], by_kind["pause"]
    limits = {
        f"at least {len(PHASES)} phases each": len(times) == 2 * len(PHASES),
        f"pause now p95 ≤ {NOW_P95} s": quantile(now, 0.95) <= NOW_P95,
        f"pause now max ≤ {NOW_MOST} s": max(now) <= NOW_MOST,
        f"pause max ≤ {PLAIN_MOST:.1f} s (a call takes {CALL_SECONDS:.1f} s)": max(plain) <= PLAIN_MOST,
        f"freeze: nothing begins after {FREEZE_MOST} s": max(last) <= FREEZE_MOST,
    }
    for limit, fine in limits.items():
        print(f"{limit}: {'held' if fine else 'missed'}")
    return all(limits.values())


def _line(kind: str, phase: str, found: list[float]) -> str:
    figures = "".join(f"{each:>9.3f}" for each in (quantile(found, 0.5), quantile(found, 0.95), max(found)))
    return f"{kind:<12}{phase:<16}{len(found):>4}{figures}"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--pauses", type=int, default=12, help="of each kind in each phase")
    parser.add_argument("--freezes", type=int, default=10)
    parser.add_argument("--agents", type=int, default=9)
    options = parser.parse_args()
    with scratch_lab():
        fine = run(options.pauses, options.freezes, options.agents)
    sys.exit(0 if fine else 1)


if __name__ == "__main__":
    main()
