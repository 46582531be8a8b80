"""A campaign of Claude researchers who write code, in a whole lab of real size; their model is a script.

    python -m bench.claude_campaign [--benchmark geography] [--agents 9] [--seeds 5]
    python -m bench.claude_campaign --data DIR                     # a lab of that DATA_DIR, which this starts and stops
    python -m bench.claude_campaign --data DIR --model-port 8400   # one that runs, started with the address of 8400:
    ANTHROPIC_API_KEY=scripted ANTHROPIC_BASE_URL=http://127.0.0.1:8400 AUTOSTART=0 make run

Everything is the lab's own but the model: bench/scripted_model.py answers in its place on the loopback, with rate
limits, overload and broken streams among its answers. No intelligence is measured, and nothing leaves the machine.
"""

import argparse
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.scripted_model import ScriptedModel
from tests.agents.messages_api import MessagesAPI

if TYPE_CHECKING:
    from agents.models import Agent, Campaign

ROOT = Path(__file__).resolve().parents[1]
READY_SECONDS = 1800.0  # the first features of a real model
MODEL = "claude-opus-5-5"
BUDGETS = {"money": 100_000_000, "tokens": 100_000_000}  # of the script's made-up usage


def main() -> None:
    options = _options()
    model = ScriptedModel(benchmark=options.benchmark, seeds=options.seeds)
    with MessagesAPI(model, port=options.model_port) as api:
        os.environ |= {"ANTHROPIC_API_KEY": "scripted", "ANTHROPIC_BASE_URL": api.url, "AUTOSTART": "0"}
        if options.model_port:
            os.environ["DATA_DIR"] = str(options.data)
            finished = _campaign(options, api, model)
        else:
            with _lab(options.data):
                finished = _campaign(options, api, model)
    if not finished:
        sys.exit(f"error: the campaign did not finish within {options.minutes} minutes")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--benchmark", default="geography")
    parser.add_argument("--agents", type=int, default=9)
    parser.add_argument("--seeds", type=int, default=5, help="of each experiment")
    parser.add_argument("--minutes", type=float, default=20, help="until it is given up")
    parser.add_argument("--data", type=Path, help="DATA_DIR of the lab; left out: a new one, gone afterwards")
    parser.add_argument("--model-port", type=int, default=0, help="the lab of --data runs, and asks its model here")
    options = parser.parse_args()
    if options.model_port and options.data is None:
        parser.error("--model-port needs --data: which lab runs?")
    return options


@contextmanager
def _lab(data: Path | None) -> Iterator[None]:
    """A whole lab, `manage.py up`, ended as by Ctrl-C."""
    folder = data or Path(tempfile.mkdtemp(prefix="aarweb-bench-"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    os.environ |= {"DATA_DIR": str(folder), "PORT": str(port)}
    log = folder / "bench.log"
    folder.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        lab = subprocess.Popen(
            [sys.executable, "manage.py", "up"],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _wait(lambda: b"Ctrl-C stops everything" in log.read_bytes(), 120, "the lab", alive=lambda: lab.poll() is None)
        yield
    finally:
        from django.db import connections

        connections.close_all()
        lab.send_signal(signal.SIGINT)
        try:
            lab.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(lab.pid, signal.SIGKILL)
        if data is None:
            shutil.rmtree(folder, ignore_errors=True)


def _campaign(options: argparse.Namespace, api: MessagesAPI, model: ScriptedModel) -> bool:
    """Run it and print what came of it. Returns: whether it has finished."""
    import django

    from aarweb.lab import environment

    environment.adopt(starting=False)
    os.environ |= {"DJANGO_SETTINGS_MODULE": "aarweb.settings", "LOG_LEVEL": "ERROR"}
    django.setup()

    from django.contrib.auth import get_user_model

    from agents.directions import DIRECTIONS
    from agents.lifecycle import CampaignState
    from agents.services.campaigns import AgentPlan, create_campaign, start_campaign
    from experiments.models import Benchmark, Method

    ready = Benchmark.objects.filter(slug=options.benchmark, state="ready")
    _wait(ready.exists, READY_SECONDS, f"{options.benchmark} to be ready")
    _wait(Method.objects.filter(name="code").exclude(code_digest="").exists, 120, "a worker that runs code")
    owner = get_user_model().objects.get(username="owner")
    slugs = [DIRECTIONS[index % len(DIRECTIONS)].slug for index in range(options.agents)]
    plans = [AgentPlan(researcher="claude", model=MODEL, direction=slug) for slug in slugs]
    made = create_campaign(
        user=owner, name="Scripted", benchmarks=[options.benchmark], agents=plans, budgets=dict(BUDGETS)
    )
    started = time.monotonic()
    campaign = start_campaign(user=owner, campaign_id=made.pk)
    print(f"campaign {campaign.pk}: {options.agents} agents, {options.seeds} seeds an experiment", flush=True)
    end = started + options.minutes * 60
    while campaign.state == CampaignState.RUNNING and time.monotonic() < end:
        time.sleep(2)
        campaign.refresh_from_db()
    _report(campaign, api, model, time.monotonic() - started)
    return bool(campaign.state == CampaignState.FINISHED)


def _report(campaign: "Campaign", api: MessagesAPI, model: ScriptedModel, seconds: float) -> None:
    columns = ("agent", "state", "steps", "failed", "commands", "scored", "best PGR", "findings", "citations", "cost $")
    rows = [_row(agent) for agent in campaign.agents.order_by("pk")]
    sums: list[Any] = ["all", campaign.state]
    for index in range(2, len(columns)):
        values = [row[index] for row in rows if row[index] is not None]
        sums.append(max(values, default=None) if columns[index] == "best PGR" else sum(values))
    shown = [columns, *([_text(value) for value in row] for row in [*rows, sums])]
    widths = [max(len(row[index]) for row in shown) for index in range(len(columns))]
    for row in shown:
        cells = [cell.ljust(width) for cell, width in zip(row[:2], widths[:2], strict=True)]
        cells += [cell.rjust(width) for cell, width in zip(row[2:], widths[2:], strict=True)]
        print("  ".join(cells))
    played = ", ".join(f"{count} x {kind}" for kind, count in sorted(model.played.items()))
    print(f"{seconds:.0f} s, {len(api.requests)} requests to the model; faults that it played: {played}")


def _row(agent: "Agent") -> list[Any]:
    from django.db.models import Count, Max, Sum

    from agents.models import Action, Step
    from experiments.models import Experiment
    from forum.models import Finding

    steps = Step.objects.filter(agent=agent)
    scored = Experiment.objects.filter(submitter=agent.user_id, state="scored")
    findings = Finding.objects.filter(author=agent.user_id)
    return [
        agent.name,
        agent.state,
        steps.count(),
        steps.filter(state="failed").count(),
        Action.objects.filter(step__agent=agent, tool="shell").count(),
        scored.count(),
        scored.aggregate(best=Max("dev_pgr"))["best"],
        findings.count(),
        findings.aggregate(cited=Count("parents"))["cited"],
        (steps.aggregate(cost=Sum("cost"))["cost"] or 0) / 1e6,
    ]


def _text(value: Any) -> str:
    return "-" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)


def _wait(true: Callable[[], object], seconds: float, what: str, alive: Callable[[], bool] = lambda: True) -> None:
    end = time.monotonic() + seconds
    while not true():
        if not alive() or time.monotonic() > end:
            sys.exit(f"error: waited in vain for {what}")
        time.sleep(0.5)


if __name__ == "__main__":
    main()
