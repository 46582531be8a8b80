"""Every hyper-parameter of fine-tuning."""

from dataclasses import dataclass
from typing import Literal

from workers.w2s.spec import ModelSpec, SpecError


@dataclass(frozen=True, slots=True, kw_only=True)
class FineTuneSpec:
    """How a language model is fine-tuned; two equal specs on equal data give equal students.

    mode: "lora" (adapters on every linear map of the trained blocks) or "full" (all their weights, and with
    frozen_blocks = 0 the embeddings too). frozen_blocks: lower blocks that stay as they are; the states they give
    each token are computed once and cached.
    rank, alpha: of the adapters, scaled by alpha / sqrt(rank) (rank-stabilised LoRA).
    learning_rate, head_learning_rate: peaks of a linear schedule, reached after the share `warmup` of the steps.
    batch_items: items (pairs or claims) in a step. epochs: times each item is seen.
    longest_text: tokens; of longer texts the last ones are read.

    Sources: rank 32, alpha 32, rank stabilisation, learning rate, warm-up, batch, epochs, beta2 and context of
    safety-research/automated-w2s-research core/config.py; head started at 0 as openai/weak-to-strong.
    Departs: Adam keeps its moments in float32, not 8 bits; the head learns ten times as fast as the adapters,
    because it starts at 0 and nothing below it learns before it has moved.
    """

    model: ModelSpec
    mode: Literal["lora", "full"] = "lora"
    frozen_blocks: int = 0
    rank: int = 32
    alpha: float = 32.0
    learning_rate: float = 1e-4
    head_learning_rate: float = 1e-3
    warmup: float = 0.1
    epochs: int = 5
    batch_items: int = 32
    betas: tuple[float, float] = (0.9, 0.95)
    epsilon: float = 1e-8
    weight_decay: float = 0.0
    max_gradient_norm: float = 1.0
    longest_text: int = 8192

    def __post_init__(self) -> None:
        positive = (self.rank, self.alpha, self.learning_rate, self.head_learning_rate, self.epochs, self.batch_items)
        if min(positive) <= 0 or not 0 <= self.warmup <= 1 or self.frozen_blocks < 0:
            raise SpecError(f"fine-tuning: sizes and rates must be positive, warmup in [0, 1]: {self}")

    def rate_share(self, step: int, steps: int) -> float:
        """Learning rate of a step, as a share of its peak: up to it in the warm-up, then down to 0 after the last."""
        rising = max(1, round(self.warmup * steps))
        return (step + 1) / rising if step < rising else (steps - step) / max(1, steps - rising)
