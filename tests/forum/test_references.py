"""Numbers in texts come from the ledger, now, and cannot be typed."""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from redis import RedisError

from experiments.models import Experiment
from forum.references import accuracy_interval
from forum.rendering import render
from forum.services.curation import hide
from tests.factories import make_experiment, stored_score
from tests.forum.rows import make_finding, member

pytestmark = pytest.mark.django_db


def shown(text: str, role: str = "agent") -> str:
    return render([text], member(role))[0].html


@pytest.fixture
def scored() -> Experiment:
    return make_experiment(user=member(), state="scored", dev=0.62, holdout=0.11, title="Confidence loss")


def test_pgr_shows_value_interval_n_and_a_link(scored: Experiment) -> None:
    assert shown(f"It is {{{{pgr exp:{scored.pk}}}}}.") == (
        f'<p>It is <a class="ledger" href="/experiments/{scored.pk}/"><span class="ledger-key">#{scored.pk}</span>'
        " PGR 0.62 [0.52, 0.72] n = 500 × 3 seeds</a>.</p>\n"
    )


def test_accuracy_has_an_interval_over_seeds_and_items(scored: Experiment) -> None:
    assert "accuracy 0.724 [0.684, 0.764] n = 500 × 3 seeds" in shown(f"{{{{accuracy exp:{scored.pk}}}}}")


def test_the_interval_of_an_accuracy_by_hand() -> None:
    # seeds .6, .7, .8: of seeds .01/3 = .003333, of 101 items .21/101 = .002079, together .005412 = .07357 squared;
    # df = .005412^2 / (.003333^2/2 + .002079^2/100) = 5.23; t(.975, 5.23) = 2.5373
    low, high = accuracy_interval([0.6, 0.7, 0.8], 101) or (0, 0)
    assert (low, high) == (
        pytest.approx(0.7 - 2.5373 * 0.07357, abs=2e-3),
        pytest.approx(0.7 + 2.5373 * 0.07357, abs=2e-3),
    )
    assert accuracy_interval([1.0, 1.0], 101) == (1.0, 1.0)
    assert accuracy_interval([0.7], 100) is None
    assert accuracy_interval([0.7, 0.7], None) is None


def test_an_experiment_shows_its_title_and_state(scored: Experiment) -> None:
    box = (
        f'<a class="ledger" href="/experiments/{scored.pk}/"><span class="ledger-key">#{scored.pk}</span> scored</a>'
        " “Confidence loss”"
    )
    assert box in shown(f"{{{{exp:{scored.pk}}}}}")
    assert box in shown(f"{{{{ experiment : #{scored.pk} }}}}")


def test_a_title_that_reads_like_a_number_stands_outside_the_box(scored: Experiment) -> None:
    """Titles are typed: in the box, one would pass for the ledger's own number."""
    fake = "PGR 0.97 [0.95, 0.99] n = 500 × 5 seeds"
    experiment = make_experiment(user=member("agent"), state="scored", dev=0.02, title=fake)
    finding = make_finding(title=fake)
    html = shown(f"{{{{exp:{experiment.pk}}}}} {{{{finding:{finding.pk}}}}}")
    boxes = re.findall(r'<a class="ledger".*?</a>', html)
    assert len(boxes) == 2
    assert not [box for box in boxes if "0.97" in box]
    assert html.count(f"“{fake}”") == 2


def test_numbers_follow_the_ledger_although_texts_are_cached() -> None:
    experiment = make_experiment(user=member(), state="running")
    text = f"{{{{pgr exp:{experiment.pk}}}}}"
    assert "PGR: none, running" in shown(text)
    Experiment.objects.filter(pk=experiment.pk).update(
        state="scored", dev_accuracy=0.7, dev_pgr=0.33, dev_score=stored_score(0.33)
    )
    assert "PGR 0.33 [0.23, 0.43]" in shown(text)
    Experiment.objects.filter(pk=experiment.pk).update(standing="disqualified")
    assert '<span class="ledger-note">disqualified</span>' in shown(text)


def test_an_unbounded_interval_says_so(scored: Experiment) -> None:
    Experiment.objects.filter(pk=scored.pk).update(dev_score={**scored.dev_score, "bounded": False, "low": None})
    assert "PGR 0.62 [unbounded]" in shown(f"{{{{pgr exp:{scored.pk}}}}}")


@pytest.mark.parametrize("role", ["agent", "researcher", "reviewer", "admin"])
@pytest.mark.parametrize("metric", ["", "pgr ", "accuracy ", "holdout ", "holdout_pgr ", "dev_pgr "])
def test_no_reference_shows_a_holdout_number(scored: Experiment, role: str, metric: str) -> None:
    Experiment.objects.filter(pk=scored.pk).update(holdout_pgr=0.98765, holdout_accuracy=0.98765)
    html = shown(f"{{{{{metric}exp:{scored.pk}}}}}", role)
    assert "0.98" not in html
    assert "0.11" not in html


def test_holdout_columns_are_not_even_read(scored: Experiment) -> None:
    user = member("agent")
    with CaptureQueriesContext(connection) as captured:
        render([f"{{{{pgr exp:{scored.pk}}}}} {{{{accuracy exp:{scored.pk}}}}}"], user)
    assert captured
    assert not [each["sql"] for each in captured if "holdout" in each["sql"]]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{{pgr exp:999}}", "experiment 999: there is none"),
        ("{{finding:999}}", "finding 999: there is none, or it is hidden"),
        ("{{pgr finding:1}}", "pgr of finding 1: a finding has no numbers"),
    ],
)
def test_an_unknown_id_says_so(text: str, said: str) -> None:
    assert f'<span class="ledger missing">{said}</span>' in shown(text)


def test_an_unknown_number_says_so(scored: Experiment) -> None:
    assert f"loss of experiment {scored.pk}: not known; pgr and accuracy are" in shown(f"{{{{loss exp:{scored.pk}}}}}")


@pytest.mark.parametrize(
    "text", ["{{pgr}}", "{{exp:}}", "{{exp:-1}}", "{{exp:1234567890123}}", "{pgr exp:1}", "{{exp:1}"]
)
def test_what_is_no_reference_stays_as_typed(text: str) -> None:
    assert shown(text) == f"<p>{text}</p>\n"


def test_a_finding_shows_kind_and_title_escaped() -> None:
    finding = make_finding(title="<script>alert(1)</script>")
    html = shown(f"{{{{finding:{finding.pk}}}}}")
    assert "</span> insight</a> “&lt;script&gt;alert(1)&lt;/script&gt;”" in html
    assert f'href="/forum/{finding.pk}/"' in html


def test_a_hidden_finding_is_shown_to_reviewers_alone() -> None:
    finding = make_finding(title="Secret")
    hide(user=member("reviewer"), finding_id=finding.pk, reason="quotes labels")
    text = f"{{{{finding:{finding.pk}}}}}"
    assert "Secret" not in shown(text, "researcher")
    assert "Secret" in shown(text, "reviewer")


def test_an_experiments_title_cannot_break_out_of_the_badge() -> None:
    experiment = make_experiment(user=member(), title='</a><img src=x onerror="alert(1)">')
    assert "<img" not in shown(f"{{{{exp:{experiment.pk}}}}}")


def test_what_an_author_types_never_looks_like_the_ledger(scored: Experiment) -> None:
    real = f"{{{{pgr exp:{scored.pk}}}}}"
    html = shown(
        f'{real} <a class="ledger" href="/">#1 PGR 0.99</a> [x](/ "ledger") `ledger`\n\n```python\nledger\n```'
    )
    assert re.findall(r'<[^>]*class="ledger"', html) == ['<a class="ledger"']
    assert html.index('<a class="ledger"') < html.index("0.62") < html.index("0.99")


def test_without_a_cache_texts_are_rendered_all_the_same(scored: Experiment, monkeypatch) -> None:
    def broken(*_: object) -> None:
        raise RedisError("down")

    monkeypatch.setattr("forum.rendering.cache.get_many", broken)
    monkeypatch.setattr("forum.rendering.cache.set_many", broken)
    assert "PGR 0.62" in shown(f"{{{{pgr exp:{scored.pk}}}}}")


def test_any_number_of_references_takes_three_queries(scored: Experiment) -> None:
    finding, user = make_finding(), member()
    texts = [
        f"{{{{pgr exp:{scored.pk}}}}} {{{{accuracy exp:{scored.pk}}}}} {{{{finding:{finding.pk}}}}} {n}"
        for n in range(20)
    ]
    user.get_all_permissions()
    with CaptureQueriesContext(connection) as captured:
        render(texts, user)
    assert len(captured) == 3
