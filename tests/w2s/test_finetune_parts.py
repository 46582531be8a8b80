"""Adapters, schedule, optimiser and batches of fine-tuning, against numbers worked out by hand."""

import numpy as np
import pytest
import torch
from torch import nn

from workers.w2s.finetune.adapters import Adapted, adapt
from workers.w2s.finetune.batches import draw_batches, lay_out
from workers.w2s.finetune.reading import TokenStates
from workers.w2s.finetune.spec import FineTuneSpec
from workers.w2s.finetune.training import MasterAdam
from workers.w2s.spec import ModelSpec
from workers.w2s.texts import Encoded

CPU = {"device": torch.device("cpu"), "dtype": torch.float32}
SPEC = FineTuneSpec(model=ModelSpec("hf", "tiny/llama"))


def test_an_adapter_adds_its_scaled_low_rank_map_to_the_frozen_one() -> None:
    base = nn.Linear(2, 2, bias=False)
    base.weight.data = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    adapter = Adapted(base, rank=4, alpha=8.0)  # scale 8 / sqrt(4) = 4
    x = torch.tensor([[3.0, 5.0]])
    adapter.reset(torch.Generator().manual_seed(0))
    assert adapter(x).tolist() == [[3, 10]]  # B = 0: the model as it was
    adapter.down.data = torch.tensor([[1.0, 1.0], [0, 0], [0, 0], [0, 0]])
    adapter.up.data = torch.tensor([[0.5, 0, 0, 0], [0, 0, 0, 0]])
    assert adapter(x).tolist() == [[3 + 4 * 0.5 * 8, 10]]
    assert not base.weight.requires_grad


def test_adapters_start_uniform_within_one_over_the_root_of_the_width() -> None:
    adapter = Adapted(nn.Linear(100, 7), rank=32, alpha=32)
    adapter.reset(torch.Generator().manual_seed(3))
    drawn = adapter.down.detach()
    assert 0.095 < drawn.abs().max() <= 0.1
    adapter.reset(torch.Generator().manual_seed(3))
    assert torch.equal(drawn, adapter.down)


def test_every_linear_map_gets_an_adapter() -> None:
    module = nn.Sequential(nn.Linear(2, 3), nn.ModuleDict({"inner": nn.Linear(3, 3), "norm": nn.LayerNorm(3)}))
    assert [adapter.base.in_features for adapter in adapt(module, 2, 2.0)] == [2, 3]
    assert isinstance(module[1]["inner"], Adapted)


def test_the_rate_rises_for_a_tenth_of_the_steps_and_falls_to_zero() -> None:
    shares = [SPEC.rate_share(step, 20) for step in range(20)]
    assert shares[:3] == [0.5, 1.0, 1.0]
    np.testing.assert_allclose(shares[2:], np.arange(18, 0, -1) / 18)


def test_a_step_of_adam_moves_each_weight_by_the_rate_and_the_head_by_its_own() -> None:
    parameters = {"head": nn.Parameter(torch.zeros(2)), "w": nn.Parameter(torch.zeros(2))}
    adam = MasterAdam(parameters, FineTuneSpec(model=SPEC.model, learning_rate=0.1, head_learning_rate=0.2))
    for value in parameters.values():
        value.grad = torch.tensor([3.0, -4.0])
    adam.step(0.5)  # first step of Adam: the sign of the gradient times the rate
    np.testing.assert_allclose(parameters["head"].detach(), [-0.1, 0.1], rtol=1e-5)
    np.testing.assert_allclose(parameters["w"].detach(), [-0.05, 0.05], rtol=1e-5)


def test_long_gradients_are_cut_to_the_limit() -> None:
    parameters = {"w": nn.Parameter(torch.zeros(2))}
    adam = MasterAdam(parameters, SPEC)
    parameters["w"].grad = torch.tensor([30.0, 40.0])
    adam.step(1.0)
    first = adam.state()["first moment of w"]  # (1 − β1) g, g cut to norm 1
    np.testing.assert_allclose(first, [0.06, 0.08], rtol=1e-4)


def test_steps_too_small_for_bfloat16_add_up_in_the_master_copy() -> None:
    parameters = {"w": nn.Parameter(torch.ones(1, dtype=torch.bfloat16))}  # next smaller value: 0.99609375
    adam = MasterAdam(parameters, FineTuneSpec(model=SPEC.model, learning_rate=1e-3))
    seen = []
    for _ in range(4):
        parameters["w"].grad = torch.ones(1, dtype=torch.bfloat16)
        adam.step(1.0)
        seen.append(parameters["w"].item())
    assert seen[0] == 1.0
    assert seen[-1] == 0.99609375


def test_an_epoch_shows_each_item_once_in_an_order_of_the_seed() -> None:
    items, lengths = np.arange(5, 55), np.arange(60) % 7
    batches = draw_batches(items, lengths, size=8, epochs=2, seed=3)
    assert [len(batch) for batch in batches].count(8) == 12
    assert len(batches) == 14
    for epoch in (batches[:7], batches[7:]):
        assert sorted(np.concatenate(epoch)) == list(items)
    again = draw_batches(items, lengths, size=8, epochs=2, seed=3)
    assert all(np.array_equal(one, other) for one, other in zip(batches, again, strict=True))
    other = draw_batches(items, lengths, size=8, epochs=2, seed=4)
    assert any(not np.array_equal(one, two) for one, two in zip(batches, other, strict=True))
    assert max(np.ptp(lengths[batch]) for batch in batches) <= 2  # like meets like


TEXTS = [Encoded((1, 2, 3), 2), Encoded((1, 2, 4, 5), 2), Encoded((9,), 1)]


def test_padded_texts_stand_one_a_row() -> None:
    batch = lay_out(TEXTS, np.array([1, 2]), None, trees=False, **CPU)
    assert batch.ids.tolist() == [[1, 2, 4, 5], [9, 0, 0, 0]]
    assert batch.ends.tolist() == [3, 4]
    assert batch.mask is None
    assert batch.positions is None


def test_trees_hold_a_shared_beginning_once_and_hide_the_branches_from_each_other() -> None:
    batch = lay_out(TEXTS, np.array([0, 1]), None, trees=True, **CPU)
    assert batch.ids.tolist() == [[1, 2, 3, 4, 5]]
    assert batch.positions.tolist() == [[0, 1, 2, 2, 3]]
    assert batch.ends.tolist() == [2, 4]
    seen = (batch.mask[0, 0] == 0).int().tolist()
    assert seen == [[1, 0, 0, 0, 0], [1, 1, 0, 0, 0], [1, 1, 1, 0, 0], [1, 1, 0, 1, 0], [1, 1, 0, 1, 1]]


@pytest.mark.parametrize("trees", [False, True])
def test_cached_states_stand_where_their_tokens_stand(trees: bool) -> None:
    starts = np.array([0, 3, 7])
    flat = torch.arange(8.0)[:, None].to(torch.bfloat16)
    batch = lay_out(TEXTS, np.array([1, 2]), TokenStates(flat, starts), trees=trees, **CPU)
    states = batch.states.flatten(0, 1)[:, 0]
    assert states[batch.ends].tolist() == [6, 7]
    first = batch.ids.flatten().tolist().index(1)
    assert states[first : first + 4].tolist() == [3, 4, 5, 6]
