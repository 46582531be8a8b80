"""The program inside the sandbox: waits for its one task with torch loaded, runs method.py, answers, and ends.

    python -I -S -u child.py DESCRIPTOR

Whatever method.py does to this process, it does to its own run: the parent believes nothing but the form of answers.
"""

import importlib.util
import json
import socket
import sys
import traceback
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

LAB, ENVIRONMENT, METHOD = "/lab", "/environment", "/workspace/method"
LONGEST_TRACEBACK = 6000  # characters, from its end

if __name__ == "__main__":  # sys.path of a Python without site-packages: its own library, then what the lab gives
    sys.path[:] = [*(path for path in sys.path if path.startswith(sys.base_prefix)), ENVIRONMENT, LAB]

import numpy as np  # noqa: E402
import torch  # noqa: E402

from workers.code_method import wire  # noqa: E402
from workers.code_method.labels import MOST_FITS, tell  # noqa: E402
from workers.code_method.shapes import restore  # noqa: E402
from workers.w2s.heads import ProbeStudent  # noqa: E402
from workers.w2s.problem import Context, Inputs  # noqa: E402
from workers.w2s.spec import Progress, Split  # noqa: E402


class NoMethod(Exception):
    """method.py lacks what the lab calls; the message says what."""


class Watched(ProbeStudent):
    """Remembers the labels of its last fits: whether they are better than labels can be is asked elsewhere."""

    def __init__(self, inputs: Inputs) -> None:
        super().__init__(inputs)
        self.labels: deque[str] = deque(maxlen=MOST_FITS)

    def fit(self, targets: Any, weights: Any, **how: Any) -> Any:
        """See `Student.fit`."""
        predictor = super().fit(targets, weights, **how)
        for labels, learnt in zip(np.asarray(targets), np.asarray(weights), strict=True):
            told = tell(labels >= 0.5, learnt > 0)
            if told not in self.labels:
                self.labels.append(told)
        return predictor


class NoArray(Exception):
    """The predictor returned something else than one row of numbers."""


def main(descriptor: int) -> None:
    """Serves one task."""
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, fileno=descriptor)
    torch.ones(64, 64) @ torch.ones(64, 64)  # starts the threads now, while nobody waits
    wire.send(channel, wire.READY)
    _, _, (shared, own) = wire.receive(channel)
    try:
        predictor = _learn(channel, shared, own)
    except BaseException as error:
        wire.send(channel, wire.FAILED, _told(error).encode("utf-8", "replace"))
        return
    try:
        _answer(channel, predictor)
    except BaseException as error:  # no more than its kind: it may speak of test inputs, which are nobody's to read
        wire.send(channel, wire.FAILED, type(error).__name__.encode("utf-8", "replace")[:100])


def _learn(channel: socket.socket, shared: int, own: int) -> Callable[[Inputs], Any]:
    """What `fit` returns. Raises: whatever method.py raises."""
    facts, arrays = wire.unpack(own)
    training = Inputs(**restore(*wire.unpack(shared), Split.STUDENT_TRAIN))
    student = Watched(training)

    def report(progress: Progress) -> None:
        told = [str(progress.stage)[:60], int(progress.done), int(progress.total)]
        wire.send(channel, wire.PROGRESS, json.dumps(told).encode())

    context = Context(
        items=training.items,
        features=training.features,
        depths=training.depths,
        prior_log_odds=training.prior_log_odds,
        groups=training.groups,
        seeds=(facts["seed"],),
        weak_probs=arrays["weak_probs"],
        weights=arrays["weights"],
        student=student,
        report=report,
    )
    np.random.seed(facts["seed"] % 2**32)  # for methods that use the global generators
    torch.manual_seed(facts["seed"])
    predictor = _fit(facts["files"])(context)
    if not callable(predictor):
        raise NoMethod(f"fit returned {type(predictor).__name__}, not a predictor: a function of inputs")
    diary = student.diary
    curves = [[curve.name, curve.x_label, curve.x, curve.y[0]] for curve in diary.curves]
    told = {"curves": curves, "lines": diary.lines, "labels": list(student.labels)}
    wire.send(channel, wire.FITTED, json.dumps(told).encode())
    return predictor  # type: ignore[no-any-return]


def _answer(channel: socket.socket, predictor: Callable[[Inputs], Any]) -> None:
    """Ask for the test items, and send what it says of them. Raises: whatever it raises."""
    _, _, (test,) = wire.receive(channel)
    answer = predictor(Inputs(**restore(*wire.unpack(test), Split.DEV)))
    probs = np.asarray(answer.detach() if isinstance(answer, torch.Tensor) else answer, dtype=np.float32)
    if probs.ndim == 1:
        probs = probs[None]
    if probs.ndim != 2:
        raise NoArray
    content = np.ascontiguousarray(probs, dtype="<f4").tobytes()
    wire.send(channel, wire.PREDICTED, wire.SHAPE.pack(*probs.shape) + content)


def _fit(files: dict[str, str]) -> Callable[[Context], Any]:
    """The function `fit` of method.py, which may import its neighbours. Raises: whatever importing it raises."""
    root = Path(METHOD)
    for path, text in files.items():
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(text.encode())
    sys.path.append(METHOD)  # last: a file called torch.py does not stand in for torch
    spec = importlib.util.spec_from_file_location("method", root / "method.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["method"] = module
    spec.loader.exec_module(module)
    fit = getattr(module, "fit", None)
    if not callable(fit):
        raise NoMethod("method.py defines no function fit(context)")
    return fit  # type: ignore[no-any-return]


def _told(error: BaseException) -> str:
    """The error with its traceback from method.py on, the end of it where it is long."""
    if isinstance(error, NoMethod):
        return str(error)
    frames = error.__traceback__
    while frames is not None and not frames.tb_frame.f_code.co_filename.startswith(METHOD):
        frames = frames.tb_next
    text = "".join(traceback.format_exception(type(error), error, frames or error.__traceback__))
    return text[-LONGEST_TRACEBACK:]


if __name__ == "__main__":
    main(int(sys.argv[1]))
