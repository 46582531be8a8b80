"""What holds for every registered method, whatever it does: run on a small problem with a real head."""

import inspect
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.w2s.recording import make_context, make_inputs, rows
from workers.w2s.heads import ProbeStudent
from workers.w2s.methods import (
    LIKELIHOOD,
    METHODS,
    OFFERED,
    RESOURCES,
    TEACHER_ENSEMBLE,
    TEST_INPUTS,
    WEAK_LABELS,
    NotOffered,
    OptionError,
    check_offers,
    classify,
    hardened,
    parse_options,
)
from workers.w2s.problem import Context, Floats, Inputs

NAMES = [
    *("confidence-filter", "confidence-window", "ensemble", "entropy", "few-shot", "knn-filter", "knn-relabel"),
    *("label-propagation", "logconf", "noisy-channel", "pca", "probe-filter", "product", "reverse-kl"),
    *("self-distillation", "soft-labels", "vanilla", "zero-shot"),
]
ITEMS, WIDTH, SEEDS = 120, 6, 3
TRUTH = np.random.default_rng(0).normal(size=WIDTH)


def features(seed: int, many: int) -> Floats:
    return rows(np.random.default_rng(seed).normal(size=(many, WIDTH)))


def context(name: str, *, seeds: int = SEEDS, kind: str = "pair") -> Context:
    """A noisy teacher, right about 70% of the time; only what the method declares is there."""
    uses = METHODS.get(name).uses
    x = features(1, ITEMS)
    generator = np.random.default_rng(2)
    logits = 2 * (x @ TRUTH)
    flipped = np.where(generator.random((SEEDS, ITEMS)) < 0.25, -1, 1)
    weak = 1 / (1 + np.exp(-flipped * logits + generator.normal(size=(SEEDS, ITEMS))))
    weights = np.repeat(generator.random((SEEDS, ITEMS // 2)) < 0.8, 2, axis=1)
    made = make_context(
        weak if WEAK_LABELS in uses else np.full_like(weak, 0.5),
        features=x,
        weights=weights,
        kind=kind,
        prior=logits if LIKELIHOOD in uses else None,
        groups=np.repeat(np.arange(ITEMS // 2), 2),
        teachers=weak if TEACHER_ENSEMBLE in uses else None,
        elicit=(lambda items, shown: np.array([logits[int(item.question.split()[1])] for item in items]))
        if LIKELIHOOD in uses
        else None,
    )
    made = replace(made, student=ProbeStudent(made))
    return cut(made, seeds)


def cut(made: Context, seeds: int) -> Context:
    """The same problem with the first seeds only."""
    return replace(made, seeds=made.seeds[:seeds], weak_probs=made.weak_probs[:seeds], weights=made.weights[:seeds])


def test_inputs() -> Inputs:
    return make_inputs(features(3, 400))


def predict(name: str, made: Context, **options: object) -> Floats:
    method = METHODS.get(name)
    return method().fit(made, parse_options(method, options))(test_inputs())


test_inputs.__test__ = False


def test_these_methods_exist() -> None:
    assert set(NAMES) <= set(METHODS.names())  # other tests register some of their own


@pytest.mark.parametrize("name", NAMES)
class TestEveryMethod:
    def test_says_what_it_is(self, name: str) -> None:
        method = METHODS.get(name)
        assert method.name == name
        assert method.__module__ == f"workers.w2s.methods.{name.replace('-', '_')}"
        assert 5 < len(method.title) <= 40
        assert method.summary.endswith(".")
        assert len(method.source) > 20
        assert method.uses <= RESOURCES

    def test_has_described_options_with_bounds_and_defaults(self, name: str) -> None:
        schema = METHODS.get(name).Options.model_json_schema()
        assert not schema.get("required")
        for option, about in schema["properties"].items():
            assert about["description"].endswith("."), option
            for form in about.get("anyOf", [about]):
                if form.get("type") in {"number", "integer"} and option != "l2":
                    assert {"minimum", "exclusiveMinimum"} & set(form), option
                    assert {"maximum", "exclusiveMaximum"} & set(form), option

    def test_beats_its_teacher_here_with_one_row_of_probabilities_per_seed(self, name: str) -> None:
        teacher = context("vanilla")
        taught = (teacher.weak_probs > 0.5) == (teacher.features @ TRUTH > 0)
        probs = predict(name, context(name))
        assert probs.shape == (SEEDS, 400)
        assert probs.dtype == np.float32
        assert ((probs >= 0) & (probs <= 1)).all()
        right = (probs > 0.5) == (test_inputs().features @ TRUTH > 0)
        assert right.mean() > taught.mean() + 0.05

    def test_gives_the_same_result_again(self, name: str) -> None:
        np.testing.assert_array_equal(predict(name, context(name)), predict(name, context(name)))

    def test_a_seed_does_not_depend_on_the_seeds_beside_it(self, name: str) -> None:
        alone, together = predict(name, context(name, seeds=1)), predict(name, context(name))
        np.testing.assert_allclose(alone, together[:1], atol=2e-3)

    def test_weak_labels_of_items_a_seed_may_not_see_change_nothing(self, name: str) -> None:
        made = context(name)
        spoilt = replace(made, weak_probs=np.where(made.weights > 0, made.weak_probs, 1 - made.weak_probs))
        spoilt = replace(spoilt, student=ProbeStudent(spoilt))
        np.testing.assert_array_equal(predict(name, made), predict(name, spoilt))

    def test_an_answered_pair_is_answered_alike_when_its_responses_are_swapped(self, name: str) -> None:
        method = METHODS.get(name)
        predictor = method().fit(context(name), parse_options(method, {}))
        inputs = test_inputs()
        swapped = replace(inputs, features=-inputs.features)
        np.testing.assert_allclose(predictor(inputs), 1 - predictor(swapped), atol=1e-5)

    def test_works_on_claims(self, name: str) -> None:
        made = context(name, kind="claim")
        method = METHODS.get(name)
        probs = method().fit(made, parse_options(method, {}))(made)
        assert probs.shape == (SEEDS, ITEMS)
        assert np.isfinite(probs).all()

    def test_refuses_options_it_does_not_know(self, name: str) -> None:
        method = METHODS.get(name)
        with pytest.raises(OptionError, match=rf"method '{name}': tremperature: .*options: l2"):
            parse_options(method, {"tremperature": 1})
        with pytest.raises(OptionError, match="l2"):
            parse_options(method, {"l2": -1})


def test_classes_follow_from_what_methods_use() -> None:
    gray = {name for name in NAMES if classify(METHODS.get(name).uses) == "policy_gray"}
    assert gray == {"zero-shot"}
    assert classify({WEAK_LABELS, TEST_INPUTS}) == "policy_gray"


def test_a_method_that_needs_what_a_benchmark_keeps_back_is_refused_by_name() -> None:
    method = METHODS.get("few-shot")
    with pytest.raises(NotOffered, match=r"'few-shot' needs likelihood; this benchmark offers only hidden_states"):
        check_offers(method, parse_options(method, {}), ["hidden_states"])
    check_offers(method, parse_options(method, {}), sorted(OFFERED))


def test_every_method_file_registers_a_method_of_its_name() -> None:
    for name in NAMES:
        assert inspect.getmodule(METHODS.get(name)).__doc__


def test_one_half_is_not_a_positive_label() -> None:
    assert hardened(rows([[0.5, 0.500001, 0.4]])).tolist() == [[0, 1, 0]]


def test_the_documentation_names_every_method_with_its_options() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "methods.md").read_text(encoding="utf-8")
    for name in NAMES:
        (row,) = [line for line in page.splitlines() if line.startswith(f"| `{name}` |")]
        options = set(METHODS.get(name).Options.model_fields) - {"l2"}
        assert options == set(re.findall(r"`(\w+)` \(", row)), name
