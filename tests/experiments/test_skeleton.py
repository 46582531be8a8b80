"""What draws other seeds and what does not; experiments/snapshots/skeleton.py."""

import pytest

from experiments.models import Experiment
from experiments.services.experiments import rerun_experiment, submit_experiment
from experiments.snapshots import skeleton
from experiments.snapshots.services import create_snapshot
from experiments.snapshots.skeleton import skeleton_digest
from tests.factories import make_benchmark, make_method, make_user

CODE = '''import numpy as np


def fit(context):
    """Learns."""
    scale = 0.5
    for row in context.rows:
        if row:
            scale += row * 2
    return np.mean(scale, axis=0), 'x'
'''


def of(text: str, **others: str) -> str:
    return skeleton_digest({"method.py": text, **{name.replace("_", "."): each for name, each in others.items()}})


@pytest.mark.parametrize(
    "same",
    [
        f"# try 7\n{CODE}# the end",
        CODE.replace("scale = 0.5", "scale = 0.5  # a half"),
        CODE.replace("\n", "\n\n\n"),
        CODE.replace("    ", "\t"),
        CODE.replace("    ", " "),
        CODE.replace("\n", "\r\n"),
        CODE.replace("\n", "\r"),
        CODE.replace("scale, axis", "scale,\n      # why\n\n axis"),
        CODE.replace("row * 2", "row \\\n  *   2"),
        CODE.replace("scale", "factor").replace("row", "each"),
        "\f" + CODE + "\n\n\n",
    ],
)  # fmt: skip
def test_what_changes_nothing_draws_the_same(same: str) -> None:
    assert same != CODE
    assert of(same) == of(CODE)


@pytest.mark.parametrize(
    "other",
    [
        CODE.replace("0.5", "0.6"),
        CODE.replace("'x'", "'y'"),
        CODE.replace("Learns.", "Learns it."),  # told in the docs: docstrings are strings
        CODE.replace("+=", "-="),
        CODE.replace("            scale += row", "        scale += row"),
        CODE.replace("scale += row", "scale += scale"),
        CODE.replace("if row", "while row"),
        f"{CODE}unused = 1\n",
    ],
)  # fmt: skip
def test_another_method_draws_others(other: str) -> None:
    assert of(other) != of(CODE)


def test_tokens_are_not_glued_together() -> None:
    texts = ["a = 'b' 'c'", "a = 'b''c'", "a = 'bc'", "a = 1, 2", "a = 12", "a = 1 .2", "ab = 1", "a\nb = 1"]
    assert len({of(each) for each in texts}) == len(texts) - 1  # the first two are the same tokens


def test_files_that_say_nothing_draw_nothing() -> None:
    alone = of(CODE)
    assert of(CODE, notes_md="# try 1", table_json="[1]") == alone
    assert of(CODE, empty_py="# nothing\n\n") == alone
    assert of(CODE, copy_py=f"# a copy\n{CODE}") == alone
    assert of(CODE, more_py="x = 1") != alone
    assert skeleton_digest({"b.py": CODE, "a.py": "x = 1"}) == skeleton_digest({"a.py": CODE, "b.py": "x = 1"})


HOSTILE = {
    "no Python": "def fit(:\n  $ 'open",
    "an open bracket": "f(" * 10,
    "an open text": 'x = """' + "a\n" * 10,
    "a dedent to nowhere": "if a:\n        b\n    c\n",
    "too long": "x = 1\n" * 90_000,
    "too many tokens": "a " * 90_000,
    "too many lines": "#\n" * 90_000,
    "too many lines of one text": '"""' + "\n" * 90_000 + '"""',
    "one line of digits": "1" * 600_000,
    "quotes that are escaped": "'" + "\\'" * 300_000,
    "halves of pairs": "x = '\ud800'",
}


@pytest.mark.parametrize("text", [text for name, text in HOSTILE.items() if name not in ("halves of pairs",)])
def test_what_cannot_be_read_says_so_and_no_more(text: str) -> None:
    """So padding, or breaking a file, draws one set of seeds whatever else it holds."""
    assert of(CODE, extra_py=text) == of(CODE, extra_py=f"{text}\n# try 2") == of(CODE, other_py="(")


def test_halves_of_pairs_are_no_error() -> None:
    assert of(HOSTILE["halves of pairs"])


@pytest.fixture
def lab(db, monkeypatch):
    monkeypatch.setattr("experiments.dispatch.train", lambda pk: None)
    make_method("code", options_schema={"type": "object", "properties": {}, "additionalProperties": False})
    make_benchmark()
    return make_user()


def submitted(user, text: str, **fields) -> Experiment:
    snapshot = create_snapshot(user=user, files={"method.py": text})
    return submit_experiment(user=user, benchmark="geography", snapshot=snapshot.pk, options={}, **fields)


def seeds_of(experiment: Experiment) -> list[int]:
    return list(experiment.runs.order_by("seed_index").values_list("seed", flat=True))


def test_the_same_code_under_another_comment_draws_the_same_seeds(lab) -> None:
    first, second = submitted(lab, CODE), submitted(lab, f"# lucky this time\n{CODE}")
    assert first.method_digest != second.method_digest
    assert seeds_of(first) == seeds_of(second)
    assert seeds_of(submitted(lab, CODE.replace("0.5", "0.25"))) != seeds_of(first)
    assert first.provenance["seed_digest"] == second.provenance["seed_digest"]


def test_a_rerun_has_seeds_that_no_run_of_the_same_code_under_other_comments_has_had(lab) -> None:
    first, second = submitted(lab, CODE), submitted(lab, f"# the same\n{CODE}")
    again = [rerun_experiment(user=make_user("admin"), experiment_id=each.pk) for each in ended(first, second)]
    assert [each.replicate for each in again] == [1, 2]
    assert not set(seeds_of(again[1])) & {*seeds_of(first), *seeds_of(again[0])}


def ended(*experiments: Experiment) -> list[Experiment]:
    for each in experiments:
        each.runs.update(state="failed")
        Experiment.objects.filter(pk=each.pk).update(state="failed")
    return list(experiments)


def test_a_snapshot_is_read_once(lab, monkeypatch) -> None:
    submitted(lab, CODE)
    monkeypatch.setattr(skeleton, "skeleton_digest", lambda files: pytest.fail("read again"))
    submitted(lab, CODE)
