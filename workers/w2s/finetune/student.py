"""The fine-tuned student: one network a seed, trained one after the other, every one of them resumable."""

import contextlib
import hashlib
import inspect
import json
import os
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, is_dataclass
from functools import cached_property
from pathlib import Path

import filelock
import numpy as np
import torch

from workers.w2s.finetune.network import Network
from workers.w2s.finetune.reading import Reading, TokenStates, read
from workers.w2s.finetune.spec import FineTuneSpec
from workers.w2s.finetune.training import Lesson, read_losses, restore_learnt, train
from workers.w2s.heads import check_problem, question_folds
from workers.w2s.objectives import CROSS_ENTROPY, Objective
from workers.w2s.problem import Curve, Diary, Floats, Inputs, Ints, Penalty, Predictor
from workers.w2s.spec import Progress, Report, silent

FINETUNING = 1  # part of every key: raise it when equal problems get other results
_POINTS = 40  # of a curve


class FineTuneStudent:
    """Fine-tunes `spec.model` on the texts of the inputs; implements `Student`. l2 is ignored, as there is none.

    seeds: one per row of targets; a seed decides adapters and order.
    Trained weights lie in cache_dir/finetuned under a digest of everything they depend on: the same problem is
    trained once, and after a kill -9 the next process goes on from the last checkpoint, with the same result.
    save_seconds: between checkpoints.
    """

    def __init__(
        self,
        inputs: Inputs,
        spec: FineTuneSpec,
        *,
        seeds: Sequence[int],
        cache_dir: Path,
        report: Report = silent,
        save_seconds: float = 60.0,
    ) -> None:
        self.diary = Diary()
        self._inputs = inputs
        self._spec = spec
        self._seeds = tuple(seeds)
        self._cache_dir = cache_dir
        self._report = report
        self._save_seconds = save_seconds

    def fit(
        self, targets: Floats, weights: Floats, *, objective: Objective = CROSS_ENTROPY, l2: Penalty = "cv"
    ) -> Predictor:
        """One network per seed; see `Student.fit`."""
        lessons = self._lessons(targets, weights, objective)
        paths = []
        with deterministic(self._network.loaded.device):
            for lesson, tell in self._with_progress(lessons):
                paths.append(self._trained(lesson, tell))
        self._note_losses([read_losses(path) for path in paths])
        return lambda inputs: self._predict(paths, inputs)

    def cross_fit(self, targets: Floats, weights: Floats, *, l2: Penalty = "cv", folds: int = 5) -> Floats:
        """(S, N) out-of-fold probabilities, from `folds` networks a seed; see `Student.cross_fit`."""
        fold = question_folds(self._inputs.groups, folds)
        whole = self._lessons(targets, weights, CROSS_ENTROPY)
        parts = [
            Lesson(one.reading, one.states, one.targets, np.where(fold == k, 0, one.weights), one.objective, one.seed)
            for one in whole
            for k in range(folds)
        ]
        if not all(part.items.size for part in parts):
            raise ValueError("cross-validation needs items of positive weight in two folds for every seed")
        probs = np.empty((len(whole), len(self._inputs)), dtype=np.float32)
        with deterministic(self._network.loaded.device):
            for number, (part, tell) in enumerate(self._with_progress(parts)):
                row, k = divmod(number, folds)
                held = np.flatnonzero(fold == k)
                probs[row, held] = self._held_out(part, held, tell)
        return probs

    @cached_property
    def _network(self) -> Network:
        claims = self._inputs.kind == "claim"
        return Network(self._spec, claims=claims, cache_dir=self._cache_dir, report=self._report)

    @cached_property
    def _material(self) -> tuple[Reading, TokenStates | None]:
        return self._read(self._inputs)

    def _read(self, inputs: Inputs) -> tuple[Reading, TokenStates | None]:
        reading = read(inputs, self._network.loaded.tokenizer, self._spec.longest_text)
        return reading, self._network.states_of(reading.texts)

    def _lessons(self, targets: Floats, weights: Floats, objective: Objective) -> list[Lesson]:
        y, w = (problem.T.contiguous().numpy() for problem in check_problem(targets, weights))
        if len(y) != len(self._seeds) or y.shape[1] != len(self._inputs):
            raise ValueError(f"targets must be ({len(self._seeds)}, {len(self._inputs)}), one row per seed: {y.shape}")
        reading, states = self._material
        rows = zip(y, w, self._seeds, strict=True)
        return [Lesson(reading, states, target, weight, objective, seed) for target, weight, seed in rows]

    def _with_progress(self, lessons: Sequence[Lesson]) -> Iterator[tuple[Lesson, Callable[[int], None]]]:
        """Each lesson with a callback that counts its steps towards all steps of all lessons."""
        spec = self._spec
        steps = [spec.epochs * -(-len(lesson.items) // spec.batch_items) for lesson in lessons]
        for number, lesson in enumerate(lessons):
            before, total = sum(steps[:number]), sum(steps)
            yield (
                lesson,
                lambda done, before=before, total=total: self._report(  # type: ignore[misc]
                    Progress("fine-tuning", before + done, total)
                ),
            )

    def _trained(self, lesson: Lesson, tell: Callable[[int], None]) -> Path:
        """The file with the weights learnt from a lesson; trained now unless it is there already."""
        path = self._cache_dir / "finetuned" / f"{self._key(lesson)}.safetensors"
        path.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(f"{path}.lock"):
            if not path.is_file():
                train(self._network, lesson, path, save_seconds=self._save_seconds, tell=tell)
        os.utime(path)  # tells when it was last used
        return path

    def _held_out(self, lesson: Lesson, items: Ints, tell: Callable[[int], None]) -> Floats:
        """(n,) probabilities of items a lesson left out. They are kept, the weights behind them are not."""
        known = self._cache_dir / "finetuned" / f"{self._key(lesson)}.held-out.npy"
        if not known.is_file():
            path = self._trained(lesson, tell)
            restore_learnt(self._network, path)
            probs = self._probs(items, lesson.reading, lesson.states)
            partial = known.with_name(f"{known.name}.tmp-{os.getpid()}")
            with partial.open("wb") as stream:
                np.save(stream, probs, allow_pickle=False)
            partial.rename(known)
            path.unlink(missing_ok=True)
        os.utime(known)
        return np.asarray(np.load(known, allow_pickle=False))

    def _predict(self, paths: Sequence[Path], inputs: Inputs) -> Floats:
        """(S, M) probabilities of label 1."""
        reading, states = self._read(inputs)
        rows = []
        with deterministic(self._network.loaded.device):
            for path in paths:
                restore_learnt(self._network, path)
                rows.append(self._probs(np.arange(len(inputs)), reading, states))
        return np.stack(rows)

    def _probs(self, items: Ints, reading: Reading, states: TokenStates | None) -> Floats:
        probs = np.empty(len(items), dtype=np.float32)
        order = np.argsort(reading.lengths[items], kind="stable")
        done = 0
        with torch.inference_mode():
            for run in self._network.passes(items[order], reading):
                logits = self._network.logits(run, reading, states)
                probs[order[done : done + len(run)]] = torch.sigmoid(logits).cpu().numpy()
                done += len(run)
        return probs

    def _key(self, lesson: Lesson) -> str:
        """Changes with everything the learnt weights depend on."""
        loaded = self._network.loaded
        about = [FINETUNING, torch.__version__, loaded.device.type, str(loaded.dtype), self._network.trees]
        model = [loaded.weights_digest, loaded.tokenizer_digest, asdict(self._spec)]
        objective = _identity(lesson.objective)
        hasher = hashlib.sha256(json.dumps([about, model, objective, lesson.seed, lesson.reading.digest]).encode())
        hasher.update(lesson.targets.tobytes() + lesson.weights.tobytes())
        return hasher.hexdigest()[:40]

    def _note_losses(self, losses: Sequence[Floats]) -> None:
        points = min(_POINTS, *(len(line) for line in losses))
        lines = tuple(
            tuple(float(part.mean()) for part in np.array_split(line.astype(np.float64), points)) for line in losses
        )
        x = tuple((point + 1) / points for point in range(points))
        self.diary.curves.append(Curve("training log loss on the labels learnt from", "share of training", x, lines))


@contextlib.contextmanager
def deterministic(device: torch.device) -> Iterator[None]:
    """While open, CUDA computes sums in a fixed order; a CPU does so anyway."""
    if device.type != "cuda":
        yield
        return
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before, warned = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before, warn_only=warned)


def _identity(objective: Objective) -> str:
    """What an objective does, as text: its code and its values; unique where that cannot be told."""
    kind = type(objective)
    try:
        code = inspect.getsource(kind)
    except (OSError, TypeError):
        return uuid.uuid4().hex
    return f"{code}\n{objective!r}" if is_dataclass(objective) else uuid.uuid4().hex
