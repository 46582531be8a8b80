"""Sources written to keep the reader busy: the work grows with the source, and beyond a bound it is said, not done."""

import sys
import tracemalloc

import pytest

from oversight.detectors import _source_rules
from oversight.detectors._source_rules import scan
from oversight.detectors.static_scan import StaticScan
from oversight.selectors.likeness import code_likeness
from oversight.syntax import MOST_CHARACTERS, MOST_DEPTH, MOST_IN_ALL
from tests.oversight.detectors.worlds import facts

SHAPES = {
    "imports, assignments": lambda n: "".join(f"import m{i}\n" for i in range(n)) + "a = m0.x\n" * n,
    "imports, stores": lambda n: "".join(f"import m{i}\n" for i in range(n)) + "m0.x = 1\n" * n,
    "imports, getattr": lambda n: "".join(f"import m{i}\n" for i in range(n)) + "getattr(m0, x)\n" * n,
    "names on names": lambda n: "import os\na0 = os.x\n" + "".join(f"a{i + 1} = a{i}.x\n" for i in range(n)),
    "a long module": lambda n: f"import {'m' * 10 * n} as m\n" + "m.x()\n" * n,
    "opens of opens": lambda n: "p" + ".open()" * n,
    "stores of stores": lambda n: "[" + ", ".join("a" + ".b" * (n // 10) for _ in range(10)) + "] = x",
    "getattr of getattr": lambda n: "getattr(" * n + "os" + ", 'x')()" * n,
    "seeds in seeds": lambda n: "from random import seed\nfor i in x:\n " + "seed(" * n + "i" + ")" * n,
    "loops in loops": lambda n: "".join(f"{' ' * i}for i{i} in x:\n" for i in range(n)) + " " * n + "pass",
    "zeros far apart": lambda n: "a = '" + ("0" + " " * n) * 60 + "'",
    "bits, and bits again": lambda n: "a = '" + ("01 " * 30 + "x") * n + "'",
}
SMALL = {
    "opens of opens": 60, "stores of stores": 600, "getattr of getattr": 40, "seeds in seeds": 40, "loops in loops": 40,
}  # fmt: skip


def steps(code: str) -> int:
    """Bytecode instructions that reading a file takes."""
    count = 0

    def look(frame, event, _):
        nonlocal count
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        count += event == "opcode"
        return look

    before = sys.gettrace()
    sys.settrace(look)
    try:
        scan("method.py", code)
    finally:
        sys.settrace(before)
    return count


def room(code: str) -> int:
    """Bytes at most in use while reading."""
    tracemalloc.start()
    try:
        scan("method.py", code)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("shape", SHAPES)
def test_twice_the_source_is_twice_the_work(shape):
    n = SMALL.get(shape, 300)
    once, twice = (SHAPES[shape](size) for size in (n, 2 * n))
    assert steps(twice) < 2.3 * steps(once)
    assert room(twice) < 2.3 * room(once) + 20_000


def test_whitespace_between_bits_is_read_once():
    """Not one look from each of them at all that follow: what the pattern takes, it does not give back."""
    found = [match.group() for match in _source_rules.BITS.finditer("0" + " 0" * 63 + "x 1,0;1")]
    assert found == ["0" + " 0" * 63, "1,0;1"]
    assert {hit.rule for hit in scan("method.py", f"a = '{'0 ' * 70}'")} == {"literal-answers"}


@pytest.mark.parametrize(
    "code",
    [
        "a;" * (MOST_CHARACTERS // 2 + 1),
        "x = a" + ".b" * (MOST_DEPTH + 1),
        "x = a" + ".b" * 50_000,
        "x = " + "-" * 50_000 + "1",
        "x = 1" + " + 1" * 20_000,
        "x = " + "lambda: " * 10_000 + "1",
        "if a:\n pass\n" + "elif a:\n pass\n" * 10_000,
    ],
    ids=["long", "deep", "deeper", "minus", "plus", "lambda", "elif"],
)
def test_what_is_too_large_to_be_read_is_a_finding(code):
    """Neither silence nor an inspection that fails: a person reads it."""
    (hit,) = scan("method.py", code)
    assert (hit.rule, hit.grave) == ("too-large", True)
    assert "too large to be read" in hit.said
    (found,) = StaticScan().inspect(facts(files={"method.py": code}))
    assert (found.level, found.statistic) == ("flag", 1)
    assert found.title == "The code needs reading: too-large"
    assert code_likeness({"method.py": code}) != code_likeness({"method.py": code + "\n"})  # as text


def test_what_a_snapshot_holds_in_all_is_bounded_and_the_rest_is_said_to_be_unread():
    size = MOST_CHARACTERS - 1
    many = {f"m{number:02}.py": "#" * size for number in range(MOST_IN_ALL // size + 3)}
    # what is small is read first: padding hides nothing
    (found,) = StaticScan().inspect(facts(files={**many, "z.py": "exec(x)"}))
    assert (found.level, found.title) == ("flag", "The code needs reading: executes, too-large")
    assert found.sentences[0].startswith("m04.py, line 0: it is too large to be read")
    assert found.sentences[-1].startswith("z.py, line 1: exec")


def test_a_source_in_another_encoding_is_not_read_as_if_it_were_plain():
    """The interpreter would decode it by that name, and run something else than what was read."""
    (hit,) = scan("method.py", "#!/usr/bin/python\n# -*- coding: utf-7 -*-\n# +AAo-import os\n")
    assert (hit.rule, hit.grave) == ("unreadable", True)
    assert "utf-7" in hit.said
    assert scan("method.py", "# -*- coding: UTF-8 -*-\nx = 1\n") == []
    assert scan("method.py", "\ufeffx = 1\n") == []
