"""How late viewers see what happens: fifty of them on one campaign in which 500 things happen a second.

    python -m bench.live [--viewers 50] [--per-second 500] [--seconds 20]

The lab's web server as it is deployed, viewers by WebSocket in a process of their own, events written by another one
in transactions of a few, as agents do. Prints what was lost and the time from before an event's transaction to a
viewer's receipt. Limits: nothing lost, nothing twice or out of order, p99 under 250 ms.
"""

import argparse
import asyncio
import json
import multiprocessing
import sys
import time
from dataclasses import dataclass
from multiprocessing.queues import Queue
from typing import Any

from bench.scratch import scratch_lab
from bench.servers import HOST, quantile, running

CAMPAIGN = 7
P99_MS = 250.0
PER_COMMIT = 5
GRACE_SECONDS = 10.0
WARM_UP_SECONDS = 2.0  # connections, plans, caches: not counted


@dataclass(frozen=True)
class Seen:
    """Of one viewer. wrong: numbers that did not follow the one before."""

    events: int
    wrong: int
    milliseconds: list[float]


def write(per_second: int, seconds: float) -> int:
    """Records events at that pace, each with the moment before its transaction. Returns: how many in all."""
    from django.db import transaction

    from experiments import events

    started, commits = time.monotonic(), 0
    total = int(per_second * (seconds + WARM_UP_SECONDS)) // PER_COMMIT
    while commits < total:
        ahead = started + commits * PER_COMMIT / per_second - time.monotonic()
        if ahead > 0:
            time.sleep(ahead)
        counted = time.monotonic() - started > WARM_UP_SECONDS
        with transaction.atomic():
            for _ in range(PER_COMMIT):
                payload = {"campaign": CAMPAIGN, "agent": 1, "name": "simplicity-1", "tool": "notebook"}
                payload |= {"at": time.time() if counted else 0, "result": "Notebook saved, version 12. " * 4}
                events.record("action.finished", "agent:1", campaign=CAMPAIGN, payload=payload)
        commits += 1
    took = time.monotonic() - started
    print(f"{commits * PER_COMMIT} events written in {took:.1f} s: {commits * PER_COMMIT / took:.0f}/s", flush=True)
    return commits * PER_COMMIT


@dataclass(frozen=True)
class Audience:
    """Where viewers connect, how many, and when they are done."""

    port: int
    token: str
    viewers: int
    total: int
    seconds: float


def watch(audience: Audience, results: "Queue[Any]", ready: Any) -> None:
    """The viewers' process."""
    total = audience.total

    async def view() -> Seen:
        from websockets.asyncio.client import connect

        last, wrong, count, times = 0, 0, 0, []
        headers = {"Authorization": f"Bearer {audience.token}"}
        address = f"ws://{HOST}:{audience.port}/ws/campaigns/{CAMPAIGN}/?after=0"
        async with connect(address, additional_headers=headers, compression=None, max_size=None) as stream:
            connected.append(1)
            if len(connected) == audience.viewers:
                ready.set()
            end = time.monotonic() + audience.seconds
            while last < total and time.monotonic() < end:
                try:
                    frame = await asyncio.wait_for(stream.recv(), 1.0)
                except TimeoutError:
                    continue
                now = time.time()
                for event in json.loads(frame)["events"]:
                    count += 1
                    wrong += event["number"] != last + 1
                    last = event["number"]
                    if event["payload"]["at"]:
                        times.append((now - event["payload"]["at"]) * 1000)
        return Seen(count, wrong, times)

    async def view_all() -> list[Seen]:
        return list(await asyncio.gather(*(view() for _ in range(audience.viewers))))

    connected: list[int] = []
    results.put(asyncio.run(view_all()))


def run(viewers: int, per_second: int, seconds: float) -> bool:
    """Sets up, measures, prints. Returns: whether the limits hold."""
    from aarweb.roles import sync_roles
    from agents.services import create_token

    sync_roles()
    _, token = create_token(name="viewer", role="viewer")
    total = int(per_second * (seconds + WARM_UP_SECONDS)) // PER_COMMIT * PER_COMMIT
    context = multiprocessing.get_context("spawn")
    results, ready = context.Queue(), context.Event()
    with running(web=True) as (port, servers):
        patience = seconds + WARM_UP_SECONDS + GRACE_SECONDS + 30
        audience = Audience(port, token, viewers, total, patience)
        process = context.Process(target=watch, args=(audience, results, ready))
        process.start()
        if not ready.wait(30):
            raise SystemExit("the viewers could not connect")
        before = sum(servers["web"].cpu_times()[:2])
        write(per_second, seconds)
        seen: list[Seen] = results.get(timeout=patience)
        cpu = sum(servers["web"].cpu_times()[:2]) - before
        process.join()
    return report(seen, total, cpu, seconds + WARM_UP_SECONDS)


def report(seen: list[Seen], total: int, cpu: float, seconds: float) -> bool:
    """Prints the figures. Returns: whether the limits hold."""
    times = [each for viewer in seen for each in viewer.milliseconds]
    lost = sum(total - viewer.events for viewer in seen)
    wrong = sum(viewer.wrong for viewer in seen)
    p50, p95, p99 = (quantile(times, share) for share in (0.5, 0.95, 0.99))
    print(f"{len(seen)} viewers, {total} events each: {lost} lost, {wrong} out of order or twice")
    print(f"latency: p50 {p50:.0f} ms, p95 {p95:.0f} ms, p99 {p99:.0f} ms, max {max(times):.0f} ms")
    print(f"the web process computed {cpu:.1f} s in {seconds:.0f} s")
    fine = lost == 0 and wrong == 0 and p99 < P99_MS
    print(f"limits: nothing lost, p99 under {P99_MS:.0f} ms: {'held' if fine else 'missed'}")
    return fine


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--viewers", type=int, default=50)
    parser.add_argument("--per-second", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=20.0)
    options = parser.parse_args()
    with scratch_lab():
        fine = run(options.viewers, options.per_second, options.seconds)
    sys.exit(0 if fine else 1)


if __name__ == "__main__":
    main()
