"""Dashboard, benchmarks, leaderboard, methods, workers."""

from datetime import timedelta

import pytest
from django.utils import timezone

from experiments.ladder import bias_bound
from experiments.models import Benchmark, LeakMeter, WorkerSeen
from experiments.selectors import workers_page
from tests.conftest import rewrite_finished
from tests.factories import make_benchmark, make_event, make_experiment, make_method, make_user, make_worker


def get(client, address: str) -> str:
    response = client.get(address)
    assert response.status_code == 200
    return response.content.decode()


# Dashboard


def test_the_dashboard_of_an_empty_lab_says_what_to_do(roles, researcher):
    page = get(researcher, "/")
    assert "Nothing has run yet" in page and "./manage.py experiment run vanilla" in page
    assert "No worker is alive" in page
    assert "./manage.py benchmark sync" in page


def test_the_dashboard_shows_what_is_at_work(lab, viewer):
    page = get(viewer, "/")
    assert "1 running · 1 queued" in page
    assert "The running one" in page
    assert "Preparing Elements" in page and "10 / 40" in page
    assert "No worker is alive" not in page


def test_the_best_of_a_benchmark_is_weak_to_strong_and_counted(lab, viewer):
    line = get(viewer, "/?part=benchmarks").split('id="benchmark-geography"')[1].split("</tr>")[0]
    assert "<b>0.50</b>" in line and "[0.40, 0.60]" in line  # not the gray .9, not the disqualified .8


def test_the_dashboard_starts_the_stream_where_the_page_was_read(lab, viewer):
    assert 'data-live-url="/ws/campaigns/0/" data-live-after="2"' in get(viewer, "/")


def test_the_progress_figure_is_of_the_benchmark_asked_for(lab, viewer):
    make_benchmark("city-size", title="City size")
    assert "benchmark=city-size" in get(viewer, "/?benchmark=city-size")
    assert "benchmark=geography" in get(viewer, "/")  # where the latest score is


def test_without_a_broker_the_dashboard_says_that_nothing_is_lost(lab, viewer, settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    assert "The broker does not answer" in get(viewer, "/")
    assert "The broker does not answer" in get(viewer, "/workers/")


@pytest.mark.parametrize(
    ("kind", "payload", "said"),
    [
        ("experiment.submitted", {"state": "queued"}, "submitted"),
        ("experiment.scored", {"state": "scored", "dev_pgr": -0.125}, "scored, dev PGR −0.12"),
        ("run.state", {"state": "evaluating", "seeds": [0, 1, 2]}, "3 seeds evaluating"),
        ("run.state", {"state": "failed", "seeds": [4]}, "1 seed failed"),
        ("benchmark.state", {"state": "ready"}, "ready"),
        ("benchmark.imported", {"state": "registered"}, "imported"),
        ("something.not_known", {}, "not known"),
    ],
)
def test_events_read_as_sentences(roles, viewer, kind, payload, said):
    make_event(kind, "experiment:7", payload=payload)
    assert f'<span class="quiet">{said}</span>' in get(viewer, "/?part=events")


# Benchmarks


def test_ready_benchmarks_come_first(lab, viewer):
    page = get(viewer, "/benchmarks/")
    places = [page.index(f'id="card-{slug}"') for slug in ("geography", "elements", "grammar", "latitude", "chat")]
    assert places == sorted(places)


def test_a_ready_benchmark_shows_its_frozen_baselines_and_what_can_be_measured(lab, viewer):
    page = get(viewer, "/benchmarks/geography/")
    assert "dev: gap 0.200 = 7.1 SE, measurable" in page
    assert "0.6800" in page and "± 0.0200" in page
    for split, size in Benchmark.objects.get(slug="geography").sizes.items():
        assert f'{split} <span class="num">{size}</span>' in page


def test_a_gap_within_its_noise_is_called_unmeasurable(lab, viewer):
    Benchmark.objects.get(slug="geography").baselines.all().delete()
    from tests.factories import make_baselines

    make_baselines(Benchmark.objects.get(slug="geography"), weak=0.75)
    assert "not measurable" in get(viewer, "/benchmarks/geography/")


def test_a_benchmark_in_preparation_shows_stage_and_time_left(lab, viewer):
    Benchmark.objects.filter(slug="elements").update(stage_started_at=timezone.now() - timedelta(seconds=20))
    page = get(viewer, "/benchmarks/elements/")
    assert "features" in page and "10 / 40" in page
    assert "about 1 min left" in page
    assert 'data-poll="2000"' in page


def test_a_failed_preparation_says_why(lab, viewer):
    assert "grammar.jsonl, line 118: label is 2" in get(viewer, "/benchmarks/grammar/")


def test_published_figures_are_marked_as_external_and_doubtful(lab, viewer):
    for address in ("/benchmarks/chat/", "/leaderboard/?benchmark=chat"):
        page = get(viewer, address)
        assert "external, not measured here" in page
        assert "doubtful" in page and "its per-seed values repeat" in page
        assert "0.400" in page and "± 0.060" in page


def test_the_leak_meter_counts_uploads_and_bounds_the_bias(lab, viewer):
    LeakMeter.objects.create(benchmark=Benchmark.objects.get(slug="geography"), queries=12, bits=80.0)
    page = get(viewer, "/benchmarks/geography/")
    assert "1 / 100 uploads" in page
    assert "80.0" in page
    assert f"{bias_bound(80, 500):.3f}" in page


def test_the_bias_bound_by_hand():
    # sqrt((80 ln 2 + ln 20) / 1000) = sqrt((55.4518 + 2.9957) / 1000)
    assert bias_bound(80, 500) == pytest.approx(0.24176, abs=1e-5)


# Leaderboard


def test_the_board_ranks_what_counts_best_first(lab, viewer):
    page = get(viewer, "/leaderboard/")
    assert page.index("The scored one") < page.index("The other one")
    assert "The bad one" not in page and "The gray one" not in page
    assert "−0.27" in page  # dev .50 minus holdout .77


def test_every_standing_is_one_click_away_and_unranked(lab, viewer):
    page = get(viewer, "/leaderboard/?benchmark=geography&standing=all")
    row = page.split("The bad one")[0].rsplit("<tr>", 1)[1]
    assert '<td class="n">–</td>' in row
    assert "Disqualified" in page


def test_policy_gray_is_ranked_apart(lab, viewer):
    page = get(viewer, "/leaderboard/?benchmark=geography&class=policy_gray")
    assert "The gray one" in page and "The scored one" not in page


def test_ranks_go_on_over_pages(lab, viewer, monkeypatch):
    monkeypatch.setattr("experiments.selectors.leaderboard_page.PAGE_SIZE", 1)
    import re

    first = get(viewer, "/leaderboard/?benchmark=geography")
    link = re.search(r'rel="next" href="([^"]+)"', first)[1].replace("&amp;", "&")
    second = get(viewer, f"/leaderboard/{link}")
    assert '<td class="n">2</td>' in second and "The other one" in second


def test_an_empty_board_and_an_unknown_class_are_explained(lab, viewer):
    make_benchmark("city-size")
    assert "Nothing is ranked in this class" in get(viewer, "/leaderboard/?benchmark=city-size")
    assert "There is no such class" in get(viewer, "/leaderboard/?class=royal")


# Methods and workers


def test_methods_say_what_they_use_and_how_often_they_were_tried(lab, viewer):
    page = get(viewer, "/methods/")
    assert "Vanilla student" in page and "likelihood" in page
    assert '?method=vanilla">7</a>' in page


def test_a_method_shows_its_options_and_its_best_per_benchmark(lab, viewer):
    page = get(viewer, "/methods/vanilla/")
    assert "a number above 0 or &quot;cv&quot;" in page
    assert "The scored one" in page.split("results-title")[2]
    assert "Run it" not in page  # a viewer may not


def test_a_switched_off_method_says_so(lab, researcher):
    make_method("old", enabled=False)
    page = get(researcher, "/methods/old/")
    assert "Switched off by an operator" in page and "Run it" not in page


def test_workers_show_leases_and_grouped_failures(lab, viewer):
    make_worker("gpu@attic", seen_at=timezone.now() - timedelta(hours=1))
    page = get(viewer, "/workers/")
    assert "alive" in page and "silent" in page
    leases = page.split('id="leases-title"')[1].split('id="failures-title"')[0]
    assert leases.count("The running one") == 1 and "0–2" in leases
    failures = page.split('id="failures-title"')[1]
    assert failures.count("The failed one") == 1 and "0–2" in failures


def test_an_expired_lease_says_so(lab, viewer):
    lab["running"].runs.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert "expired" in get(viewer, "/workers/")


def test_a_worker_is_silent_after_three_leases(roles, settings):
    settings.LEASE_SECONDS = 10
    make_worker("a", seen_at=timezone.now() - timedelta(seconds=28))
    make_worker("b", seen_at=timezone.now() - timedelta(seconds=32))
    assert [(each.seen.name, each.alive) for each in workers_page.workers()] == [("a", True), ("b", False)]
    assert WorkerSeen.objects.count() == 2


def test_a_failure_without_a_reason_says_so(roles, viewer):
    row = make_experiment(user=make_user(), state="failed")
    rewrite_finished(row.runs.all(), error="")
    assert "no reason was recorded" in get(viewer, "/workers/")
