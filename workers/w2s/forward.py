"""Runs texts through a model and collects hidden states and the likelihoods of answers.

The state of index k is the residual stream after k blocks (0: the embeddings), except that index `depth`, after the
last block of the whole model, is the state after the final norm. So it is what transformers calls `hidden_states[k]`,
and it is the same whether or not the model stops early.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import transformers
from numpy.typing import NDArray
from torch import Tensor

from workers.w2s.models import LoadedModel, ModelError
from workers.w2s.texts import Encoded
from workers.w2s.trie import pack, shared_beginning

# Nodes of one tree: attention grows with the square of it, repeated beginnings shrink with it. Of 128 to 1,024, 256 was
# the fastest on two Zen 3 cores by a little (float32, SmolLM2-135M, sdpa; eager was a few per cent slower).
PACK_NODES = 256
# Longer texts share too little of their length for a dense mask to pay.
LONGEST_PACKED = 512
# A beginning of all texts (demonstrations) that is at least this long is computed once, not once a pack.
SHORTEST_SHARED = 16
# Tokens of one forward pass: enough to keep the matrix units busy, little enough for the memory.
_TOKENS_PER_PASS = {"cpu": 1024, "cuda": 16384}
_HEAD_ROWS = 128  # rows of logits at a time: 25 MB for a vocabulary of 49,152

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class TextOutputs:
    """What a model makes of n texts.

    states: layer to (n, d) bfloat16, the state at each text's last token.
    log_likelihood: (n,) float32, sum of log P(token | all before it) over the answer's tokens, in nats; or None.
    """

    states: dict[int, Tensor]
    log_likelihood: Tensor | None


def text_outputs(
    loaded: LoadedModel,
    texts: Sequence[Encoded],
    *,
    layers: Sequence[int],
    likelihood: bool,
    packed: bool | None = None,
) -> TextOutputs:
    """States at the last token, and if asked the answer's log-likelihood, of every text.

    packed: share common beginnings; None to find out whether the model can.
    Raises: ModelError for a layer after the model's last, or a text longer than it can read.
    """
    _check(loaded, texts, layers)
    width = loaded.identity.width
    states = {layer: torch.empty(len(texts), width, dtype=torch.bfloat16) for layer in layers}
    scores = torch.zeros(len(texts)) if likelihood else None
    with torch.inference_mode():
        for batch in _batches(loaded, texts, packed):
            ends = batch.nodes([path[-1:] for path in batch.paths])
            with _collect(loaded, layers, ends) as collected:
                final = batch.run(loaded)
            for layer in layers:
                states[layer][batch.texts] = collected[layer].to("cpu", torch.bfloat16)
            if scores is not None:
                _score(loaded, texts, batch, final, scores)
    return TextOutputs(states, scores)


def token_states(
    loaded: LoadedModel, texts: Sequence[Encoded], *, layer: int, packed: bool | None = None
) -> list[Tensor]:
    """The state of every token at one layer: per text (its tokens, d) bfloat16. Raises: as `text_outputs`."""
    _check(loaded, texts, [layer])
    states: list[Tensor] = [torch.empty(0)] * len(texts)
    with torch.inference_mode():
        for batch in _batches(loaded, texts, packed, share=False):
            with _collect(loaded, [layer], batch.nodes(batch.paths)) as collected:
                batch.run(loaded)
            parts = torch.split(collected[layer].to("cpu", torch.bfloat16), [len(path) for path in batch.paths])
            for text, part in zip(batch.texts, parts, strict=True):
                states[text] = part.clone()
    return states


@dataclass(frozen=True, eq=False)
class _Batch:
    """Rows for one forward pass, and where the texts lie in them.

    ids: (b, t) token ids. positions: (b, t), and mask: (b, 1, t, s + t) additive, or both None if rows are plain texts.
    texts: which texts; rows: in which row each; paths: at which nodes of its row, from token `skip` to the last.
    past: keys and values of the s = `skip` first tokens, which all texts share; per block a pair (1, heads, s, head).
    """

    ids: Tensor
    positions: Tensor | None
    mask: Tensor | None
    texts: list[int]
    rows: list[int]
    paths: list[NDArray[np.int64]]
    skip: int = 0
    past: Sequence[tuple[Tensor, Tensor]] = ()

    def nodes(self, paths: Sequence[NDArray[np.int64]]) -> Tensor:
        """Paths, one a text, as indices into the flattened (b * t) nodes, one after the other."""
        length = self.ids.shape[1]
        flat = [row * length + path for row, path in zip(self.rows, paths, strict=True)]
        return torch.from_numpy(np.concatenate(flat)).to(self.ids.device)

    def run(self, loaded: LoadedModel) -> Tensor:
        """Forward pass. Returns: (b, t, d), after the final norm."""
        cache = None
        if self.skip:
            many = self.ids.shape[0]
            cache = transformers.DynamicCache(
                [(key.expand(many, -1, -1, -1), value.expand(many, -1, -1, -1)) for key, value in self.past]
            )
        output = loaded.model.model(
            self.ids,
            attention_mask=self.mask,
            position_ids=self.positions,
            past_key_values=cache,
            use_cache=cache is not None,
        )
        hidden: Tensor = output.last_hidden_state
        return hidden


def _batches(
    loaded: LoadedModel, texts: Sequence[Encoded], packed: bool | None, *, share: bool = True
) -> Iterator[_Batch]:
    """Short texts as trees, the others (or all, if the model cannot) padded to the length of their neighbours."""
    longest = min(LONGEST_PACKED, _window(loaded))
    short = [i for i, text in enumerate(texts) if len(text.tokens) <= longest]
    if packed is None:
        packed = len(short) > 1 and takes_trees(loaded)
    if packed and short:
        yield from _tree_batches(loaded, texts, short, share)
    padded = sorted(set(range(len(texts))) - set(short)) if packed else list(range(len(texts)))
    yield from _padded_batches(loaded, texts, padded)


def _tree_batches(loaded: LoadedModel, texts: Sequence[Encoded], chosen: list[int], share: bool) -> Iterator[_Batch]:
    sequences = [texts[i].tokens for i in chosen]
    # The last token of a prefix predicts the answer's first, so it must be a node of the tree.
    skip = min(shared_beginning(sequences), min(texts[i].prefix for i in chosen) - 1)
    skip = skip if share and skip >= SHORTEST_SHARED else 0
    past = _keys_and_values(loaded, sequences[0][:skip]) if skip else ()
    packs = pack(sequences, budget=PACK_NODES, skip=skip)
    packs.sort(key=lambda one: len(one.tokens))
    for group in _grouped([len(one.tokens) for one in packs], _tokens_per_pass(loaded.device)):
        members = [packs[i] for i in group]
        length = len(members[-1].tokens)
        ids = np.zeros((len(members), length), dtype=np.int64)
        positions = np.zeros_like(ids)
        visible = np.zeros((len(members), length, skip + length), dtype=np.bool_)
        visible[:, :, :skip] = True
        visible[:, np.arange(length), skip + np.arange(length)] = True  # padding sees itself: no empty softmax
        for row, one in enumerate(members):
            nodes = len(one.tokens)
            ids[row, :nodes], positions[row, :nodes] = one.tokens, one.positions
            visible[row, :nodes, skip : skip + nodes] = one.visible()
        barred = torch.finfo(loaded.dtype).min
        mask = torch.zeros(visible.shape, dtype=loaded.dtype).masked_fill_(~torch.from_numpy(visible), barred)
        yield _Batch(
            torch.from_numpy(ids).to(loaded.device),
            torch.from_numpy(positions).to(loaded.device),
            mask[:, None].to(loaded.device),
            [chosen[text] for one in members for text in one.texts],
            [row for row, one in enumerate(members) for _ in one.texts],
            [path for one in members for path in one.paths],
            skip,
            past,
        )


def _padded_batches(loaded: LoadedModel, texts: Sequence[Encoded], chosen: list[int]) -> Iterator[_Batch]:
    """Plain texts, sorted by length. What stands to the right of a token is hidden from it: padding needs no mask."""
    chosen = sorted(chosen, key=lambda i: len(texts[i].tokens))
    for group in _grouped([len(texts[i].tokens) for i in chosen], _tokens_per_pass(loaded.device)):
        members = [chosen[i] for i in group]
        ids = np.zeros((len(members), len(texts[members[-1]].tokens)), dtype=np.int64)
        for row, text in enumerate(members):
            ids[row, : len(texts[text].tokens)] = texts[text].tokens
        paths = [np.arange(len(texts[text].tokens)) for text in members]
        yield _Batch(torch.from_numpy(ids).to(loaded.device), None, None, members, list(range(len(members))), paths)


def _grouped(lengths: Sequence[int], budget: int) -> Iterator[range]:
    """Runs of neighbours, ascending by length, whose padded size keeps within the budget (one is always allowed)."""
    start = 0
    for stop in range(1, len(lengths) + 1):
        if stop == len(lengths) or (stop + 1 - start) * lengths[stop] > budget:
            yield range(start, stop)
            start = stop


def _keys_and_values(loaded: LoadedModel, tokens: Sequence[int]) -> list[tuple[Tensor, Tensor]]:
    """What later tokens attend to in the given ones: per block a pair (1, heads, s, head)."""
    cache: Any = transformers.DynamicCache()
    loaded.model.model(torch.tensor([tokens], device=loaded.device), past_key_values=cache, use_cache=True)
    return [(layer.keys, layer.values) for layer in cache.layers]


@contextmanager
def _collect(loaded: LoadedModel, layers: Sequence[int], nodes: Tensor) -> Iterator[dict[int, Tensor]]:
    """While open, keep the states of the given flattened nodes at the given layers: layer to (nodes, d)."""
    collected: dict[int, Tensor] = {}
    body = loaded.model.model

    def keep(layer: int, hidden: Tensor) -> None:
        collected[layer] = hidden.reshape(-1, hidden.shape[-1]).index_select(0, nodes)

    def after(layer: int) -> Any:
        return lambda module, args, output: keep(layer, output[0] if isinstance(output, tuple) else output)

    def before_first(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        keep(0, args[0] if args else kwargs["hidden_states"])

    handles = []
    for layer in layers:
        if layer == 0:
            handles.append(body.layers[0].register_forward_pre_hook(before_first, with_kwargs=True))
        else:
            module = body.norm if layer == loaded.identity.depth else body.layers[layer - 1]
            handles.append(module.register_forward_hook(after(layer)))
    try:
        yield collected
    finally:
        for handle in handles:
            handle.remove()


def _score(loaded: LoadedModel, texts: Sequence[Encoded], batch: _Batch, final: Tensor, scores: Tensor) -> None:
    """Add to `scores` the log-probability of each answer token; each predicting node's logits are computed once."""
    predicting: list[NDArray[np.int64]] = []
    targets: list[int] = []
    owners: list[int] = []
    for text, path in zip(batch.texts, batch.paths, strict=True):
        encoded = texts[text]
        predicting.append(path[encoded.prefix - 1 - batch.skip : -1])
        targets.extend(encoded.tokens[encoded.prefix :])
        owners.extend([text] * (len(encoded.tokens) - encoded.prefix))
    if not targets:
        return
    nodes, which = torch.unique(batch.nodes(predicting), return_inverse=True)
    hidden = final.reshape(-1, final.shape[-1]).index_select(0, nodes)
    order = torch.argsort(which)
    target, owner, which = torch.tensor(targets)[order.cpu()], torch.tensor(owners)[order.cpu()], which[order]
    for start in range(0, len(nodes), _HEAD_ROWS):
        logits = loaded.model.lm_head(hidden[start : start + _HEAD_ROWS]).float()  # (rows, vocabulary)
        first, last = torch.searchsorted(which, torch.tensor([start, start + _HEAD_ROWS], device=which.device)).tolist()
        row = which[first:last] - start
        chosen = logits[row, target[first:last].to(logits.device)] - logits.logsumexp(dim=1)[row]
        scores.index_add_(0, owner[first:last], chosen.cpu())


def takes_trees(loaded: LoadedModel) -> bool:
    """Whether the model honours custom masks and positions: tried out on two short texts, not looked up in a list."""
    vocabulary = int(loaded.model.config.get_text_config().vocab_size)
    tokens = [1 + (7 * i) % (vocabulary - 1) for i in range(SHORTEST_SHARED + 4)]
    texts = [
        Encoded((*tokens, 1, 2), len(tokens) + 1),
        Encoded((*tokens, 2, 1, 2), len(tokens) + 1),
        Encoded((*tokens, 2, 2), len(tokens) + 1),
    ]
    layer = loaded.blocks
    plain = text_outputs(loaded, texts, layers=[layer], likelihood=False, packed=False).states[layer].float()
    try:
        tree = text_outputs(loaded, texts, layers=[layer], likelihood=False, packed=True).states[layer].float()
    except (TypeError, ValueError, RuntimeError, AttributeError, NotImplementedError) as error:
        log.warning("%s takes no custom attention masks, texts are padded: %s", loaded.spec, error)
        return False
    # bfloat16 rounding stays under 3 % of the norm; a token seen too many or too few is far above it
    same = bool(((tree - plain).norm(dim=1) < 0.03 * plain.norm(dim=1)).all())
    if not same:
        log.warning("%s ignores custom attention masks, texts are padded", loaded.spec)
    return same


def _check(loaded: LoadedModel, texts: Sequence[Encoded], layers: Sequence[int]) -> None:
    for layer in layers:
        if not 0 <= layer <= loaded.blocks:
            raise ModelError(f"{loaded.spec}: no layer {layer}, the model stops after {loaded.blocks}")
    reach = getattr(loaded.model.config.get_text_config(), "max_position_embeddings", None)
    longest = max((len(text.tokens) for text in texts), default=0)
    if reach is not None and longest > reach:
        raise ModelError(f"{loaded.spec} reads {reach} tokens, a text has {longest}")


def _window(loaded: LoadedModel) -> int:
    """Length up to which every block of the model sees the whole text."""
    return getattr(loaded.model.config.get_text_config(), "sliding_window", None) or LONGEST_PACKED


def _tokens_per_pass(device: torch.device) -> int:
    return _TOKENS_PER_PASS.get(device.type, _TOKENS_PER_PASS["cpu"])
