"""Figures: pure functions from rows to Plotly dictionaries, with their rows as table and CSV."""

import csv
import io
import json
import re
from datetime import UTC, datetime

import pytest

from experiments.charts import CHARTS
from experiments.charts._forest import Mark, forest
from experiments.charts._paint import COLOURS, DASHES, SYMBOLS, interval_text, reach, style
from experiments.charts.pgr_over_time import PgrOverTime
from experiments.charts.seed_spread import SeedSpread
from experiments.charts.training_curves import TrainingCurves
from experiments.models import Evaluation
from experiments.selectors.figures import CurveRow, SeedRow, hour_rows
from experiments.selectors.progress import StepRow, best_steps
from tests.factories import make_benchmark, make_experiment, make_method, make_user

AT = datetime(2026, 11, 24, 12, tzinfo=UTC)


def test_every_chart_says_what_it_shows():
    assert len(CHARTS.names()) >= 8
    for name in CHARTS.names():
        chart = CHARTS.get(name)()
        assert chart.title and len(chart.summary) > 20 and chart.empty
        assert chart.headings()
        assert chart.figure([]) == {"data": [], "layout": {"meta": {"empty": chart.empty}}}


def test_the_first_eight_series_differ_in_colour_mark_and_dash():
    looks = [style(index) for index in range(16)]
    assert len({look.colour for look in looks[:8]}) == len({look.symbol for look in looks[:8]}) == 8
    assert len(set(looks)) == 16
    assert len(COLOURS) == len(SYMBOLS) == len(DASHES) == 8


@pytest.mark.parametrize("page", ["#ffffff", "#171d23"])
def test_every_colour_of_a_figure_can_be_told_from_the_page(page):
    for colour in COLOURS:
        assert contrast(colour, page) >= 3, colour


def contrast(one: str, two: str) -> float:
    """WCAG 2.2 contrast ratio."""

    def luminance(colour: str) -> float:
        channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((luminance(one), luminance(two)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_the_forest_stacks_lines_and_keeps_series_apart():
    marks = [
        Mark("a", "dev", 0.5, 0.4, 0.7, ""),
        Mark("a", "holdout", 0.3, None, None, ""),
        Mark("b", "dev", 0.2, 0.1, 0.3, ""),
    ]
    figure = forest(marks)
    dev, holdout = figure["data"]
    assert dev["y"] == pytest.approx([1.18, 0.18]) and holdout["y"] == pytest.approx([0.82])
    assert dev["error_x"]["array"] == pytest.approx((0.2, 0.1))
    assert dev["error_x"]["arrayminus"] == pytest.approx((0.1, 0.1))
    assert holdout["error_x"]["array"] == (0.0,)
    assert "0.30 [unbounded]" in holdout["text"][0]
    assert figure["layout"]["yaxis"]["ticktext"] == ["a", "b"]


def test_reach_and_interval_text():
    assert reach(0.5, 0.25, None) == (0.25, 0.0)
    assert interval_text(0.534, 0.41, 0.664) == "0.53 [0.41, 0.66]"
    assert interval_text(None, None, None) == "no value"


def test_steps_are_carried_on_to_the_latest_one():
    rows = [
        StepRow("vanilla baseline", None, 0.4, None, None, 20, 500, None, ""),
        StepRow("ada", AT.replace(hour=9), 0.2, 0.1, 0.3, 20, 500, 1, "one"),
        StepRow("noor", AT, 0.6, 0.5, 0.7, 20, 500, 2, "two"),
    ]
    ada, noor = PgrOverTime().draw(rows)["data"]
    assert ada["x"] == ["2026-11-24T09:00:00+00:00", "2026-11-24T12:00:00+00:00"] and ada["y"] == [0.2, 0.2]
    assert "20 seeds, n = 500" in noor["text"][0]
    labels = [note["text"] for note in PgrOverTime().draw(rows)["layout"]["annotations"]]
    assert labels == ["weak teacher (0)", "ceiling (1)", "human 0.23 (external)", "vanilla 0.40"]


def test_only_a_baseline_is_no_progress():
    rows = [StepRow("vanilla baseline", None, 0.4, None, None, 20, 500, None, "")]
    assert PgrOverTime().draw(rows)["data"] == []


def test_seeds_stand_beside_their_mean():
    rows = [SeedRow(7, "t", index, "scored", pgr, 0.7, 0.4, 0.2, 0.7, 500) for index, pgr in enumerate((0.3, 0.5))]
    rows.append(SeedRow(7, "t", 2, "failed", None, None, 0.4, 0.2, 0.7, 500))
    seeds, mean = SeedSpread().draw(rows)["data"]
    assert seeds["x"] == [0, 1] and seeds["y"] == [0.3, 0.5] and seeds["name"] == "#7: 2 seeds"
    assert mean["y"] == [0.4]
    assert mean["error_y"]["array"] == pytest.approx([0.3]) and mean["error_y"]["arrayminus"] == pytest.approx([0.2])


def test_the_mean_curve_is_drawn_where_every_seed_has_a_value():
    rows = [
        CurveRow(1, 0, "loss", "l2", 1, 0.5),
        CurveRow(1, 0, "loss", "l2", 2, 0.3),
        CurveRow(1, 1, "loss", "l2", 1, 0.7),
    ]
    figure = TrainingCurves().draw(rows)
    assert figure["data"][-1]["y"] == pytest.approx([0.6])
    assert figure["data"][-1]["name"] == "loss, 2 seeds"
    assert figure["layout"]["xaxis"] == {"title": {"text": "l2"}, "type": "linear"}


def test_what_is_tried_by_powers_of_ten_has_a_logarithmic_axis():
    rows = [CurveRow(1, 0, "loss", "l2", x, 0.5) for x in (0.001, 0.1, 10)]
    assert TrainingCurves().draw(rows)["layout"]["xaxis"]["type"] == "log"


def test_only_rises_of_counted_weak_to_strong_scores_are_steps(lab):
    user = lab["scored"].submitter
    for dev in (0.4, 0.7, 0.7, 0.6):
        make_experiment(user=user, benchmark=lab["scored"].benchmark, state="scored", dev=dev)
    rows = best_steps(user, "geography")
    assert [row.pgr for row in rows if row.finished_at] == [0.5, 0.7]
    assert rows[0].submitter == "vanilla baseline" and rows[0].pgr == pytest.approx(0.4)


def test_hours_are_all_there_and_count_each_end(lab):
    rows = hour_rows()
    assert len(rows) == 24
    assert sum(row.scored for row in rows) == 12 and sum(row.failed for row in rows) == 3


def test_no_run_ended_is_an_empty_figure(roles, viewer):
    answer = viewer.get("/charts/throughput/").json()
    assert answer["data"] == [] and "24 hours" in answer["layout"]["meta"]["empty"]


def test_a_figure_is_sent_once_and_again_when_it_changed(lab, viewer):
    address = f"/charts/seed-spread/?ids={lab['running'].pk}"
    first = viewer.get(address)
    assert viewer.get(address, headers={"If-None-Match": first["ETag"]}).status_code == 304
    lab["running"].runs.filter(seed_index=0).update(dev_pgr=0.4, state="scored")
    again = viewer.get(address, headers={"If-None-Match": first["ETag"]})
    assert again.status_code == 200 and json.loads(again.content)["data"]


def test_the_csv_is_unrounded_and_holds_what_the_figure_shows(lab, viewer):
    response = viewer.get(f"/charts/seed-spread.csv?ids={lab['scored'].pk}")
    rows = list(csv.DictReader(io.StringIO(b"".join(response.streaming_content).decode())))
    assert [float(row["pgr"]) for row in rows] == [run.dev_pgr for run in lab["scored"].runs.order_by("seed_index")]


def test_the_table_beside_a_figure_keeps_in_step(lab, viewer):
    page = viewer.get(f"/charts/seed-spread/table/?ids={lab['scored'].pk}").content.decode()
    assert "Data as a table (3 rows)" in page and "0.470" in page


def test_methods_on_a_benchmark_are_each_methods_best(lab, viewer):
    figure = viewer.get("/charts/benchmark-methods/?benchmark=geography").json()
    assert figure["layout"]["yaxis"]["ticktext"] == ["Zero shot", "Vanilla student"]
    assert figure["data"][0]["x"] == [0.9, 0.5]


def test_figures_read_scores_of_experiments_only(lab, viewer):
    """An uploaded, unverified score is in no figure."""
    assert Evaluation.objects.filter(verified=False).exists()
    body = json.dumps(viewer.get("/charts/leaderboard/?benchmark=geography&class=weak_to_strong").json())
    assert set(re.findall(r"#(\d+) ", body)) == {str(lab["scored"].pk), str(lab["other"].pk)}


def test_a_benchmark_without_baselines_has_no_line_for_vanilla(roles):
    make_method()
    bare = make_benchmark("bare", baselines=False)
    row = make_experiment(user=make_user(), benchmark=bare, state="scored", dev=0.2)
    assert [each.experiment for each in best_steps(row.submitter, "bare")] == [row.pk]
