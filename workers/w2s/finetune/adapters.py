"""Low-rank adapters on linear maps, with float32 weights over a frozen base of any precision."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional


class Adapted(nn.Module):
    """x ↦ W x + scale · B A x, with W frozen.

    down: A, (rank, in). up: B, (out, rank), 0 at the start, so that the model starts as it was.
    Source: Hu et al. 2021, arXiv:2106.09685; scale alpha / sqrt(rank): Kalajdzievski 2023, arXiv:2312.03732.
    """

    def __init__(self, base: nn.Linear, rank: int, alpha: float) -> None:
        super().__init__()
        self.base = base.requires_grad_(False)
        self.scale = alpha / math.sqrt(rank)
        device = base.weight.device
        self.down = nn.Parameter(torch.zeros(rank, base.in_features, device=device))
        self.up = nn.Parameter(torch.zeros(base.out_features, rank, device=device))

    def reset(self, generator: torch.Generator) -> None:
        """A uniform in ±1/sqrt(in), drawn on the CPU so that a seed means the same on every device; B zero."""
        reach = 1 / math.sqrt(self.base.in_features)
        drawn = torch.empty(self.down.shape).uniform_(-reach, reach, generator=generator)
        with torch.no_grad():
            self.down.copy_(drawn)
            self.up.zero_()

    def forward(self, x: Tensor) -> Tensor:
        """(…, in) to (…, out), in the precision of x."""
        low = functional.linear(x, self.down.to(x.dtype))
        whole: Tensor = self.base(x)
        return whole + functional.linear(low, (self.scale * self.up).to(x.dtype))


def adapt(module: nn.Module, rank: int, alpha: float) -> list[Adapted]:
    """Put an adapter on every linear map inside a module; returns them in a fixed order."""
    adapted = []
    for name, child in list(module.named_children()):
        if isinstance(child, nn.Linear):
            wrapped = Adapted(child, rank, alpha)
            setattr(module, name, wrapped)
            adapted.append(wrapped)
        else:
            adapted += adapt(child, rank, alpha)
    return adapted
