"""How long the server takes for each page in a lab of 10,000 experiments, and how many questions it asks the database.

    python -m bench.pages [--experiments 10000] [--repeats 100]

Fills a scratch database with made-up rows (bench/rows.py) and asks for every page as a logged-in owner, through all
of the middleware, without a network. Prints p50 and p99 per page against the limit; ends with 1 if a p99 is above it.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from bench.scratch import scratch_lab

LIMIT_MS = 100.0
WARM_UP = 3  # the first answers compile templates and open connections


def addresses() -> Iterator[tuple[str, str]]:
    """Name and address of each page; the slow ends of each among them."""
    from experiments.models import Experiment, TransferStudy

    scored = Experiment.objects.filter(state="scored").order_by("-id").first()
    running = Experiment.objects.filter(state="running").first()
    middle = _far_page("/experiments/?order=-dev_pgr", pages=20)
    yield "dashboard", "/"
    yield "dashboard: at work", "/?part=now"
    yield "dashboard: benchmarks", "/?part=benchmarks"
    yield "experiments", "/experiments/"
    yield "experiments by PGR", "/experiments/?order=-dev_pgr"
    yield "experiments by PGR, page 20", middle
    yield "experiments, searched", "/experiments/?search=annealed+loss"
    yield "experiments, filtered", "/experiments/?benchmark=geography&method=logconf&state=scored&order=-dev_pgr"
    yield "experiment, scored", f"/experiments/{scored.pk}/"
    yield "experiment, running", f"/experiments/{running.pk}/"
    yield "experiment: runs", f"/experiments/{running.pk}/?part=runs"
    yield "compare 8", "/experiments/compare/?ids=" + ",".join(str(scored.pk - index) for index in range(8))
    yield "new experiment", "/experiments/new/"
    yield "benchmarks", "/benchmarks/"
    yield "benchmark", "/benchmarks/geography/"
    yield "leaderboard", "/leaderboard/?benchmark=geography"
    yield "leaderboard by API", "/api/v1/leaderboard/?benchmark=geography"
    study = TransferStudy.objects.order_by("id").first()
    yield "transfer", "/transfer/"
    yield "transfer study", f"/transfer/{study.pk}/"
    yield "new transfer study", f"/transfer/new/?experiment={study.experiment_id}"
    yield "transfer studies by API", "/api/v1/transfer-studies/"
    yield "figure: transfer", f"/charts/transfer-cells/?study={study.pk}"
    yield "methods", "/methods/"
    yield "method", "/methods/logconf/"
    yield "workers", "/workers/"
    yield "figure: PGR over time", "/charts/pgr-over-time/?benchmark=geography"
    yield "figure: leaderboard", "/charts/leaderboard/?benchmark=geography&class=weak_to_strong"
    yield "figure: curves", f"/charts/training-curves/?experiment={scored.pk}"
    yield "figure: throughput", "/charts/throughput/"


def addresses_of_campaigns() -> Iterator[tuple[str, str]]:
    """The pages that agents fill, of a campaign of 9 and of one of 100."""
    from agents.models import Campaign
    from oversight.models import Flag

    many, few = Campaign.objects.order_by("id")
    agent = few.agents.order_by("id").first()
    flag = Flag.objects.filter(state="open", level="hold").first()
    yield "dashboard of 100 agents", f"/?campaign={many.pk}"
    yield "dashboard: 9 cards", f"/?part=live&campaign={few.pk}"
    yield "dashboard: 100 cards", f"/?part=live&campaign={many.pk}"
    yield "dashboard: stream", f"/?part=events&campaign={many.pk}"
    yield "dashboard: oversight", f"/?part=watch&campaign={many.pk}"
    yield "dashboard: oversight, lab", "/?part=watch"
    yield "dashboard: findings", f"/?part=findings&campaign={many.pk}"
    yield "campaigns", "/campaigns/"
    yield "new campaign", "/campaigns/new/"
    yield "campaign of 9", f"/campaigns/{few.pk}/"
    yield "campaign of 100", f"/campaigns/{many.pk}/"
    yield "campaign: oversight", f"/campaigns/{many.pk}/oversight/"
    yield "agent", f"/agents/{agent.pk}/"
    yield "agent: live", f"/agents/{agent.pk}/?part=live"
    yield "forum", "/forum/"
    yield "ideas", "/ideas/"
    yield "ideas of 100 agents", f"/ideas/?campaign={many.pk}"
    yield "inbox", "/inbox/"
    yield "inbox, a hold", f"/inbox/?item=flag:{flag.pk}"
    yield "detectors", "/inbox/detectors/"
    yield "snapshots", "/snapshots/"
    yield "notifications", "/notifications/"
    yield "audit trail", "/audit/"
    yield "figure: diversity", "/charts/idea-diversity/"
    yield "figure: lineage", "/charts/lineage/"
    yield "figure: what was tried", "/charts/what-was-tried/"


def _far_page(address: str, *, pages: int) -> str:
    from django.contrib.auth import get_user_model

    from experiments.selectors.experiment_table import experiment_page

    owner = get_user_model().objects.get(username="owner")
    cursor = ""
    for _ in range(pages - 1):
        following = experiment_page(owner, {"order": "-dev_pgr"}, cursor=cursor).next
        if following is None:
            break
        cursor = following.partition("cursor=")[2]
    return f"{address}&cursor={cursor}"


class Times(NamedTuple):
    """Of one page's answers, in milliseconds; cpu: what the web process itself computed, however busy the machine."""

    p50: float
    p99: float
    cpu: float


def measure(ask: Callable[[], object], repeats: int) -> Times:
    """Asks again and again, one after the other."""
    for _ in range(WARM_UP):
        ask()
    times = []
    computed = time.process_time()
    for _ in range(repeats):
        started = time.perf_counter()
        ask()
        times.append((time.perf_counter() - started) * 1000)
    computed = (time.process_time() - computed) * 1000 / repeats
    times.sort()
    return Times(times[len(times) // 2], times[min(len(times) - 1, int(len(times) * 0.99))], computed)


def run(experiments: int, repeats: int) -> bool:
    """Fills, measures, prints. Returns: whether every page stays under the limit."""
    from django.contrib.auth import get_user_model
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    import aarweb.asgi  # noqa: F401 - the server's own start: all views loaded, what is loaded frozen
    from bench.rows import fill
    from experiments.models import Experiment, Run

    started = time.perf_counter()
    fill(experiments)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")  # as autovacuum leaves a lab within a minute
    rows = f"{Experiment.objects.count():,} experiments, {Run.objects.count():,} runs"
    print(f"{rows}, filled in {time.perf_counter() - started:.0f} s; limit {LIMIT_MS:.0f} ms\n")
    print(f"{'page':<30} {'p50 ms':>8} {'p99 ms':>8} {'cpu ms':>8} {'queries':>8} {'kB':>7}")
    client = Client(SERVER_NAME="127.0.0.1")
    client.force_login(get_user_model().objects.get(username="owner"))
    slow = []
    for name, address in (*addresses(), *addresses_of_campaigns()):
        headers = {"HX-Request": "true"} if "part=" in address else {}
        with CaptureQueriesContext(connection) as caught:
            answer = client.get(address, headers=headers)
        asked = len(caught)  # now: the next request empties the log that it reads
        if answer.status_code != 200:
            raise SystemExit(f"{address} answered {answer.status_code}")
        took = measure(lambda: client.get(address, headers=headers), repeats)  # noqa: B023 called at once
        over = "" if took.p99 <= LIMIT_MS else "  above the limit"
        times = f"{took.p50:>8.1f} {took.p99:>8.1f} {took.cpu:>8.1f}"
        print(f"{name:<30} {times} {asked:>8} {len(answer.content) / 1000:>7.0f}{over}", flush=True)
        slow += [name] if over else []
    print(f"\n{'every page is under the limit' if not slow else 'above the limit: ' + ', '.join(slow)}")
    return not slow


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--experiments", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=100)
    options = parser.parse_args()
    with scratch_lab():
        fine = run(options.experiments, options.repeats)
    sys.exit(0 if fine else 1)


if __name__ == "__main__":
    main()
