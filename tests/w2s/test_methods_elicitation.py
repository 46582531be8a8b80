"""zero-shot and few-shot: labels by the strong model itself."""

import numpy as np
import pytest

from tests.w2s.recording import fitted, make_context, make_inputs
from workers.w2s.methods import METHODS, parse_options
from workers.w2s.methods.few_shot import demonstrations

PRIOR = [2.0, -1.0, 0.5, -3.0]


def test_zero_shot_labels_are_the_signs_of_the_log_odds_whatever_the_teacher_says() -> None:
    targets, weights, *_ = fitted("zero-shot", make_context([[0.5] * 4] * 2, prior=PRIOR))
    assert targets.tolist() == [[1, 0, 1, 0]] * 2
    assert weights.tolist() == [[1] * 4] * 2


def test_zero_shot_on_claims_cuts_at_the_median_of_what_the_seed_may_see() -> None:
    weights = [[1, 1, 1, 1], [1, 0, 1, 0]]  # medians −.25 and 1.25
    context = make_context([[0.5] * 4] * 2, prior=PRIOR, kind="claim", weights=weights)
    assert fitted("zero-shot", context)[0].tolist() == [[1, 0, 1, 0], [1, 0, 0, 0]]
    assert fitted("zero-shot", context, balance=False)[0].tolist() == [[1, 0, 1, 0]] * 2


def test_zero_shot_can_predict_by_the_likelihood_alone() -> None:
    method = METHODS.get("zero-shot")
    context = make_context([[0.5] * 4] * 3, prior=PRIOR)
    predictor = method().fit(context, parse_options(method, {"answer": "likelihood"}))
    probs = predictor(make_inputs(np.eye(2), prior=[0.0, float(np.log(3))]))
    np.testing.assert_allclose(probs, [[0.5, 0.75]] * 3, atol=1e-6)
    assert probs.dtype == np.float32


@pytest.mark.parametrize("name", ["zero-shot", "few-shot"])
def test_elicitation_refuses_a_benchmark_that_keeps_likelihoods_back(name: str) -> None:
    with pytest.raises(ValueError, match=r"the (inputs|context) ha(ve|s) no"):
        fitted(name, make_context([[0.5] * 4]))


class Asked:
    """An elicit that answers the negated position of each item, and remembers what it was shown."""

    def __init__(self) -> None:
        self.shown: list[list[tuple[str, int]]] = []
        self.asked: list[list[str]] = []

    def __call__(self, items, demonstrations):
        self.shown.append([(item.question, label) for item, label in demonstrations])
        self.asked.append([item.question for item in items])
        return np.array([1.5 - int(item.question.split()[1]) for item in items])


def test_few_shot_shows_the_surest_weak_labels_and_trains_on_the_answers() -> None:
    elicit = Asked()
    context = make_context([[0.6, 0.05, 0.99, 0.5]], weights=[[1, 1, 1, 0]], elicit=elicit)
    targets, weights, *_ = fitted("few-shot", context, shots=3)
    assert sorted(elicit.shown[0]) == [("question 0", 1), ("question 1", 0), ("question 2", 1)]
    assert elicit.asked == [["question 0", "question 1", "question 2"]]
    assert targets.tolist() == [[1, 1, 0, 0]]
    assert weights.tolist() == [[1, 1, 1, 0]]


def test_later_rounds_show_the_models_own_surest_answers() -> None:
    elicit = Asked()
    fitted("few-shot", make_context([[0.6, 0.05, 0.99, 0.5, 0.5, 0.5]], elicit=elicit), shots=1, rounds=2)
    (first,), (second,) = elicit.shown
    assert first in {("question 2", 1), ("question 1", 0), ("question 0", 1), ("question 3", 0)}
    assert second in {("question 5", 0), ("question 4", 0), ("question 0", 1), ("question 3", 0)}


def test_demonstrations_of_claims_are_balanced_and_of_different_questions() -> None:
    weak = [[0.9, 0.95, 0.8, 0.7, 0.1, 0.3]]
    context = make_context(weak, kind="claim", groups=[1, 1, 2, 3, 4, 5])
    shown = demonstrations(context, context.weak_probs[0], np.arange(6), 4, np.random.default_rng(0))
    assert sorted(label for _, label in shown) == [0, 0, 1, 1]
    assert "question 0" not in {item.question for item, _ in shown}  # question 1, of the same group, is surer


def test_demonstrations_depend_on_the_seed_alone() -> None:
    context = make_context([np.linspace(0.51, 0.99, 20)])
    drawn = [
        demonstrations(context, context.weak_probs[0], np.arange(20), 3, np.random.default_rng(seed))
        for seed in (1, 1, 2, 3, 4)
    ]
    assert drawn[0] == drawn[1]
    assert any(drawn[0] != other for other in drawn[2:])
