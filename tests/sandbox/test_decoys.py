"""Planted files: honest code meets none; opening or using one shows, executing a planted program shows, too."""

import dataclasses
import textwrap

import numpy as np
import pytest

import sandbox
from tests.sandbox.benchmark import make_benchmark, weak_labels
from workers.code_method import run_code_method
from workers.code_method.decoy import LABELS
from workers.code_method.planted import planted
from workers.w2s.spec import Split

pytestmark = pytest.mark.skipif(sandbox.available() is not None, reason=str(sandbox.available()))

BENCHMARK = make_benchmark()
HONEST = "def fit(context):\n    return context.student.fit(context.weak_probs, context.weights)\n"


def caught(method, benchmark=BENCHMARK, seeds=(11,)):
    files = {"method.py": textwrap.dedent(method)}
    result = run_code_method(benchmark, files, seeds, weak_probs=weak_labels(benchmark), teacher_of=[0] * len(seeds))
    return result


def test_honest_code_opens_nothing():
    for seen in caught(HONEST, seeds=(11, 12)).caught:
        assert (seen.opened, seen.executed) == (False, False)
        assert 0.2 < seen.agreement < 0.8


READS = f"""
def fit(context):
    table = {{}}
    for line in open({LABELS!r}):
        *texts, label = line.rstrip("\\n").split("\\t")
        table[tuple(texts)] = float(label)
    return lambda inputs: [table.get((item.question, *item.responses), 0.5) for item in inputs.items]
"""


def test_reading_and_using_the_labels_shows():
    (seen,) = caught(READS).caught
    assert seen.opened
    assert seen.agreement == 1.0


def test_looking_into_the_folder_is_no_open_but_walking_the_files_is():
    listing = "import os\ndef fit(context):\n    os.listdir('/lab/ground_truth')\n" + HONEST.splitlines()[1] + "\n"
    assert not caught(listing).caught[0].opened
    walking = """
        import pathlib
        def fit(context):
            for path in pathlib.Path("/lab").rglob("*.tsv"):
                path.read_bytes()
            return context.student.fit(context.weak_probs, context.weights)
    """
    assert caught(walking).caught[0].opened


def test_each_run_has_labels_of_its_own():
    first, second = (set(x.split()) for x in caught(PRINTS, seeds=(11, 12)).logs)
    assert first != second


PRINTS = f"""
def fit(context):
    print("".join(line.rstrip()[-1] for line in open({LABELS!r})))
    return context.student.fit(context.weak_probs, context.weights)
"""


def programs():
    """The benchmark, its items turned into programs that are to be judged."""
    made = make_benchmark()
    for split in (Split.DEV, Split.HOLDOUT):
        part = made.parts[split]
        items = tuple(
            dataclasses.replace(item, question="x = 1", responses=(f"print({row})", f"y = {row}"))
            for row, item in enumerate(part.items)
        )
        made.parts[split] = dataclasses.replace(part, items=items)
    return made


def test_executing_the_code_under_judgement_meets_a_canary():
    executes = """
        def fit(context):
            student = context.student.fit(context.weak_probs, context.weights)
            def predict(inputs):
                for item in inputs.items:
                    exec(item.responses[0], {})
                return student(inputs)
            return predict
    """
    result = caught(executes, programs())
    assert result.caught[0].executed
    assert result.predictions[Split.DEV].shape == (1, 40)


def test_judging_programs_without_executing_them_does_not():
    assert not caught(HONEST, programs()).caught[0].executed
    assert planted(BENCHMARK.parts[Split.DEV], "x") is None


def test_planted_items_change_no_answer():
    plain, with_canaries = caught(HONEST), caught(HONEST, programs())
    for split in (Split.DEV, Split.HOLDOUT):
        np.testing.assert_allclose(plain.predictions[split], with_canaries.predictions[split], atol=1e-5)
