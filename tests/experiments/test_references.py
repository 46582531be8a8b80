"""tests experiments/services/references.py: published figures beside ours."""

import pytest

from experiments.errors import Refused
from experiments.lifecycle import BenchmarkState
from experiments.models import Benchmark, ReferenceResult
from experiments.services.experiments import submit_experiment
from experiments.services.references import import_references, published
from metrics import pgr_from_fixed
from tests.factories import make_benchmark, make_method, make_user


@pytest.mark.parametrize("slug", ["chat", "math", "code"])
def test_our_arithmetic_gives_the_published_figures(slug):
    facts = published()["datasets"][slug]
    for each in facts["methods"]:
        measured = pgr_from_fixed(
            each["transfer_per_seed"],
            (facts["weak"]["mean"], facts["weak"]["se"]),
            (facts["ceiling"]["mean"], facts["ceiling"]["se"]),
            facts["sizes"]["test"],
        )
        assert measured.mean == pytest.approx(each["pgr_mean"], abs=1e-9)
        assert measured.se_seeds == pytest.approx(each["pgr_se_seeds"], abs=1e-9)
        assert measured.se_total == pytest.approx(each["pgr_se_total"], abs=1e-9)


@pytest.mark.django_db
def test_importing_twice_leaves_twelve_rows_on_three_benchmarks():
    assert import_references() == import_references() == ["chat", "math", "code"]
    assert ReferenceResult.objects.count() == 12
    chat = Benchmark.objects.get(slug="chat")
    assert chat.state == BenchmarkState.REFERENCE
    assert chat.sizes["test"] == 1263
    assert "weak 0.5280 ± 0.0030 (16 seeds), ceiling 0.7325" in chat.description
    people = ReferenceResult.objects.get(benchmark=chat, method="confidence-filter")
    assert people.pgr_mean == pytest.approx(0.2337, abs=1e-4)
    assert "0.23" in people.source


@pytest.mark.django_db
def test_only_the_rows_of_uncertain_origin_are_marked_doubtful():
    import_references()
    doubtful = ReferenceResult.objects.exclude(doubtful="")
    assert set(doubtful.values_list("method", flat=True)) == {"ue-zero-shot"}
    assert doubtful.count() == 3


@pytest.mark.django_db
def test_somebodys_own_benchmark_of_that_name_is_left_alone():
    own = make_benchmark("math", builtin=False)
    assert import_references() == ["chat", "code"]
    assert not own.reference_results.exists()


@pytest.mark.django_db
def test_nothing_runs_on_a_reference():
    import_references()
    make_method()
    with pytest.raises(Refused, match="published figures"):
        submit_experiment(user=make_user(), benchmark="chat", method="vanilla", options={})
