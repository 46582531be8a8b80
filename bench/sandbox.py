"""What the walls around code cost: an empty sandbox, one with torch, cold and warm, and a run beside the same recipe.

python -m bench.sandbox [--cache-dir DIR]. Seconds of the wall clock on the geography benchmark; the least of a few
tries, since other work on the machine only ever adds to it. "Warm" is what a run waits when its sandbox was started
while the one before it was at work.
"""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

import sandbox
from sandbox import Sandboxed, interpreter
from workers.code_method import CODE_LIMITS, run_code_method
from workers.code_method.warm import Child, WarmChildren
from workers.w2s.arena import Arena, run_method
from workers.w2s.benchmarks import BUILTIN
from workers.w2s.data import load_dataset
from workers.w2s.spec import Split

TRIES = 5
VANILLA = "def fit(context):\n    return context.student.fit(context.weak_probs, context.weights)\n"
SEEDS = tuple(range(100, 105))


def main(argv: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cache-dir", type=Path, default=Path("/tmp/aarweb-bench"))
    arguments = parser.parse_args(argv)
    reason = sandbox.available()
    if reason is not None:
        sys.exit(f"error: {reason}")
    arena, weak_probs = geography(arguments.cache_dir)
    tell("an empty sandbox, made and ended", least(empty))
    tell("one with torch, cold, until it is ready", least(cold))
    tell("the same, warm", least_of(warm_starts()))
    teacher_of = [0] * len(SEEDS)
    shared = {"weak_probs": weak_probs, "teacher_of": teacher_of}
    recipe = least(lambda: run_method(arena, "vanilla", {}, SEEDS, cache_dir=arguments.cache_dir, **shared), tries=2)
    code = least(lambda: run_code_method(arena, {"method.py": VANILLA}, SEEDS, **shared), tries=2)
    tell(f"vanilla as a recipe, {len(SEEDS)} seeds in one pass", recipe)
    tell(f"vanilla as code, {len(SEEDS)} sandboxes", code)
    tell("   a run of it", code / len(SEEDS))


def geography(cache_dir: Path) -> tuple[Arena, np.ndarray]:
    """The benchmark, and labels of one teacher that is right three times out of four."""
    spec = next(spec for spec in BUILTIN if spec.slug == "geography")
    data = load_dataset(spec.dataset)
    items = {split: [data.items[i] for i in data.indices(split)] for split in Split}
    truth = data.labels[data.indices(Split.STUDENT_TRAIN)]
    right = np.random.default_rng(0).random(len(truth)) < 0.75
    weak_probs = np.where(right == truth, 0.9, 0.1)[None].astype(np.float32)
    return Arena.open(spec, items, cache_dir=cache_dir), weak_probs


def empty() -> None:
    """Python that does nothing."""
    with Sandboxed([interpreter().executable, "-I", "-S", "-c", ""], limits=CODE_LIMITS) as box:
        box.wait()


def cold() -> None:
    """Started now."""
    child = Child(CODE_LIMITS)
    child.wait_ready()
    child.close()


def warm_starts() -> list[float]:
    """Seconds until a child is there, each asked for when the one before it has had time to come up."""
    children, seconds = WarmChildren(CODE_LIMITS), []
    try:
        for _ in range(TRIES + 1):
            start = time.perf_counter()
            with children.take():
                seconds.append(time.perf_counter() - start)
                time.sleep(6)
    finally:
        children.close()
    return seconds[1:]


def least(what: Callable[[], object], tries: int = TRIES) -> float:
    """Seconds of the quickest try."""
    seconds = []
    for _ in range(tries):
        start = time.perf_counter()
        what()
        seconds.append(time.perf_counter() - start)
    return least_of(seconds)


def least_of(seconds: Sequence[float]) -> float:
    """The quickest."""
    return min(seconds)


def tell(what: str, seconds: float) -> None:
    """One line."""
    print(f"{what:48}{seconds:8.3f} s", flush=True)


if __name__ == "__main__":
    main()
