"""How diverse ideas are, what grew out of what, what was tried."""

import csv
import io
import json
import math
import re

import pytest

from experiments import ideas
from experiments.charts import CHARTS
from experiments.models import Experiment
from experiments.selectors.ideas import WINDOW, DeadEnds, dead_ends, diversity_rows, tried_rows
from experiments.snapshots.services import create_snapshot
from forum.lineage import Origin, lineage_rows
from forum.services.curation import hide
from tests.factories import make_benchmark, make_experiment, make_method
from tests.forum.rows import make_finding, member
from tests.pages.conftest import _plain_static_files  # noqa: F401 - a fixture

SAME = "soft labels keep the doubt of the teacher"
FAR = ["entropy regularisation", "nearest neighbours vote", "truncated spectral basis", "curriculum over difficulty"]


def test_words_leave_out_numbers_and_common_words():
    assert set(ideas.words("The penalty of 0.1 and 0.2, with Soft-Labels")) == {"penalty", "soft-labels"}


def test_diversity_is_the_mean_distance_of_all_pairs():
    window = ideas.vectors([SAME, SAME, *FAR])
    pairs = [1 - ideas.cosine(a, b) for i, a in enumerate(window) for b in window[i + 1 :]]
    measured = ideas.diversity(window)
    assert measured.value == pytest.approx(sum(pairs) / len(pairs))
    assert measured.low <= measured.value <= measured.high and measured.n == 6


def test_the_interval_is_the_jackknife():
    window = ideas.vectors([SAME, SAME + " always", *FAR])
    n = len(window)
    left_out = [ideas.diversity(window[:i] + window[i + 1 :]).value for i in range(n)]
    mean = sum(left_out) / n
    se = math.sqrt((n - 1) / n * sum((each - mean) ** 2 for each in left_out))
    measured = ideas.diversity(window)
    assert measured.low == pytest.approx(max(measured.value - 2.5706 * se, 0), abs=1e-3)  # t with 5 degrees of freedom


def test_the_same_idea_again_and_again_has_no_diversity_and_strangers_have_all():
    assert ideas.diversity(ideas.vectors([SAME] * 5)).value == pytest.approx(0, abs=1e-12)
    assert ideas.diversity(ideas.vectors(FAR)).value == pytest.approx(1)
    assert ideas.diversity(ideas.vectors(["", "1 2 3"])).value == 1  # nothing in common, not even a word
    assert ideas.diversity(ideas.vectors([SAME])) is None


@pytest.mark.django_db
def test_diversity_falls_when_everybody_says_the_same():
    user = member()
    for index in range(12):
        make_experiment(user=user, hypothesis=f"{FAR[index % 4]} number {index}" if index % 3 else FAR[index % 4])
    for _ in range(WINDOW):
        make_experiment(user=user, hypothesis=SAME)
    rows = diversity_rows(user, 0)
    assert len(rows) == 12 + WINDOW - 2
    assert rows[5].diversity > 0.5 and rows[-1].diversity == pytest.approx(0, abs=1e-9)
    assert rows[-1].ideas == WINDOW and rows[-1].submitters == 1
    assert diversity_rows(user, 0) == rows  # from the cache


@pytest.mark.django_db
def test_reruns_and_other_campaigns_are_no_ideas_of_this_one():
    user = member()
    first = make_experiment(user=user, campaign=3, hypothesis=FAR[0])
    for text in FAR[1:3]:
        make_experiment(user=user, campaign=3, hypothesis=text)
    make_experiment(user=user, campaign=3, hypothesis=FAR[0], rerun_of=first)
    make_experiment(user=user, campaign=4, hypothesis=SAME)
    assert [row.ideas for row in diversity_rows(user, 3)] == [3]


@pytest.mark.django_db
def test_what_was_tried_names_dead_ends():
    user, benchmark = member(), make_benchmark()
    good, bad, fresh = make_method("good"), make_method("bad"), make_method("fresh")
    best = make_experiment(user=user, method=good, benchmark=benchmark, state="scored", dev=0.9)
    make_experiment(user=member(), method=good, benchmark=benchmark, state="scored", dev=0.7)
    make_experiment(user=user, method=bad, benchmark=benchmark, state="scored", dev=0.41)
    for dev in (0.0, -0.2):
        make_experiment(user=user, method=bad, benchmark=benchmark, state="scored", dev=dev)
    make_experiment(user=user, method=bad, benchmark=benchmark, state="failed")
    make_experiment(user=user, method=bad, benchmark=benchmark, state="scored", dev=0.99, standing="disqualified")
    make_experiment(user=user, method=fresh, benchmark=benchmark)
    rows = {row.method: row for row in tried_rows(user, 0)}
    assert [row.outcome for row in (rows["Good"], rows["Bad"], rows["Fresh"])] == ["beats vanilla", "dead end", "open"]
    assert (rows["Good"].tried, rows["Good"].submitters, rows["Good"].experiment) == (2, 2, best.pk)
    assert (rows["Bad"].best, rows["Bad"].failed, rows["Bad"].scored) == (pytest.approx(0.41), 1, 4)
    assert [rows[name].below for name in ("Good", "Bad", "Fresh")] == [0, 2, 0]  # one at the teacher, one below
    assert dead_ends(user, 0) == DeadEnds(experiments=8, failed=1, below=2)
    assert rows["Fresh"].best is None and rows["Fresh"].experiment is None


@pytest.mark.django_db
def test_what_was_tried_and_lineage_are_kept_until_there_is_news(django_assert_max_num_queries):
    user, method = member(), make_method("good")
    best = make_experiment(user=user, method=method, state="scored", dev=0.9)
    second = make_experiment(user=user, method=method, benchmark=best.benchmark, state="scored", dev=0.7, rerun_of=best)
    tried, family = tried_rows(user, 0), lineage_rows(user, 0)
    with django_assert_max_num_queries(1):
        assert tried_rows(user, 0) == tried and tried[0].experiment == best.pk
    with django_assert_max_num_queries(5):
        assert lineage_rows(user, 0) == family and family[0].leads_to == 1
    Experiment.objects.filter(pk=best.pk).update(standing="disqualified")
    assert tried_rows(user, 0)[0].experiment == second.pk
    third = make_experiment(user=user, method=method, benchmark=best.benchmark, rerun_of=best)
    assert [row.experiment for row in lineage_rows(user, 0)] == [best.pk, second.pk, third.pk]


@pytest.mark.django_db
def test_lineage_follows_code_reruns_and_findings():
    user = member()
    parent = create_snapshot(user=user, files={"method.py": "a = 1"})
    child = create_snapshot(user=user, files={"method.py": "a = 2"}, parents=[parent.pk])
    first = make_experiment(user=user, snapshot=parent, state="scored", dev=0.3)
    second = make_experiment(user=user, snapshot=child, state="scored", dev=0.6)
    again = make_experiment(user=user, rerun_of=second)
    cited = make_experiment(user=user, state="scored", dev=0.7)
    alone = make_experiment(user=user)
    older = make_finding(user, experiments=[first.pk])
    newer = make_finding(user, experiments=[cited.pk], parents=[older.pk])
    rows = {row.experiment: row for row in lineage_rows(user, 0)}
    assert rows[second.pk].builds_on == (Origin(first.pk, "code"),)
    assert rows[again.pk].builds_on == (Origin(second.pk, "rerun"),)
    assert rows[cited.pk].builds_on == (Origin(first.pk, f"finding {older.pk}"),)
    assert rows[first.pk].leads_to == 2 and rows[first.pk].builds_on == () and alone.pk not in rows
    chart = CHARTS.get("lineage")()
    figure = chart.figure(list(rows.values()))
    marks = next(trace for trace in figure["data"] if trace["name"] == "scored (3)")
    assert marks["y"] == [0.3, 0.6, 0.7]
    assert str(rows[cited.pk].builds_on) == f"#{first.pk} (finding {older.pk})"
    hide(user=member("reviewer"), finding_id=newer.pk, reason="wrong")
    assert cited.pk not in {row.experiment for row in lineage_rows(user, 0)}


@pytest.mark.django_db
def test_lineage_passes_through_findings_on_no_experiment():
    user = member()
    first, second, third = (make_experiment(user=user, state="scored", dev=0.3) for _ in range(3))
    older = make_finding(user, experiments=[first.pk])
    hypothesis = make_finding(user, kind="hypothesis", parents=[older.pk])
    middle = make_finding(user, experiments=[second.pk], parents=[hypothesis.pk])
    make_finding(user, experiments=[third.pk], parents=[middle.pk, hypothesis.pk])
    rows = {row.experiment: row for row in lineage_rows(user, 0)}
    assert rows[second.pk].builds_on == (Origin(first.pk, f"finding {older.pk}"),)
    assert rows[third.pk].builds_on == (
        Origin(second.pk, f"finding {middle.pk}"),
        Origin(first.pk, f"finding {older.pk}"),
    )
    hide(user=member("reviewer"), finding_id=hypothesis.pk, reason="wrong")
    rows = {row.experiment: row for row in lineage_rows(user, 0)}
    assert rows[third.pk].builds_on == (Origin(second.pk, f"finding {middle.pk}"),) and second.pk in rows


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["idea-diversity", "lineage", "what-was-tried"])
def test_every_figure_is_served_with_table_and_csv(client, name):
    user = member()
    first = make_experiment(user=user, state="scored", hypothesis=FAR[0], title="=cmd")
    make_experiment(user=user, state="scored", hypothesis=FAR[1], rerun_of=first)
    for text in FAR[:3]:
        make_experiment(user=user, hypothesis=text)
    client.force_login(user)
    figure = json.loads(client.get(f"/charts/{name}/").content)
    assert figure["data"]
    lines = list(csv.reader(io.StringIO(b"".join(client.get(f"/charts/{name}.csv").streaming_content).decode())))
    assert len(lines) > 1
    assert client.get(f"/charts/{name}/table/").status_code == 200


@pytest.mark.django_db
def test_the_page_shows_all_three_and_says_what_is_missing(client):
    user = member()
    client.force_login(user)
    assert "Nothing was tried yet" in client.get("/ideas/").content.decode()
    for text in FAR:
        make_experiment(user=user, hypothesis=text, campaign=7)
    page = client.get("/ideas/?campaign=7").content.decode()
    for said in ("Diversity of directions", "Lineage of methods", "What was tried", "It sees words, not meaning", "#7"):
        assert said in page, said
    assert "Nothing was tried yet" in client.get("/ideas/?campaign=8").content.decode()
    assert client.get("/ideas/?campaign=junk").status_code == 200


@pytest.mark.django_db
def test_the_page_costs_the_same_for_more_experiments(client, django_assert_max_num_queries):
    user = member()
    for index in range(30):
        make_experiment(user=user, hypothesis=f"{FAR[index % 4]}", state="scored", runs=False)
    client.force_login(user)
    with django_assert_max_num_queries(40):
        client.get("/ideas/")


@pytest.mark.django_db
def test_the_page_counts_dead_ends_and_says_what_its_measure_cannot_see(client):
    user, benchmark = member("viewer"), make_benchmark()
    client.force_login(user)
    for dev in (0.5, 0.0, -0.1):
        make_experiment(user=user, benchmark=benchmark, state="scored", dev=dev, hypothesis=FAR[0])
    make_experiment(user=user, benchmark=benchmark, state="failed", hypothesis=FAR[1])
    text = " ".join(re.sub(r"<[^>]*>", "", client.get("/ideas/").content.decode()).split())
    assert "3 of 4 experiments led nowhere: 1 failed, 2 scored at or below the weak teacher" in text
    assert "It compares words, not meaning" in text
