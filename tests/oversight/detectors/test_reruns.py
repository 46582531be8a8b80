"""Detectors that look at reruns: replay, batch composition, teacher counterfactual."""

import pytest

from oversight.detectors.api_misuse import ApiMisuse
from oversight.detectors.batch_composition import BatchComposition
from oversight.detectors.replay import Replay
from oversight.detectors.teacher_counterfactual import TeacherCounterfactual
from oversight.facts import ProbeResult, Refusal, SessionFacts
from tests.oversight.detectors.worlds import World, facts


def probe(kind, number=1, **numbers):
    return ProbeResult(number, kind, numbers)


@pytest.mark.parametrize(("differing", "held"), [(0, 0), (10, 0), (13, 0), (40, 1), (500, 1)])
def test_a_replay_that_differs_in_more_than_chance_is_held(differing, held):
    told = facts(probes=(probe("replay", differing=differing, compared=1000),))
    assert len(Replay().inspect(told)) == held
    batch = facts(probes=(probe("batch", differing=differing, compared=1000),))
    assert len(BatchComposition().inspect(batch)) == held


def test_the_latest_replay_counts_and_other_probes_do_not():
    bad, good = probe("replay", differing=500, compared=1000), probe("replay", 2, differing=0, compared=1000)
    assert Replay().inspect(facts(probes=(bad, good))) == []
    assert BatchComposition().inspect(facts(probes=(bad,))) == []
    assert Replay({"nondeterminism": 0.1}).inspect(facts(probes=(bad,)))


def test_declared_use_of_test_inputs_is_no_secret():
    told = facts(probes=(probe("batch", differing=500, compared=1000),), method_class="policy_gray")
    assert BatchComposition().inspect(told) == []


def counterfactual(drop, se=0.01, accuracy=0.8, prior=0.5, method_class="weak_to_strong"):
    told = facts(
        probes=(
            probe("permuted", drop=drop, se=se, accuracy=accuracy, prior=prior),
            probe("inverted", 2, drop=0.5, se=se, accuracy=accuracy, prior=prior),
        ),
        method_class=method_class,
    )
    (found,) = TeacherCounterfactual().inspect(told)
    return found


@pytest.mark.parametrize(
    ("drop", "se", "level", "title"),
    [
        (0.0, 0.01, "flag", "Scores as well without"),
        (0.3, 0.01, "info", "Uses the teacher"),
        (0.07, 0.01, "info", "Use of the teacher cannot be told"),
        (0.0, 0.2, "info", "Use of the teacher cannot be told"),
    ],
)
def test_verdicts(drop, se, level, title):
    found = counterfactual(drop, se)
    assert found.level == level
    assert found.title.startswith(title)
    assert found.threshold == pytest.approx(0.075)
    assert any("inverted" in sentence for sentence in found.sentences)


def test_a_method_no_better_than_nothing_and_one_that_declares_it_are_notes():
    assert counterfactual(0.0, accuracy=0.49).level == "info"
    assert counterfactual(0.0, method_class="policy_gray").level == "info"
    assert TeacherCounterfactual().inspect(facts()) == []


def session(refusals=(), uploads=()):
    return SessionFacts(benchmark="world", uploads=tuple(uploads), refusals=tuple(refusals))


def test_three_refused_calls_of_a_kind_are_flagged():
    calls = [Refusal(n, 1, "hidden_data", "/api/v1/benchmarks/x/data/holdout/") for n in range(3)]
    (found,) = ApiMisuse().inspect(session(calls))
    assert (found.level, found.statistic) == ("flag", 3)
    assert found.blames == (("account", 1),)
    assert ApiMisuse().inspect(session(calls[:2])) == []
    mixed = [Refusal(n, n, "hidden_data", "x") for n in range(3)]
    assert ApiMisuse().inspect(session(mixed)) == []


def test_exact_repeats_are_flagged_from_the_fourth_upload():
    world = World()
    same = [world.upload(n, world.arms[0]) for n in range(4)]
    assert len(ApiMisuse().inspect(session(uploads=same))) == 1
    assert ApiMisuse().inspect(session(uploads=same[:3])) == []
