"""Reads datasets in the layout of the released sandbox: train_label.jsonl, train_unlabel.jsonl and test.jsonl.

A row is a preference {"prompt": str, "first": str, "second": str, "label": "A" or "B"} ("A": the first response is
better) or a claim {"question": str, "choice": str, "label": true or false}; all rows of a dataset are of one form, and
further fields are ignored. Source: safety-research/automated-w2s-research.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from workers.w2s.data._pairs import assigned
from workers.w2s.data._trouble import Trouble
from workers.w2s.spec import Dataset, Item, Split

FILES = ("train_label.jsonl", "train_unlabel.jsonl", "test.jsonl")
HALVES: Mapping[Split, int] = {Split.DEV: 1, Split.HOLDOUT: 1}
HALVING_SEED = "released-layout/1"  # part of the data: another one makes another dev split

Kind = Literal["pair", "claim"]

_TEXTS: Mapping[Kind, tuple[str, ...]] = {"pair": ("prompt", "first", "second"), "claim": ("question", "choice")}
_LABELS: Mapping[Kind, Mapping[Any, int]] = {"pair": {"A": 1, "B": 0}, "claim": {True: 1, False: 0}}
_FORMS: Mapping[Kind, str] = {
    "pair": '{"prompt": text, "first": text, "second": text, "label": "A" or "B"}',
    "claim": '{"question": text, "choice": text, "label": true or false}',
}
_EITHER = " or ".join(_FORMS.values())


@dataclass(frozen=True, slots=True)
class _Row:
    kind: Kind
    question: str
    responses: tuple[str, ...]
    label: int

    @property
    def group(self) -> str:
        """Equal for rows that ask the same question."""
        return hashlib.sha256(self.question.encode()).hexdigest()[:16]


def load_folder(folder: Path, *, name: str) -> Dataset:
    """The dataset in a folder; name: what it is called from now on.

    train_label trains teachers, train_unlabel trains students (its labels only the ceiling), and test is halved by
    question into dev and holdout.
    Raises: DataError naming file and line of everything that is wrong, the first 20 in full.
    """
    trouble = Trouble()
    rows = {file: _read(folder / file, trouble) for file in FILES}
    _check_together(rows, trouble)
    trouble.raise_if_any(str(folder))
    halves = assigned(Counter(row.group for row in rows["test.jsonl"]), HALVING_SEED, shares=HALVES)
    placed = [
        *((Split.TEACHER_TRAIN, row) for row in rows["train_label.jsonl"]),
        *((Split.STUDENT_TRAIN, row) for row in rows["train_unlabel.jsonl"]),
        *((half, row) for half in HALVES for row in rows["test.jsonl"] if halves[row.group] is half),
    ]
    return Dataset(
        name,
        hashlib.sha256(b"".join(hashlib.sha256((folder / file).read_bytes()).digest() for file in FILES)).hexdigest()[
            :12
        ],
        placed[0][1].kind,
        _split_rule(rows),
        tuple(Item(split, row.question, row.responses, row.group) for split, row in placed),
        np.array([row.label for _, row in placed], dtype=np.int8),
    )


def _read(path: Path, trouble: Trouble) -> list[_Row]:
    """The rows that are right; what is wrong with the others goes to `trouble`. Empty lines are skipped."""
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        trouble.add(path.name, f"cannot be read ({error.strerror})", f"a folder with {', '.join(FILES)}")
        return []
    rows = []
    for number, line in enumerate(lines, start=1):
        if line.strip():
            row = _row(line, f"{path.name}:{number}", trouble)
            if row is not None:
                rows.append(row)
    if not any(line.strip() for line in lines):
        trouble.add(path.name, "has no rows", f"one {_EITHER} a line")
    return rows


def _row(line: bytes, place: str, trouble: Trouble) -> _Row | None:
    try:
        row = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        trouble.add(place, f"not UTF-8 (byte {error.start + 1})", "UTF-8 text")
        return None
    except (ValueError, RecursionError) as error:
        trouble.add(place, f"not JSON ({error})", f"one line {_EITHER}")
        return None
    if not isinstance(row, dict):
        trouble.add(place, f"{_type_name(row)} instead of an object", _EITHER)
        return None
    kind: Kind = "claim" if "choice" in row or "question" in row else "pair"
    if kind == "claim" and {"prompt", "first", "second"} & set(row):
        trouble.add(place, "fields of both forms", _EITHER)
        return None
    return _typed(row, kind, place, trouble)


def _typed(row: dict[str, Any], kind: Kind, place: str, trouble: Trouble) -> _Row | None:
    good = True
    for field in _TEXTS[kind]:
        value = row.get(field)
        if not isinstance(value, str) or not value.strip():
            what = "is missing" if field not in row else "is empty" if isinstance(value, str) else _is_a(value)
            trouble.add(place, f'"{field}" {what}', _FORMS[kind])
            good = False
    label = row.get("label")
    expected = str if kind == "pair" else bool
    if not isinstance(label, expected) or label not in _LABELS[kind]:
        what = f"is {json.dumps(label)[:40]}" if "label" in row else "is missing"
        trouble.add(place, f'"label" {what}', '"A" or "B"' if kind == "pair" else "true or false")
        good = False
    if good and kind == "pair" and row["first"] == row["second"]:
        trouble.add(place, "both responses are the same", "two different responses")
        good = False
    if not good:
        return None
    question, *responses = (row[field] for field in _TEXTS[kind])
    return _Row(kind, question, tuple(responses), _LABELS[kind][label])


def _check_together(rows: Mapping[str, list[_Row]], trouble: Trouble) -> None:
    """What no single row shows: mixed forms, a split with one label, a test set of one question."""
    kinds = Counter(row.kind for part in rows.values() for row in part)
    if len(kinds) > 1:
        parts = ", ".join(f"{many} of form {_FORMS[kind]}" for kind, many in kinds.items())
        trouble.add("all files", f"rows of two forms: {parts}", "rows of one form")
    for file, part in rows.items():
        if part and len({row.label for row in part}) == 1:
            trouble.add(file, "every row has the same label", "rows with both labels")
    if len({row.group for row in rows["test.jsonl"]}) == 1:
        trouble.add("test.jsonl", "one question only", "two questions at least: dev and holdout share none")


def _split_rule(rows: Mapping[str, list[_Row]]) -> str:
    trained = {row.group for file in FILES[:2] for row in rows[file]}
    tested = {row.group for row in rows["test.jsonl"]}
    known = len(trained & tested)
    return (
        "teacher_train and student_train are the files train_label and train_unlabel; dev and holdout are halves of "
        f'the file test, by question (seed "{HALVING_SEED}"). A group is a question. '
        f"{known:,} of the {len(tested):,} test questions also occur in training."
    )


def _is_a(value: Any) -> str:
    return f"is {_type_name(value)}, not a text"


def _type_name(value: Any) -> str:
    names = {type(None): "null", bool: "a truth value", int: "a number", float: "a number", list: "a list"}
    return names.get(type(value), "a text" if isinstance(value, str) else "an object")
