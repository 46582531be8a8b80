"""Datasets in the released layout: what is read, and what is said about rows that cannot be."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from workers.w2s.data import DataError, load_dataset
from workers.w2s.data.jsonl import FILES
from workers.w2s.spec import Split


def preferences(many: int, *, first: int = 0) -> list[dict[str, Any]]:
    """Rows with prompts numbered from `first`; every other label is A."""
    return [
        {"prompt": f"prompt {i}", "first": f"good {i}", "second": f"bad {i}", "label": "AB"[i % 2]}
        for i in range(first, first + many)
    ]


def claims(many: int, *, first: int = 0) -> list[dict[str, Any]]:
    """Two choices for each question, one of them right."""
    return [
        {"question": f"question {i // 2}", "choice": f"choice {i}", "label": i % 2 == 0}
        for i in range(2 * first, 2 * first + many)
    ]


def write(folder: Path, label: Sequence[Any], unlabel: Sequence[Any], test: Sequence[Any]) -> Path:
    """Rows are written as JSON, texts as they stand."""
    folder.mkdir(parents=True, exist_ok=True)
    for file, rows in zip(FILES, (label, unlabel, test), strict=True):
        lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
        (folder / file).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def test_preferences_become_pairs_in_the_order_of_the_files(tmp_path: Path) -> None:
    write(tmp_path, preferences(4), preferences(6, first=10), preferences(10, first=20))
    dataset = load_dataset(f"path:{tmp_path}")
    assert dataset.kind == "pair"
    assert dataset.name == f"path:{tmp_path}"
    teacher = [dataset.items[i] for i in dataset.indices(Split.TEACHER_TRAIN)]
    assert [item.question for item in teacher] == ["prompt 0", "prompt 1", "prompt 2", "prompt 3"]
    assert teacher[1].responses == ("good 1", "bad 1")
    assert dataset.labels[dataset.indices(Split.TEACHER_TRAIN)].tolist() == [1, 0, 1, 0]
    assert len(dataset.indices(Split.STUDENT_TRAIN)) == 6


def test_claims_have_one_response_and_a_group_per_question(tmp_path: Path) -> None:
    write(tmp_path, claims(4), claims(4, first=10), claims(8, first=20))
    dataset = load_dataset(f"path:{tmp_path}")
    assert dataset.kind == "claim"
    assert dataset.items[0].responses == ("choice 0",)
    assert dataset.items[0].group == dataset.items[1].group != dataset.items[2].group
    assert dataset.labels[:4].tolist() == [1, 0, 1, 0]


def test_the_test_file_is_halved_by_question_and_nothing_is_lost(tmp_path: Path) -> None:
    write(tmp_path, claims(4), claims(4, first=10), claims(40, first=20))
    dataset = load_dataset(f"path:{tmp_path}")
    dev, holdout = ([dataset.items[i] for i in dataset.indices(split)] for split in (Split.DEV, Split.HOLDOUT))
    assert len(dev) == len(holdout) == 20
    assert not {item.group for item in dev} & {item.group for item in holdout}
    assert "by question" in dataset.split_rule
    assert "0 of the 20 test questions also occur in training" in dataset.split_rule


def test_the_halves_depend_on_the_questions_alone(tmp_path: Path) -> None:
    rows = claims(40, first=20)
    one = load_dataset(f"path:{write(tmp_path / 'a', claims(4), claims(4, first=10), rows)}")
    other = load_dataset(f"path:{write(tmp_path / 'b', claims(4), claims(4, first=10), rows[::-1])}")
    held = [{d.items[i].group for i in d.indices(Split.HOLDOUT)} for d in (one, other)]
    assert held[0] == held[1]
    assert one.version != other.version


def test_test_questions_that_occur_in_training_are_counted_and_stated(tmp_path: Path) -> None:
    write(tmp_path, preferences(4), preferences(6, first=10), preferences(10, first=8))
    rule = load_dataset(f"path:{tmp_path}").split_rule
    assert "6 of the 10 test questions also occur in training" in rule


def test_empty_lines_and_further_fields_are_no_fault(tmp_path: Path) -> None:
    rows = [row | {"source": "x"} for row in preferences(4)]
    write(tmp_path, [*rows[:2], "", "  ", *rows[2:]], preferences(6, first=10), preferences(10, first=20))
    assert len(load_dataset(f"path:{tmp_path}").indices(Split.TEACHER_TRAIN)) == 4


GOOD = preferences(1)[0]
FAULTS = {
    "not JSON": ('{"prompt": "x"', "train_label.jsonl:2: not JSON"),
    "a list": ("[1, 2]", "train_label.jsonl:2: a list instead of an object"),
    "nothing": ("{}", 'train_label.jsonl:2: "prompt" is missing'),
    "no label": ({k: v for k, v in GOOD.items() if k != "label"}, 'train_label.jsonl:2: "label" is missing'),
    "a third label": (GOOD | {"label": "C"}, 'train_label.jsonl:2: "label" is "C"; allowed: "A" or "B"'),
    "a truth value for a letter": (GOOD | {"label": True}, 'train_label.jsonl:2: "label" is true; allowed: "A" or "B"'),
    "a number for a text": (GOOD | {"first": 3}, 'train_label.jsonl:2: "first" is a number, not a text'),
    "an empty text": (GOOD | {"second": " "}, 'train_label.jsonl:2: "second" is empty'),
    "equal responses": (GOOD | {"second": "good 0"}, "train_label.jsonl:2: both responses are the same"),
    "both forms": (GOOD | {"choice": "x"}, "train_label.jsonl:2: fields of both forms"),
    "one for true": (
        {"question": "q", "choice": "c", "label": 1},
        'train_label.jsonl:2: "label" is 1; allowed: true or',
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_row_is_named_with_its_file_and_line_and_what_is_allowed(tmp_path: Path, fault: str) -> None:
    row, expected = FAULTS[fault]
    write(tmp_path, [GOOD, row, preferences(2)[1]], preferences(6, first=10), preferences(10, first=20))
    with pytest.raises(DataError) as raised:
        load_dataset(f"path:{tmp_path}")
    message = str(raised.value)
    assert expected in message
    assert "allowed: " in message
    assert "nothing was imported" in message


def test_bytes_that_are_not_utf8_are_named(tmp_path: Path) -> None:
    write(tmp_path, preferences(4), preferences(6, first=10), preferences(10, first=20))
    with (tmp_path / "test.jsonl").open("ab") as stream:
        stream.write(b'{"prompt": "\xff"}\n')
    with pytest.raises(DataError, match=r"test\.jsonl:11: not UTF-8 \(byte 13\)"):
        load_dataset(f"path:{tmp_path}")


def test_twenty_faults_are_shown_and_all_are_counted(tmp_path: Path) -> None:
    write(tmp_path, ["x"] * 33, preferences(6, first=10), preferences(10, first=20))
    with pytest.raises(DataError) as raised:
        load_dataset(f"path:{tmp_path}")
    heading, *shown, rest = str(raised.value).splitlines()
    assert heading.endswith(": 33 faults, nothing was imported")
    assert len(shown) == 20
    assert shown[19].startswith("train_label.jsonl:20: ")
    assert rest == "... and 13 more"


def test_faults_of_whole_files_are_named(tmp_path: Path) -> None:
    write(tmp_path, preferences(4)[::2], claims(4), preferences(1, first=20))
    (tmp_path / "train_unlabel.jsonl").write_text("")
    with pytest.raises(DataError) as raised:
        load_dataset(f"path:{tmp_path}")
    message = str(raised.value)
    assert "train_label.jsonl: every row has the same label" in message
    assert "train_unlabel.jsonl: has no rows" in message
    assert "test.jsonl: one question only" in message


def test_rows_of_two_forms_do_not_mix(tmp_path: Path) -> None:
    write(tmp_path, preferences(4), claims(6), preferences(10, first=20))
    with pytest.raises(DataError, match="all files: rows of two forms: 14 of form"):
        load_dataset(f"path:{tmp_path}")


def test_a_folder_without_the_files_says_which_are_missing(tmp_path: Path) -> None:
    with pytest.raises(DataError) as raised:
        load_dataset(f"path:{tmp_path / 'nowhere'}")
    for file in FILES:
        assert f"{file}: cannot be read (No such file or directory)" in str(raised.value)


def hub_cache(home: Path, repository: str) -> Path:
    """The hub's cache with one downloaded snapshot, as huggingface_hub lays it out."""
    folder = home / "hub" / f"datasets--{repository.replace('/', '--')}"
    revision = "0123456789abcdef0123456789abcdef01234567"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text(revision)
    return folder / "snapshots" / revision


def load_offline(home: Path, name: str) -> "subprocess.CompletedProcess[str]":
    code = (
        "import sys; from workers.w2s.data import DataError, load_dataset\n"
        "try: d = load_dataset(sys.argv[1])\n"
        "except DataError as error: sys.exit(str(error))\n"
        "print(d.name, d.kind, len(d.items))"
    )
    environment = os.environ | {"HF_HOME": str(home), "HF_HUB_OFFLINE": "1"}
    return subprocess.run(
        [sys.executable, "-c", code, name], check=False, env=environment, capture_output=True, text=True
    )


def test_a_dataset_of_the_hub_is_read_from_its_cache(tmp_path: Path) -> None:
    snapshot = hub_cache(tmp_path, "someone/chat")
    write(snapshot, preferences(4), preferences(6, first=10), preferences(10, first=20))
    write(snapshot / "labeled_data" / "math", claims(4), claims(4, first=10), claims(8, first=20))
    done = load_offline(tmp_path, "hub:someone/chat")
    assert done.stdout == "hub:someone/chat pair 20\n", done.stderr
    done = load_offline(tmp_path, "hub:someone/chat/labeled_data/math")
    assert done.stdout == "hub:someone/chat/labeled_data/math claim 16\n", done.stderr


def test_a_dataset_that_cannot_be_had_says_why(tmp_path: Path) -> None:
    done = load_offline(tmp_path, "hub:someone/absent")
    assert done.returncode == 1
    assert "hub:someone/absent: not in the hub's cache on this machine" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["hub:alone", "hub:", "hub:a/b/../c", "hub:a b/c"])
def test_a_name_that_is_none_of_the_hub_is_refused(name: str) -> None:
    with pytest.raises(DataError, match="expected hub:OWNER/NAME"):
        load_dataset(name)
