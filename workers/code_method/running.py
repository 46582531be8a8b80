"""Runs a snapshot on an open benchmark, one sandbox per run, and believes nothing that comes out but its form."""

import hashlib
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import ArrayLike

import sandbox
from sandbox import Limits, SandboxUnavailable
from workers.code_method import wire
from workers.code_method.answers import diary, of_predictor, probabilities, progress
from workers.code_method.labels import Bits, told_labels
from workers.code_method.planted import planted
from workers.code_method.shapes import describe, shuffle
from workers.code_method.warm import PROJECT, Child, WarmChildren
from workers.w2s.arena import Arena, MethodFailed, MethodResult, train_mask, versions
from workers.w2s.problem import Curve, Floats
from workers.w2s.spec import Progress, Report, Split, silent

TESTED = (Split.DEV, Split.HOLDOUT)
TICK_SECONDS = 1.0  # how often a silent run is reported on, so that a lost lease or a cancelled experiment is noticed
_LONGEST = {  # bytes of a frame's payload, by kind; predictions are measured by their items
    wire.PROGRESS: 1_000,
    wire.FITTED: 2**22,
    wire.FAILED: 2**15,
}
_MOST_FRAMES = 10_000  # of progress, in one run


def _memory() -> int:
    """Half of the machine's, at most 8 GiB."""
    return min(8 * 2**30, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2)


CODE_LIMITS = Limits(wall_seconds=600, cpu_seconds=2400, memory_bytes=_memory(), processes=128)


@dataclass(frozen=True, slots=True)
class Caught:
    """What the planted files of one run saw. agreement: share of dev predictions equal to the decoy's coin tosses."""

    opened: bool
    executed: bool
    agreement: float


class CodeFailed(MethodFailed):
    """A run that gave no predictions. opened, executed: rows of the runs whose planted files saw something."""

    def __init__(self, reason: str, opened: Sequence[int], executed: Sequence[int]) -> None:
        super().__init__(reason)
        self.opened, self.executed = tuple(opened), tuple(executed)


@dataclass(frozen=True, eq=False)
class CodeResult(MethodResult):
    """As of a recipe, and what each run left: its own curves (one line each) and its log, what it printed included.

    labels: what the last fits of each learned from, (labels, learnt) of each.
    """

    run_curves: tuple[tuple[Curve, ...], ...]
    logs: tuple[str, ...]
    caught: tuple[Caught, ...]
    labels: tuple[tuple[tuple[Bits, Bits], ...], ...]


@cache
def harness_digest() -> str:
    """SHA-256 of everything of ours that method code runs on: the child, the student, the recipes."""
    root = sandbox.ROOT
    hasher = hashlib.sha256()
    for name in PROJECT:
        for path in sorted((root / name).rglob("*.py")) if (root / name).is_dir() else [root / name]:
            content = path.read_bytes()
            hasher.update(f"{path.relative_to(root)} {len(content)}\n".encode() + content)
    return hasher.hexdigest()


@cache
def _warm() -> WarmChildren:
    return WarmChildren(CODE_LIMITS)


def run_code_method(
    arena: Arena,
    files: Mapping[str, str],
    seeds: Sequence[int],
    *,
    weak_probs: ArrayLike,
    teacher_of: Sequence[int],
    limits: Limits = CODE_LIMITS,
    report: Report = silent,
) -> CodeResult:
    """Run method.py once per seed, each in a fresh sandbox with the weak labels of its own teacher.

    files: path -> text, checked by whoever stored them. weak_probs: (T, N) of the teachers on student_train.
    teacher_of: (S,) which of them each run learns from. report: what it raises ends the run.
    Raises: CodeFailed, its message for whoever wrote the code; MethodFailed; SandboxUnavailable; ValueError on shapes.
    """
    if arena.spec.student != "probe":
        raise MethodFailed(
            f"code runs on benchmarks whose student is a probe; the one of {arena.spec.slug} is fine-tuned"
        )
    labels = np.asarray(weak_probs, dtype=np.float32)
    training = arena.inputs(Split.STUDENT_TRAIN)
    if labels.ndim != 2 or labels.shape[1] != len(training) or len(teacher_of) != len(seeds) or not seeds:
        raise ValueError(
            f"weak labels {labels.shape} for {len(training)} items, {len(teacher_of)} of {len(seeds)} runs"
        )
    reason = sandbox.available()
    if reason is not None:
        raise SandboxUnavailable(reason)
    started = time.perf_counter()
    warm = _warm() if limits == CODE_LIMITS else WarmChildren(limits, kept_ready=1)
    shared = wire.pack(*describe(training))
    finished: list[_Finished] = []
    try:
        for index, (seed, teacher) in enumerate(zip(seeds, teacher_of, strict=True)):
            name = f"run {index + 1} of {len(seeds)}"
            own = wire.pack(
                {"files": dict(files), "seed": _derived(seed, b"method")},
                {
                    "weak_probs": labels[[teacher]],
                    "weights": train_mask(training.groups, seed)[None],
                },
            )
            try:
                with warm.take() as child:
                    finished.append(_Run(arena, child, name, report).finish(shared, own, seed))
            except CodeFailed as error:
                before = [(row, run.caught) for row, run in enumerate(finished)]
                opened = [row for row, caught in before if caught.opened] + [index] * bool(error.opened)
                executed = [row for row, caught in before if caught.executed] + [index] * bool(error.executed)
                raise CodeFailed(f"{name}: {error}", opened, executed) from error
            finally:
                os.close(own)
    finally:
        os.close(shared)
        if limits != CODE_LIMITS:
            warm.close()
    return CodeResult(
        predictions={split: np.stack([run.predictions[split] for run in finished]) for split in TESTED},
        curves=_common_curves([run.curves for run in finished]),
        lines=(),
        seconds=time.perf_counter() - started,
        versions={**versions(), "harness": harness_digest()},
        run_curves=tuple(run.curves for run in finished),
        logs=tuple(run.log for run in finished),
        caught=tuple(run.caught for run in finished),
        labels=tuple(run.labels for run in finished),
    )


@dataclass(frozen=True, eq=False)
class _Finished:
    """predictions: split -> (M,)."""

    predictions: Mapping[Split, Floats]
    curves: tuple[Curve, ...]
    log: str
    caught: Caught
    labels: tuple[tuple[Bits, Bits], ...]


class _Run:
    """One run in one sandbox: the conversation, and everything that may be wrong with it."""

    def __init__(self, arena: Arena, child: Child, name: str, report: Report) -> None:
        self._arena, self._child, self._name, self._report = arena, child, name, report
        self._last = Progress(f"{name}: fitting", 0, 1)
        self._frames = 0
        self._log: str | None = None  # what was printed before it had test inputs; from then on nothing it says counts

    def finish(self, shared: int, own: int, seed: int) -> _Finished:
        """Raises: CodeFailed, which knows what the planted files saw; whatever `report` raises."""
        try:
            return self._converse(shared, own, seed)
        except MethodFailed as error:
            seen = self._child.decoys.opened()
            raise CodeFailed(str(error), [0] * ("labels" in seen), [0] * ("canary" in seen)) from error

    def _converse(self, shared: int, own: int, seed: int) -> _Finished:
        self._report(self._last)
        decoys, dev = self._child.decoys, self._arena.inputs(Split.DEV)
        tosses = np.random.default_rng(_derived(seed, b"decoy")).integers(0, 2, len(dev), dtype=np.int8)
        decoys.arm(dev.items, tosses)
        self._child.sandbox.arm()
        self._send(wire.TASK, [shared, own])
        told = self._await(wire.FITTED, _LONGEST[wire.FITTED])
        curves, lines = diary(told)
        labels = told_labels(told, len(self._arena.inputs(Split.STUDENT_TRAIN)))
        self._log = "\n".join(part for part in (*lines, self._child.sandbox.printed().rstrip("\n")) if part)
        parts = [self._arena.inputs(split) for split in TESTED]
        canaries = planted(parts[0], decoys.canary_program)
        parts += [canaries] if canaries is not None else []
        # The order derives from a seed that the child never sees, so it can neither guess nor undo it
        sizes = [len(part) for part in parts]
        order = np.random.default_rng(_derived(seed, b"order")).permutation(sum(sizes))
        test = wire.pack(*shuffle(parts, order))
        try:
            self._last = Progress(f"{self._name}: predicting", 1, 1)
            self._send(wire.INPUTS, [test])
            answer = self._await(wire.PREDICTED, wire.SHAPE.size + 4 * 16 * len(order))
        finally:
            os.close(test)
        shuffled = probabilities(answer, len(order))
        probs = np.empty_like(shuffled)
        probs[order] = shuffled
        seen = decoys.opened()
        self._child.close()
        split_probs = np.split(probs, np.cumsum(sizes)[:-1])
        same = float(((split_probs[0] >= 0.5) == tosses).mean())
        caught = Caught("labels" in seen, "canary" in seen, same)
        return _Finished(dict(zip(TESTED, split_probs, strict=False)), curves, self._log, caught, labels)

    def _send(self, kind: bytes, fds: list[int]) -> None:
        self._child.channel.settimeout(TICK_SECONDS * 10)  # a few bytes: whoever does not take them is gone or stuck
        try:
            wire.send(self._child.channel, kind, fds=fds)
        except (BrokenPipeError, ConnectionResetError):
            return  # it has ended; what it said before that is still to be read, and says why
        except OSError as error:
            raise self._ended() from error

    def _await(self, kind: bytes, longest: int) -> bytes:
        """The payload of the next frame that is no progress, which must be of that kind."""
        while True:
            got, length = wire.HEADER.unpack(self._read(wire.HEADER.size))
            if got not in (kind, wire.PROGRESS, wire.FAILED) or length > _LONGEST.get(got, longest):
                raise MethodFailed("its result channel holds what is no answer: nothing but the lab writes there")
            payload = self._read(length)
            if got == kind:
                return payload
            if got == wire.FAILED:
                said = payload.decode("utf-8", "replace").replace("\0", "").strip()
                raise MethodFailed(said if self._log is None else of_predictor(said))
            self._frames += 1
            if self._frames > _MOST_FRAMES:
                raise MethodFailed(f"it reported progress more than {_MOST_FRAMES:,} times")
            if self._log is None:
                self._last = progress(payload, self._name) or self._last
            self._report(self._last)

    def _read(self, length: int) -> bytes:
        """So many bytes; plain recv, so descriptors that a child might send are dropped by the kernel."""
        channel, data = self._child.channel, bytearray()
        channel.settimeout(TICK_SECONDS)
        while len(data) < length:
            try:
                part = channel.recv(min(length - len(data), 2**20))
            except TimeoutError:
                self._report(self._last)
                continue
            except OSError as error:
                raise self._ended() from error
            if not part:
                raise self._ended()
            data += part
            if self._child.sandbox.seconds_left == 0:
                raise self._ended()
        return bytes(data)

    def _ended(self) -> MethodFailed:
        """Why nobody answers."""
        box = self._child.sandbox
        if box.running and box.seconds_left > 0:
            # the channel is closed but the program goes on: method.py closed it, or is about to end
            deadline = time.monotonic() + 2
            while box.running and time.monotonic() < deadline:
                time.sleep(0.02)
        if box.running and box.seconds_left == 0:
            box.end(sandbox.Reason.TIME)
        silent_but_alive = box.running
        box.end()
        ended = box.wait()
        printed = ended.output.strip()[-1500:] if self._log is None else ""
        what = "it closed its result channel" if silent_but_alive else f"it {ended.sentence()} and gave no predictions"
        return MethodFailed(what + (f"; the last it printed:\n{printed}" if printed else ""))


def _derived(seed: int, purpose: bytes) -> int:
    """Another seed, from which the first cannot be found."""
    return int.from_bytes(hashlib.sha256(b"%s %d" % (purpose, seed)).digest()[:8], "big") >> 1


def _common_curves(runs: Sequence[Sequence[Curve]]) -> tuple[Curve, ...]:
    """Curves that every run has, at the same points, with one line per run."""
    common = []
    for curve in runs[0]:
        same = [[c for c in run if (c.name, c.x_label, c.x) == (curve.name, curve.x_label, curve.x)] for run in runs]
        if all(len(found) == 1 for found in same):
            common.append(Curve(curve.name, curve.x_label, curve.x, tuple(found[0].y[0] for found in same)))
    return tuple(common)


__all__ = ["CODE_LIMITS", "CodeFailed", "CodeResult", "SandboxUnavailable", "harness_digest", "run_code_method"]
