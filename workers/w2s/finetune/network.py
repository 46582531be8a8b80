"""A language model with a scalar head, of which the upper blocks, or all, can learn.

The logit of a claim is the head's score of its text, that of a pair the difference of its two scores: swapping the
responses swaps the sign, whatever the weights. The score is linear in the final state of the text's last token, and
starts at 0. A difference of likelihoods would start from what the model believes zero-shot; on benchmarks that keep
likelihoods back, every method would get them as a gift.
"""

import functools
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from workers.w2s.finetune.adapters import Adapted, adapt
from workers.w2s.finetune.batches import Batch, lay_out
from workers.w2s.finetune.reading import Reading, TokenStates, frozen_states
from workers.w2s.finetune.spec import FineTuneSpec
from workers.w2s.forward import takes_trees, token_states
from workers.w2s.models import LoadedModel, ModelError, choose_device, load
from workers.w2s.problem import Ints
from workers.w2s.spec import Report
from workers.w2s.texts import Encoded

HEAD, BIAS = "head", "bias"  # names of the head's parameters
# Texts of one forward pass with gradients, in tokens: memory, not speed, sets the limit.
_TOKENS_PER_PASS = {"cpu": 8192, "cuda": 32768}
# Eager attention is faster than torch's flash kernel for short texts on a CPU: its backward pass takes a quarter of
# the step at 22 tokens.
_ATTENTION = {"cpu": "eager", "cuda": "sdpa"}
_SAME = 0.03  # of a state's norm: bfloat16 rounding stays below, a block too many or too few is far above


class Network:
    """The model being fine-tuned. One object serves all seeds, one after the other: `reset` starts anew."""

    def __init__(self, spec: FineTuneSpec, *, claims: bool, cache_dir: Path, report: Report) -> None:
        self.spec = spec
        self._claims = claims
        self._cache_dir, self._report = cache_dir, report
        self.loaded = _load(spec, cache_dir, report)
        if spec.frozen_blocks >= self.loaded.blocks:
            raise ModelError(f"{spec.model} has {self.loaded.blocks} blocks, {spec.frozen_blocks} cannot be frozen")
        self._where: Any = {"device": self.loaded.device, "dtype": self.loaded.dtype}
        self.trees = takes_trees(self.loaded)
        self._body: Any = self.loaded.model.model
        if spec.frozen_blocks:
            self._cut()
        self._adapters: list[Adapted] = []
        self.head = nn.Parameter(torch.zeros(self.loaded.identity.width, device=self.loaded.device))
        self.bias = nn.Parameter(torch.zeros((), device=self.loaded.device))
        self._prepare_learning()
        if self.loaded.device.type == "cuda":
            for block in self._body.layers:
                block.forward = functools.partial(checkpoint, block.forward, use_reentrant=False)

    def parameters(self) -> dict[str, nn.Parameter]:
        """What learns, by name, in a fixed order; the head comes first."""
        head = {HEAD: self.head, BIAS: self.bias} if self._claims else {HEAD: self.head}
        return head | {name: value for name, value in self._body.named_parameters() if value.requires_grad}

    def reset(self, seed: int) -> None:
        """Back to the pretrained model with a head of zeros and fresh adapters drawn from the seed."""
        generator = torch.Generator().manual_seed(seed)
        for adapter in self._adapters:
            adapter.reset(generator)
        with torch.no_grad():
            self.head.zero_()
            self.bias.zero_()
            for name, value in self._pretrained.items():
                self.parameters()[name].copy_(value)

    def states_of(self, texts: tuple[Encoded, ...]) -> TokenStates | None:
        """What the frozen blocks make of texts; None where none is frozen."""
        if not self.spec.frozen_blocks:
            return None
        return frozen_states(
            self.loaded, self.spec.frozen_blocks, texts, cache_dir=self._cache_dir, report=self._report
        )

    def passes(self, items: Ints, reading: Reading) -> list[Ints]:
        """Cut items, neighbours in length, into runs that fit one forward pass; the order stays."""
        budget = _TOKENS_PER_PASS.get(self.loaded.device.type, _TOKENS_PER_PASS["cpu"])
        lengths, responses = reading.lengths, reading.of_item.shape[1]
        runs, start, longest = [], 0, 0
        for stop, item in enumerate(items):
            longest = max(longest, int(lengths[item]))
            if stop > start and (stop + 1 - start) * responses * longest > budget:
                runs.append(items[start:stop])
                start, longest = stop, int(lengths[item])
        return [*runs, items[start:]]

    def logits(self, items: Ints, reading: Reading, states: TokenStates | None) -> Tensor:
        """(n,) float32 log-odds of label 1."""
        chosen = reading.of_item[items]  # (n, R)
        batch = lay_out(reading.texts, chosen.ravel(), states, trees=self.trees, **self._where)
        scores = (self._final(batch).float() @ self.head).view(chosen.shape)
        return scores[:, 0] + self.bias if self._claims else scores[:, 0] - scores[:, 1]

    def _final(self, batch: Batch) -> Tensor:
        """(n, d) final state of each text's last token."""
        about = {"attention_mask": batch.mask, "position_ids": batch.positions, "use_cache": False}
        if batch.states is None:
            output = self._body(input_ids=batch.ids, **about)
        else:
            output = self._body(inputs_embeds=batch.states, **about)
        final: Tensor = output.last_hidden_state.flatten(0, 1).index_select(0, batch.ends)
        return final

    def _cut(self) -> None:
        """Take the frozen blocks out, and try whether the others go on from their states as they should.

        Raises: ModelError for an architecture that does more between embedding and first block than it shows.
        """
        vocabulary = int(self.loaded.model.config.get_text_config().vocab_size)
        text = Encoded(tuple(1 + (7 * i) % (vocabulary - 1) for i in range(12)), 6)
        whole = lay_out([text], np.zeros(1, dtype=np.int64), None, trees=False, **self._where)
        frozen = self.spec.frozen_blocks
        states = TokenStates(token_states(self.loaded, [text], layer=frozen)[0], np.zeros(1, dtype=np.int64))
        with torch.inference_mode():
            expected = self._final(whole).float()
            config = self._body.config
            self._body.layers = self._body.layers[frozen:]
            config.num_hidden_layers = len(self._body.layers)
            if getattr(config, "layer_types", None):
                config.layer_types = config.layer_types[frozen:]
            rest = lay_out([text], np.zeros(1, dtype=np.int64), states, trees=False, **self._where)
            found = self._final(rest).float()
        if not bool((found - expected).norm() < _SAME * expected.norm()):
            raise ModelError(f"{self.spec.model} cannot be continued from cached states; use frozen_blocks=0")

    def _prepare_learning(self) -> None:
        self._body.requires_grad_(False)
        self._pretrained: dict[str, Tensor] = {}
        if self.spec.mode == "lora":
            self._adapters = adapt(self._body.layers, self.spec.rank, self.spec.alpha)
            return
        self._body.layers.requires_grad_(True)
        self._body.norm.requires_grad_(True)
        if not self.spec.frozen_blocks:
            self._body.embed_tokens.requires_grad_(True)
        self._pretrained = {
            name: value.detach().to("cpu", copy=True)
            for name, value in self._body.named_parameters()
            if value.requires_grad
        }


def _load(spec: FineTuneSpec, cache_dir: Path, report: Report) -> LoadedModel:
    device = choose_device()
    attention = _ATTENTION.get(device.type, "sdpa")
    return load(spec.model, cache_dir=cache_dir, device=device, attention=attention, report=report)
