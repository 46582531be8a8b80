"""How fast uploaded predictions are scored, over HTTP, by a lab of its own: web server, evaluation worker, services.

    python -m bench.evaluations [--items 1263] [--requests 400] [--clients 8]

Each request is the whole way: token, budget under its lock, a row, the worker, the Ladder, the answer. The published
sandbox's Flask server answered 8.7 requests/s for 1,263 predictions on a machine like this.
"""

import argparse
import http.client
import json
import multiprocessing
import os
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import psutil

from bench.scratch import scratch_lab
from bench.servers import HOST, quantile, running, wait_for

PUBLISHED_PER_SECOND = 8.7
RATIO = 20
P99_MS = 25.0
WARM_UP = 30


@dataclass(frozen=True)
class Timing:
    """Latencies of every request, how long all of them took, and CPU seconds of each server process meanwhile."""

    milliseconds: list[float]
    seconds: float
    cpu: dict[str, float]

    @property
    def per_second(self) -> float:
        return len(self.milliseconds) / self.seconds

    def quantile(self, share: float) -> float:
        return quantile(self.milliseconds, share)


def make_benchmark(items: int) -> str:
    """A ready benchmark with sealed random labels and a budget that this bench cannot spend. Returns: a token."""
    import numpy as np

    from aarweb.roles import sync_roles
    from agents.services import create_token
    from experiments import ground_truth, scoring
    from experiments.models import Baseline, Benchmark

    sync_roles()
    scoring.become_scorer()
    random = np.random.default_rng(1)
    labels = random.integers(2, size=items).astype(np.int8)
    benchmark = Benchmark.objects.create(
        slug="bench", title="Bench", dataset="bench", weak_model="wheel:a", strong_model="wheel:b", state="ready",
        sizes={"dev": items}, provenance={"labels": scoring.store_labels("bench", {"dev": labels, "holdout": labels})},
        query_limit=10**9,
    )  # fmt: skip
    # the detectors look at uploads beside them, and need what the arms got right
    arms = {f"groups_{split}": np.arange(items) // 2 for split in ("dev", "holdout")}
    for arm, mean in (("weak", 0.6), ("vanilla", 0.65), ("ceiling", 0.8)):
        arms |= {f"{arm}_{split}": random.random((20, items)) < mean for split in ("dev", "holdout")}
    benchmark.provenance["baselines"] = asdict(ground_truth.write("bench", "baselines", arms))
    benchmark.save(update_fields=["provenance"])
    for arm, mean in (("weak", 0.6), ("ceiling", 0.8)):
        Baseline.objects.create(
            benchmark=benchmark, arm=arm, split="dev", accuracies=[mean], mean=mean, se=0.01, se_seeds=0, n_items=items
        )
    return create_token(name="bench", role="agent")[1]


def client(port: int, token: str, bodies: Sequence[bytes]) -> list[float]:
    """Posts them one after the other on one connection. Returns: milliseconds each."""
    connection = http.client.HTTPConnection(HOST, port, timeout=60)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    times = []
    for body in bodies:
        started = time.perf_counter()
        connection.request("POST", "/api/v1/evaluations/", body, headers)
        response = connection.getresponse()
        answer = response.read()
        times.append((time.perf_counter() - started) * 1000)
        if response.status != 201:
            raise SystemExit(f"answered {response.status}: {answer[:300]!r}")
    connection.close()
    return times


def measure(port: int, token: str, bodies: Sequence[bytes], clients: int, servers: dict[str, psutil.Process]) -> Timing:
    """All bodies, shared out among so many client processes."""
    shares = [bodies[index::clients] for index in range(clients)]
    with multiprocessing.get_context("fork").Pool(clients) as pool:
        pool.starmap(client, [(port, token, share[:2]) for share in shares])
        before = {name: _cpu(process) for name, process in servers.items()}
        started = time.perf_counter()
        times = pool.starmap(client, [(port, token, share) for share in shares], chunksize=1)
        seconds = time.perf_counter() - started
        cpu = {name: _cpu(process) - before[name] for name, process in servers.items()}
    return Timing([each for share in times for each in share], seconds, cpu)


def vectors(number: int, items: int) -> list[bytes]:
    """Different vectors, as JSON bodies."""
    draw = random.Random(1)
    return [
        json.dumps({"benchmark": "bench", "predictions": [draw.randrange(2) for _ in range(items)]}).encode()
        for _ in range(number)
    ]


def run(items: int, requests: int, clients: int) -> bool:
    """Sets up, measures, prints. Returns: whether both limits hold."""
    from experiments.models import WorkerSeen

    token, bodies = make_benchmark(items), vectors(requests, items)
    with running("worker-evaluation", web=True) as (port, servers):
        wait_for(WorkerSeen.objects.exists, "the worker announces itself")
        client(port, token, bodies[:WARM_UP])
        alone = measure(port, token, bodies, 1, servers)
        together = measure(port, token, bodies, clients, servers)
    print(f"\nPOST evaluations/ with {items:,} predictions, {requests} requests, {os.cpu_count()} CPUs")
    names = "".join(f" {name + ' CPU ms':>25}" for name in alone.cpu)
    print(f"{'clients':>8} {'requests/s':>11} {'× published':>12} {'p50 ms':>8} {'p99 ms':>8}{names}")
    for number, timing in ((1, alone), (clients, together)):
        ratio = timing.per_second / PUBLISHED_PER_SECOND
        p50, p99 = timing.quantile(0.5), timing.quantile(0.99)
        cpu = "".join(f" {1000 * seconds / requests:>25.1f}" for seconds in timing.cpu.values())
        print(f"{number:>8} {timing.per_second:>11.1f} {ratio:>12.1f} {p50:>8.1f} {p99:>8.1f}{cpu}")
    best = max(alone.per_second, together.per_second) / PUBLISHED_PER_SECOND
    fine = best >= RATIO and alone.quantile(0.99) < P99_MS
    print(
        f"limits: at least {RATIO}× published, p99 under {P99_MS:.0f} ms at one client: {'held' if fine else 'missed'}"
    )
    return fine


def _cpu(process: psutil.Process) -> float:
    """CPU seconds of a process so far: unlike latency, others on the machine hardly change it."""
    used = process.cpu_times()
    return used.user + used.system


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--items", type=int, default=1263)
    parser.add_argument("--requests", type=int, default=400)
    parser.add_argument("--clients", type=int, default=8)
    options = parser.parse_args()
    with scratch_lab():
        fine = run(options.items, options.requests, options.clients)
    sys.exit(0 if fine else 1)


if __name__ == "__main__":
    main()
