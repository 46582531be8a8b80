"""The training loop of one seed: steps, schedule, and a file from which a killed process goes on exactly."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from workers.w2s.finetune.batches import draw_batches
from workers.w2s.finetune.network import BIAS, HEAD, Network
from workers.w2s.finetune.reading import Reading, TokenStates
from workers.w2s.finetune.spec import FineTuneSpec
from workers.w2s.objectives import Objective
from workers.w2s.problem import Floats, Ints

LOSSES = "losses"  # name, in the files, of the log loss of every step
_FIRST, _SECOND = "first moment of ", "second moment of "


@dataclass(frozen=True, eq=False)
class Lesson:
    """What one seed learns from. M items, of which those of positive weight count.

    states: of the reading's tokens after the frozen blocks; None if there are none.
    targets, weights: (M,).
    """

    reading: Reading
    states: TokenStates | None
    targets: Floats
    weights: Floats
    objective: Objective
    seed: int

    @cached_property
    def items(self) -> Ints:
        """(n,) positions of the items that count."""
        return np.flatnonzero(self.weights > 0)

    @cached_property
    def mean_weight(self) -> np.float32:
        """Mean weight of the items that count: only ratios of weights matter."""
        return np.float32(self.weights[self.items].mean())

    def batches(self, spec: FineTuneSpec) -> list[Ints]:
        """The items of every step of the training."""
        lengths = self.reading.lengths
        return draw_batches(self.items, lengths, size=spec.batch_items, epochs=spec.epochs, seed=self.seed)


def train(network: Network, lesson: Lesson, path: Path, *, save_seconds: float, tell: Callable[[int], None]) -> None:
    """Train from scratch, or from where a killed process was, and write the learnt weights to `path`.

    save_seconds: between checkpoints, which live beside `path` until it is written; 0 for one after every step.
    tell: called with the number of finished steps.
    """
    spec = network.spec
    batches = lesson.batches(spec)
    network.reset(lesson.seed)
    adam = MasterAdam(network.parameters(), spec)
    losses = torch.zeros(len(batches))
    unfinished = path.with_suffix(".unfinished")
    start = _restore(unfinished, adam, losses) if unfinished.is_file() else 0
    saved_at = time.monotonic()
    for step in range(start, len(batches)):
        losses[step] = gradients(network, lesson, batches[step], step / len(batches))
        adam.step(spec.rate_share(step, len(batches)))
        tell(step + 1)
        if time.monotonic() - saved_at >= save_seconds and step + 1 < len(batches):
            _save(unfinished, adam.state() | {LOSSES: losses}, step=step + 1)
            saved_at = time.monotonic()
    learnt = {name: value.detach().cpu() for name, value in network.parameters().items()}
    _save(path, learnt | {LOSSES: losses}, step=len(batches))
    unfinished.unlink(missing_ok=True)


def restore_learnt(network: Network, path: Path) -> None:
    """Give the network the weights that `train` wrote."""
    learnt = load_file(path)
    with torch.no_grad():
        for name, value in network.parameters().items():
            value.copy_(learnt[name])


def read_losses(path: Path) -> Floats:
    """(steps,) log loss against its targets of each step's batch, in nats, before the step."""
    with safe_open(path, framework="pt") as file:
        return np.asarray(file.get_tensor(LOSSES).numpy())


class MasterAdam:
    """AdamW on float32 copies of the parameters: steps smaller than a bfloat16 parameter's rounding add up.

    Parameters that are float32 themselves have no copy. The head has a rate of its own.
    """

    def __init__(self, parameters: dict[str, nn.Parameter], spec: FineTuneSpec) -> None:
        self._parameters = parameters
        self._masters = {
            name: value if value.dtype == torch.float32 else value.detach().float().requires_grad_()
            for name, value in parameters.items()
        }
        self._limit = spec.max_gradient_norm
        self._peaks = [spec.head_learning_rate if name in {HEAD, BIAS} else spec.learning_rate for name in parameters]
        groups = [{"params": [master]} for master in self._masters.values()]
        self._adam = torch.optim.AdamW(
            groups, betas=spec.betas, eps=spec.epsilon, weight_decay=spec.weight_decay, foreach=True
        )

    def step(self, rate_share: float) -> None:
        """Follow the gradients that lie on the parameters, then clear them."""
        for name, value in self._parameters.items():
            if self._masters[name] is not value and value.grad is not None:
                self._masters[name].grad, value.grad = value.grad.float(), None
        nn.utils.clip_grad_norm_(self._masters.values(), self._limit)
        for group, peak in zip(self._adam.param_groups, self._peaks, strict=True):
            group["lr"] = peak * rate_share
        self._adam.step()
        self._adam.zero_grad(set_to_none=True)
        self._publish()

    def state(self) -> dict[str, Tensor]:
        """Masters and moments by name, as `load` takes them."""
        tensors = {name: master.detach() for name, master in self._masters.items()}
        for name, master in self._masters.items():
            if moments := self._adam.state.get(master):
                tensors[_FIRST + name], tensors[_SECOND + name] = moments["exp_avg"], moments["exp_avg_sq"]
        return {name: tensor.cpu() for name, tensor in tensors.items()}

    def load(self, tensors: dict[str, Tensor], step: int) -> None:
        """Go on from a `state` after `step` steps."""
        for name, master in self._masters.items():
            with torch.no_grad():
                master.copy_(tensors[name])
            if _FIRST + name in tensors:
                self._adam.state[master] = {
                    "step": torch.tensor(float(step)),
                    "exp_avg": tensors[_FIRST + name].to(master.device),
                    "exp_avg_sq": tensors[_SECOND + name].to(master.device),
                }
        self._publish()

    def _publish(self) -> None:
        with torch.no_grad():
            for name, value in self._parameters.items():
                if self._masters[name] is not value:
                    value.copy_(self._masters[name])


def gradients(network: Network, lesson: Lesson, items: Ints, progress: float) -> Tensor:
    """Add one batch's gradients to the parameters. Returns: its mean log loss against the targets, in nats.

    An objective may compare the items of a batch. So where a batch takes several passes, all its logits are
    computed first, without gradients, and each pass then repeats its own.
    """
    device = network.loaded.device
    targets = torch.from_numpy(lesson.targets[items]).to(device)
    weights = torch.from_numpy(lesson.weights[items] / lesson.mean_weight).to(device)
    runs = network.passes(items, lesson.reading)
    with torch.set_grad_enabled(len(runs) == 1):
        parts = [network.logits(run, lesson.reading, lesson.states) for run in runs]
    seen = torch.cat(parts).detach()
    slope = lesson.objective.gradient(seen[:, None], targets[:, None], weights[:, None], progress)[:, 0]
    slope = slope * weights / len(items)
    if len(runs) == 1:
        torch.autograd.backward(parts[0], slope)
    else:
        for run, piece in zip(runs, torch.split(slope, [len(run) for run in runs]), strict=True):
            torch.autograd.backward(network.logits(run, lesson.reading, lesson.states), piece)
    losses = functional.binary_cross_entropy_with_logits(seen, targets, reduction="none")
    return ((weights * losses).sum() / weights.sum()).cpu()


def _restore(unfinished: Path, adam: MasterAdam, losses: Tensor) -> int:
    """Load a checkpoint; returns how many steps it has behind it."""
    with safe_open(unfinished, framework="pt") as file:
        step = int(file.metadata()["step"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    losses.copy_(tensors.pop(LOSSES))
    adam.load(tensors, step)
    return step


def _save(path: Path, tensors: dict[str, Tensor], *, step: int) -> None:
    """Write whole or not at all."""
    partial = path.with_name(f"{path.name}.tmp-{os.getpid()}")
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, partial, metadata={"step": str(step)})
    partial.rename(path)
