"""Arenas: what they hand out, what a method gets to see, and what is checked when it answers."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from registry import UnknownName
from tests.w2s.tiny import SHADES, save_tiny
from workers.w2s.arena import (
    Arena,
    MethodFailed,
    method_digest,
    provenance,
    run_method,
    train_arm,
    train_mask,
    train_teachers,
    versions,
)
from workers.w2s.arena.inputs import between, probe_layer
from workers.w2s.checkpoints import Identity
from workers.w2s.elicitation import compared_texts
from workers.w2s.features import text_features
from workers.w2s.methods import METHODS, NotOffered, OptionError, Options
from workers.w2s.problem import Context, Floats, Inputs, Predictor
from workers.w2s.spec import BenchmarkSpec, Item, ModelSpec, SpecError, Split
from workers.w2s.texts import qa_text

STRONG = ModelSpec("hf", "tiny/llama")
SPEC = BenchmarkSpec(
    slug="shades", title="Shades", description="", dataset="", weak=replace(STRONG, layers=1), strong=STRONG, teachers=3
)
MANY = {Split.TEACHER_TRAIN: 12, Split.STUDENT_TRAIN: 20, Split.DEV: 8, Split.HOLDOUT: 6}


def make_items(kind: str = "pair") -> dict[Split, list[Item]]:
    """Questions about shades, two items each; a response is red or blue, or one of them."""
    items, number = {}, 0
    for split, many in MANY.items():
        items[split] = []
        for _ in range(many):
            question = f"the {SHADES[number // 2 % 40]} of {SHADES[number % 7]} ?"
            answers = ("red", "blue") if number % 3 else ("blue", "green")
            items[split].append(Item(split, question, answers if kind == "pair" else answers[:1], f"g{number // 2}"))
            number += 1
    return items


def labels_of(split: Split) -> np.ndarray:
    return (np.arange(MANY[split]) % 2).astype(np.int8)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    save_tiny(folder, layers=4)
    save_tiny(folder, name="tiny/weak", layers=2, seed=1)
    return folder


@pytest.fixture(scope="module")
def arena(cache: Path) -> Arena:
    return Arena.open(SPEC, make_items(), cache_dir=cache)


WEAK = np.tile(np.linspace(0, 1, 20, dtype=np.float32), (3, 1))


def run(arena: Arena, method: str, options: Mapping[str, Any] | None = None, seeds: int = 4, **changed: Any) -> Any:
    given = {"weak_probs": WEAK, "teacher_of": [j % 3 for j in range(seeds)], "cache_dir": arena.cache_dir} | changed
    return run_method(arena, method, options or {}, range(100, 100 + seeds), **given)


@dataclass
class Probe:
    """A method that keeps its context, and answers what the test wants."""

    uses: ClassVar[frozenset[str]] = frozenset({"weak_labels"})
    Options: ClassVar[type[Options]] = Options
    name: ClassVar[str] = "probe-of-the-test"

    def needs(self, options: Options) -> frozenset[str]:
        return self.uses

    def fit(self, context: Context, options: Options) -> Predictor:
        type(self).contexts.append(context)
        return type(self).answer

    contexts: ClassVar[list[Context]] = []

    @staticmethod
    def answer(inputs: Inputs) -> Floats:
        return np.full((4, len(inputs)), 0.25, np.float32)


@pytest.fixture
def probe(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Probe]]:
    """The method is registered for one test."""
    METHODS.names()
    fresh = type("Probe", (Probe,), {"contexts": [], "__module__": __name__})
    monkeypatch.setitem(METHODS._items, "probe-of-the-test", fresh)
    yield fresh


def test_pairs_are_differences_of_states_scaled_on_the_training_texts(arena: Arena, cache: Path) -> None:
    items = make_items()
    texts = {qa_text(i.question, r) for part in items.values() for i in part for r in i.responses}
    read = text_features(STRONG, texts, layers=[2], cache_dir=cache)

    def raw(split: Split) -> np.ndarray:
        rows = [[read.rows[qa_text(i.question, r)] for r in i.responses] for i in items[split]]
        states = read.states[2].float().numpy()[np.array(rows)]
        return states[:, 0] - states[:, 1]

    training = np.concatenate([raw(Split.TEACHER_TRAIN), raw(Split.STUDENT_TRAIN)])
    rms = np.sqrt((training**2).mean(axis=0))
    for split in Split:
        np.testing.assert_allclose(arena.inputs(split).features, raw(split) / rms, rtol=1e-4, atol=1e-5)


def test_claims_are_states_without_their_mean(cache: Path) -> None:
    arena = Arena.open(SPEC, make_items("claim"), cache_dir=cache)
    training = np.concatenate([arena.inputs(s).features for s in (Split.TEACHER_TRAIN, Split.STUDENT_TRAIN)])
    np.testing.assert_allclose(training.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose((training**2).mean(axis=0), 1, atol=1e-3)
    assert arena.inputs(Split.DEV).kind == "claim"


def test_swapping_the_responses_turns_the_features_round(arena: Arena, cache: Path) -> None:
    swapped = {s: [replace(i, responses=i.responses[::-1]) for i in part] for s, part in make_items().items()}
    other = Arena.open(SPEC, swapped, cache_dir=cache)
    np.testing.assert_allclose(other.inputs(Split.DEV).features, -arena.inputs(Split.DEV).features, atol=1e-6)


def test_the_weak_model_is_read_at_its_exit_and_the_strong_one_halfway(arena: Arena) -> None:
    assert (arena.weak_layer, arena.strong_layer, arena.depths) == (1, 2, (1,))
    weak, strong = arena.weak_inputs(Split.DEV), arena.inputs(Split.DEV)
    np.testing.assert_array_equal(weak.features, strong.depths[1])
    assert not weak.depths
    assert not np.allclose(weak.features, strong.features)


def test_layers_follow_from_the_model_alone() -> None:
    deep = Identity("w", "t", 30, 576)
    assert probe_layer(ModelSpec("wheel", "smollm2-135m"), deep) == 15
    assert probe_layer(ModelSpec("wheel", "smollm2-135m", 4), deep) == 4
    assert between(15) == (5, 10)
    assert between(1) == ()


def test_two_models_are_read_apart(cache: Path) -> None:
    spec = replace(SPEC, weak=ModelSpec("hf", "tiny/weak"))
    arena = Arena.open(spec, make_items(), cache_dir=cache)
    assert arena.weak_layer == 1
    assert arena.digests["weak_weights"] != arena.digests["weights"]
    assert not np.allclose(arena.weak_inputs(Split.DEV).features, arena.inputs(Split.DEV).depths[1])


def test_groups_have_the_same_number_in_every_split(cache: Path) -> None:
    items = make_items()
    items[Split.DEV][0] = replace(items[Split.DEV][0], group="g0")
    arena = Arena.open(SPEC, items, cache_dir=cache)
    assert arena.inputs(Split.DEV).groups[0] == arena.inputs(Split.TEACHER_TRAIN).groups[0]
    assert arena.inputs(Split.DEV).groups[1] not in arena.inputs(Split.TEACHER_TRAIN).groups


@pytest.mark.parametrize("kind", ["pair", "claim"])
def test_likelihoods_are_there_only_where_they_are_offered(arena: Arena, cache: Path, kind: str) -> None:
    assert arena.inputs(Split.DEV).prior_log_odds is None
    items = make_items(kind)
    open_one = Arena.open(replace(SPEC, offers=("hidden_states", "likelihood")), items, cache_dir=cache)
    prior = open_one.inputs(Split.DEV).prior_log_odds
    assert prior is not None
    assert prior.shape == (8,)
    asked = [compared_texts(item) for item in items[Split.DEV]]
    read = text_features(STRONG, {t for p in asked for t in p}, layers=[], likelihood=True, cache_dir=cache)
    assert read.log_likelihood is not None
    want = [float(read.log_likelihood[read.rows[one]] - read.log_likelihood[read.rows[two]]) for one, two in asked]
    np.testing.assert_allclose(prior, want, atol=0.05)
    assert open_one.weak_inputs(Split.DEV).prior_log_odds is None


def test_digests_name_the_content(arena: Arena, cache: Path) -> None:
    assert set(arena.digests) == {"weights", "tokenizer", "weak_weights", "weak_tokenizer", "features"}
    assert Arena.open(SPEC, make_items(), cache_dir=cache).digests == arena.digests
    items = make_items()
    items[Split.DEV] = items[Split.DEV][::-1]
    assert Arena.open(SPEC, items, cache_dir=cache).digests["features"] != arena.digests["features"]


def test_a_benchmark_with_an_empty_split_or_two_kinds_of_items_is_refused(cache: Path) -> None:
    with pytest.raises(SpecError, match="shades: no items in dev"):
        Arena.open(SPEC, make_items() | {Split.DEV: []}, cache_dir=cache)
    with pytest.raises(SpecError, match=r"one response, or all two; found \[1, 2\]"):
        Arena.open(SPEC, make_items() | {Split.DEV: make_items("claim")[Split.DEV]}, cache_dir=cache)


def test_a_mask_keeps_whole_groups_and_depends_on_the_seed_alone() -> None:
    groups = np.repeat(np.arange(10), 3)
    mask = train_mask(groups, 7)
    assert mask.sum() == 24
    assert all(len(set(part)) == 1 for part in mask.reshape(10, 3).tolist())
    np.testing.assert_array_equal(mask, train_mask(groups, 7))
    np.testing.assert_array_equal(mask, train_mask([str(g) for g in groups], 7))
    assert any((train_mask(groups, seed) != mask).any() for seed in range(5))
    assert train_mask(groups, 7, share=0.5).sum() == 15


def test_teachers_learn_from_their_own_split(arena: Arena) -> None:
    teachers = train_teachers(arena, labels_of(Split.TEACHER_TRAIN), [1, 2, 3])
    assert {split: probs.shape for split, probs in teachers.probs.items()} == {
        Split.STUDENT_TRAIN: (3, 20),
        Split.DEV: (3, 8),
        Split.HOLDOUT: (3, 6),
    }
    assert len(set(teachers.digests)) == 3
    again = train_teachers(arena, labels_of(Split.TEACHER_TRAIN), [1, 2, 3])
    assert again.digests == teachers.digests
    flipped = train_teachers(arena, 1 - labels_of(Split.TEACHER_TRAIN), [1])
    np.testing.assert_allclose(flipped.probs[Split.DEV][0], 1 - teachers.probs[Split.DEV][0], atol=1e-3)
    with pytest.raises(ValueError, match="expected 12 labels"):
        train_teachers(arena, labels_of(Split.DEV), [1])


def test_arms_learn_from_what_their_name_says(arena: Arena) -> None:
    truth = labels_of(Split.STUDENT_TRAIN)
    # teachers that are always right make the vanilla student the ceiling
    teachers = replace_probs(arena, truth)
    ceiling = train_arm(arena, truth, [5, 6], "ceiling")
    vanilla = train_arm(arena, None, [5, 6], "vanilla", teachers)
    control = train_arm(arena, None, [5, 6], "control", teachers)
    for split in (Split.DEV, Split.HOLDOUT):
        assert ceiling[split].shape == (2, MANY[split])
        np.testing.assert_allclose(vanilla[split], ceiling[split], atol=1e-5)
        assert not np.allclose(control[split], ceiling[split], atol=1e-2)
    with pytest.raises(ValueError, match="the control arm needs teachers"):
        train_arm(arena, None, [5], "control")
    with pytest.raises(ValueError, match="needs the labels of student_train"):
        train_arm(arena, None, [5], "ceiling")


def replace_probs(arena: Arena, truth: np.ndarray) -> Any:
    teachers = train_teachers(arena, labels_of(Split.TEACHER_TRAIN), [1])
    return replace(teachers, probs={**teachers.probs, Split.STUDENT_TRAIN: truth[None].astype(np.float32)})


def test_a_method_sees_training_inputs_and_the_labels_of_its_teachers(arena: Arena, probe: type[Probe]) -> None:
    result = run(arena, "probe-of-the-test", weak_probs=np.stack([WEAK[0], 1 - WEAK[0], WEAK[0] / 2]))
    (context,) = probe.contexts
    assert context.items == tuple(make_items()[Split.STUDENT_TRAIN])
    np.testing.assert_array_equal(context.weak_probs[0], context.weak_probs[3])
    np.testing.assert_allclose(context.weak_probs[1], 1 - WEAK[0])
    for row, seed in enumerate(context.seeds):
        np.testing.assert_array_equal(context.weights[row], train_mask(context.groups, seed))
    assert context.teacher_probs is None
    assert context.elicit is None
    assert context.test_inputs == ()
    assert result.predictions[Split.HOLDOUT].tolist() == [[0.25] * 6] * 4
    assert result.predictions[Split.DEV].dtype == np.float32
    assert result.versions["method"] == method_digest("probe-of-the-test", {})


def test_test_inputs_are_shown_only_after_the_fit(arena: Arena, probe: type[Probe]) -> None:
    events: list[str] = []
    fit = probe.fit

    def noted(self: Probe, context: Context, options: Options) -> Predictor:
        predictor = fit(self, context, options)
        events.append("fitted")
        return lambda inputs: events.append(inputs.items[0].split) or predictor(inputs)

    probe.fit = noted  # type: ignore[method-assign]
    run(arena, "probe-of-the-test")
    assert events == ["fitted", "dev", "holdout"]


def test_a_method_gets_what_it_declares_and_nothing_else(arena: Arena, probe: type[Probe]) -> None:
    probe.uses = frozenset({"teacher_ensemble", "test_inputs"})
    run(arena, "probe-of-the-test")
    (context,) = probe.contexts
    assert set(context.weak_probs.flatten().tolist()) == {0.5}
    np.testing.assert_array_equal(context.teacher_probs, WEAK)
    assert [len(inputs) for inputs in context.test_inputs] == [8, 6]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda inputs: np.full((4, len(inputs)), np.nan), "32 of 32 predictions are NaN"),
        (lambda inputs: np.full((3, len(inputs)), 0.5), r"shape \(3, 8\), expected 4 seeds by 8 items"),
        (lambda inputs: np.full((4, len(inputs)), 1.5), r"from 1.5 to 1.5; probabilities lie in \[0, 1\]"),
        (lambda inputs: np.full((4, len(inputs)), -np.inf), "from -inf to -inf"),
    ],
)
def test_predictions_that_cannot_be_scored_are_refused(
    arena: Arena, probe: type[Probe], answer: Any, message: str
) -> None:
    probe.answer = staticmethod(answer)
    with pytest.raises(MethodFailed, match=message):
        run(arena, "probe-of-the-test")


def test_vanilla_is_the_vanilla_arm_and_repeats_itself(arena: Arena) -> None:
    one, two = run(arena, "vanilla"), run(arena, "vanilla")
    for split in (Split.DEV, Split.HOLDOUT):
        np.testing.assert_array_equal(one.predictions[split], two.predictions[split])
    assert one.curves[0].x_label == "l2"
    assert one.seconds > 0
    alone = run_method(
        arena, "vanilla", {}, [102], weak_probs=WEAK, teacher_of=[2], cache_dir=arena.cache_dir
    ).predictions[Split.DEV]
    np.testing.assert_allclose(alone[0], one.predictions[Split.DEV][2], atol=1e-4)


def test_requests_that_cannot_run_are_refused_before_any_work(arena: Arena) -> None:
    with pytest.raises(UnknownName, match="unknown method 'vanila'; known: "):
        run(arena, "vanila")
    with pytest.raises(OptionError, match="l2"):
        run(arena, "vanilla", {"l2": -1})
    with pytest.raises(NotOffered, match="needs likelihood"):
        run(arena, "zero-shot")
    with pytest.raises(ValueError, match=r"weak labels must be \(teachers, 20\)"):
        run(arena, "vanilla", weak_probs=WEAK[:, :19])
    with pytest.raises(ValueError, match="3 teachers were named for 4 seeds"):
        run(arena, "vanilla", teacher_of=[0, 1, 2])


def test_the_digest_of_a_method_follows_its_code_and_its_options(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = method_digest("vanilla", {})
    assert digest == method_digest("vanilla", {"l2": "cv"}), "defaults are filled in"
    assert digest != method_digest("vanilla", {"l2": 1.0})
    assert digest != method_digest("soft-labels", {})
    with pytest.raises(OptionError):
        method_digest("vanilla", {"l3": 1})

    read = provenance._source

    def edited(name: str) -> Path:
        source = read(name)
        if name != changed:
            return source
        copy = tmp_path / source.name
        copy.write_text(source.read_text() + "\n# edited\n")
        return copy

    monkeypatch.setattr(provenance, "_source", edited)
    for changed, expected in (
        ("workers.w2s.methods.vanilla", True),
        ("workers.w2s.heads", True),
        ("workers.w2s.objectives", True),
        ("workers.w2s.methods.soft_labels", False),
        ("workers.w2s.data.geography", False),
    ):
        provenance._code_digest.cache_clear()
        assert (method_digest("vanilla", {}) != digest) is expected, changed
    provenance._code_digest.cache_clear()


def test_versions_name_python_and_the_libraries() -> None:
    assert {"python", "numpy", "torch", "transformers"} <= set(versions())
