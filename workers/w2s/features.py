"""The feature cache: hidden states and likelihoods of texts, computed once per content and mapped ever after.

    cache_dir/features/KEY/layer-20.safetensors     "states": (n, d) bfloat16
    cache_dir/features/KEY/likelihood.safetensors   "log_likelihood": (n,) float32
    cache_dir/features/KEY/entry.json               what the entry is, for people
    cache_dir/features/KEY/parts-WANTED/0003.safetensors   shards of an extraction under way
    cache_dir/features/KEY.lock                     held by the process that extracts

KEY is a digest of everything that could change a number, so a stale result cannot be loaded. Files appear by renaming,
so whatever exists is whole; after a kill -9 the next process goes on with the first missing shard.
"""

import hashlib
import json
import os
import shutil
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import filelock
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from workers.w2s.checkpoints import identify
from workers.w2s.forward import text_outputs
from workers.w2s.models import LoadedModel, choose_device, compute_dtype, load
from workers.w2s.spec import ModelSpec, Progress, Report, silent
from workers.w2s.texts import TEMPLATE, Text, encode

EXTRACTOR = "1"  # part of every key: raise it when extraction changes what it computes
POOLING = "last"
SHARD_TEXTS = 1024  # about two seconds of SmolLM2-135M on two cores: what a kill can cost

_LIKELIHOOD = "likelihood"


@dataclass(frozen=True, eq=False)
class TextFeatures:
    """What the cache holds about some texts, as read-only views of its files.

    states: layer -> (n, d) bfloat16, rows in the order of `rows`. log_likelihood: (n,) float32 nats, or None.
    rows: where each text stands. key: the content key.
    """

    states: Mapping[int, Tensor]
    log_likelihood: Tensor | None
    rows: Mapping[Text, int]
    key: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One key of the cache, as `entries` lists them. seconds_unused: since it was last opened."""

    key: str
    model: str
    texts: int
    files: tuple[str, ...]
    size_bytes: int
    seconds_unused: float
    unfinished: bool


def text_features(
    model: ModelSpec,
    texts: Collection[Text],
    *,
    layers: Collection[int],
    likelihood: bool = False,
    cache_dir: Path,
    report: Report = silent,
) -> TextFeatures:
    """States at the last token of each distinct text, and its answer's log-likelihood if asked; extracted once.

    layers: of the whole model, 0 to its depth; an early exit in `model` changes nothing but what is loaded.
    Two processes that ask for the same do the work once: the second waits for the lock, then maps the files.
    Raises: models.ModelError, checkpoints.CheckpointMissing.
    """
    distinct = sorted(set(texts))
    identity = identify(model.whole, cache_dir=cache_dir, report=report)
    dtype = compute_dtype(choose_device())
    key = content_key(distinct, weights=identity.weights, tokenizer=identity.tokenizer, dtype=dtype)
    folder = cache_dir / "features" / key
    wanted = [_layer_name(layer) for layer in sorted(set(layers))] + ([_LIKELIHOOD] if likelihood else [])
    if not _has(folder, wanted):
        folder.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(f"{folder}.lock"):
            missing = [name for name in wanted if not _has(folder, [name])]
            if missing:
                _extract(_Job(model.whole, distinct, missing, identity.depth, dtype, folder), cache_dir, report)
    os.utime(folder)  # what `collect` takes for the time of the last use
    return TextFeatures(
        {layer: _map(folder / f"{_layer_name(layer)}.safetensors", "states") for layer in sorted(set(layers))},
        _map(folder / f"{_LIKELIHOOD}.safetensors", "log_likelihood") if likelihood else None,
        {text: row for row, text in enumerate(distinct)},
        key,
    )


def content_key(texts: Sequence[Text], *, weights: str, tokenizer: str, dtype: torch.dtype) -> str:
    """Digest of everything an extraction depends on, except the layer, which names the file."""
    hasher = hashlib.sha256("\n".join([weights, tokenizer, TEMPLATE, str(dtype), POOLING, EXTRACTOR, ""]).encode())
    for text in texts:
        hasher.update(hashlib.sha1(json.dumps([text.prefix, text.answer]).encode(), usedforsecurity=False).digest())
    return hasher.hexdigest()[:40]


def entries(cache_dir: Path) -> list[Entry]:
    """Everything in the cache, the entry used last first."""
    found = []
    for description in (cache_dir / "features").glob("*/entry.json"):
        folder = description.parent
        about = json.loads(description.read_text())
        inside = [path for path in folder.rglob("*") if path.is_file()]
        found.append(
            Entry(
                folder.name,
                about["model"],
                about["texts"],
                tuple(sorted(path.stem for path in folder.glob("*.safetensors"))),
                sum(path.stat().st_size for path in inside),
                max(0.0, time.time() - folder.stat().st_mtime),
                any(folder.glob("parts-*")),
            )
        )
    return sorted(found, key=lambda entry: entry.seconds_unused)


def collect(cache_dir: Path, *, unused_seconds: float) -> list[Entry]:
    """Delete entries that nobody opened for so long, and what killed extractions left behind. Returns: the deleted.

    An entry whose lock is held is being extracted, and stays.
    """
    deleted = []
    for entry in entries(cache_dir):
        folder = cache_dir / "features" / entry.key
        with _free(folder) as free:
            if free and entry.seconds_unused >= unused_seconds:
                shutil.rmtree(folder)
                deleted.append(entry)
            elif free:
                _sweep(folder)
    return deleted


@contextmanager
def _free(folder: Path) -> Iterator[bool]:
    """Hold the entry's lock if nobody else does. Lock files stay: deleting one would let two processes in."""
    lock = filelock.FileLock(f"{folder}.lock")
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


@dataclass(frozen=True, slots=True)
class _Job:
    """Files of one key that have to be computed. names: "layer-20", "likelihood"."""

    model: ModelSpec
    texts: Sequence[Text]
    names: Sequence[str]
    depth: int
    dtype: torch.dtype
    folder: Path

    @property
    def shortest(self) -> ModelSpec:
        """The model cut off after the deepest layer that is read: what lies above would be computed for nothing."""
        deepest = self.depth if _LIKELIHOOD in self.names else max(self.layers.values())
        return self.model if deepest >= self.depth else replace(self.model, layers=max(deepest, 1))

    @property
    def layers(self) -> dict[str, int]:
        """Name of the file to layer."""
        return {name: int(name.removeprefix("layer-")) for name in self.names if name != _LIKELIHOOD}


def _extract(job: _Job, cache_dir: Path, report: Report) -> None:
    """Compute the files shard by shard, going on after the shards that exist; the caller holds the lock."""
    parts = job.folder / ("parts-" + "+".join(job.names))
    _sweep(job.folder, keep=parts)
    about = {"model": str(job.model), "texts": len(job.texts), "dtype": str(job.dtype), "template": TEMPLATE}
    _replace(job.folder / "entry.json", json.dumps(about | {"extractor": EXTRACTOR}).encode())
    parts.mkdir(exist_ok=True)
    stage, total = f"hidden states of {job.model}", len(job.texts)
    loaded: LoadedModel | None = None
    shards = [parts / f"{number:04d}.safetensors" for number in range(-(-total // SHARD_TEXTS))]
    for number, shard in enumerate(shards):
        start, stop = number * SHARD_TEXTS, min((number + 1) * SHARD_TEXTS, total)
        if not shard.exists():
            report(Progress(stage, start, total))
            if loaded is None:
                loaded = load(job.shortest, cache_dir=cache_dir, dtype=job.dtype, report=report)
            _save(shard, _compute(loaded, job, job.texts[start:stop]))
        report(Progress(stage, stop, total))
    computed = [load_file(shard) for shard in shards]
    for name in job.names:
        tensor = torch.cat([shard[name] for shard in computed])
        _save(job.folder / f"{name}.safetensors", {"log_likelihood" if name == _LIKELIHOOD else "states": tensor})
    shutil.rmtree(parts)


def _sweep(folder: Path, *, keep: Path | None = None) -> None:
    """Remove what killed processes left in an entry whose lock is held here."""
    for leftover in folder.glob("**/*.tmp-*"):
        leftover.unlink()
    for parts in folder.glob("parts-*"):
        if parts != keep:
            shutil.rmtree(parts)


def _compute(loaded: LoadedModel, job: _Job, texts: Sequence[Text]) -> dict[str, Tensor]:
    outputs = text_outputs(
        loaded,
        encode(loaded.tokenizer, texts),
        layers=list(job.layers.values()),
        likelihood=_LIKELIHOOD in job.names,
    )
    tensors = {name: outputs.states[layer] for name, layer in job.layers.items()}
    if outputs.log_likelihood is not None:
        tensors[_LIKELIHOOD] = outputs.log_likelihood
    return tensors


def _has(folder: Path, names: Sequence[str]) -> bool:
    return all((folder / f"{name}.safetensors").is_file() for name in names)


def _layer_name(layer: int) -> str:
    return f"layer-{layer:02d}"


def _map(path: Path, name: str) -> Tensor:
    with safe_open(path, framework="pt") as file:
        tensor: Tensor = file.get_tensor(name)
    return tensor


def _save(path: Path, tensors: dict[str, Tensor]) -> None:
    """Write under another name, flush to the disk, rename: a file of this name is always whole."""
    partial = path.with_name(f"{path.name}.tmp-{os.getpid()}")
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, partial)
    with partial.open("rb") as stream:
        os.fsync(stream.fileno())
    partial.chmod(0o644)  # safetensors writes 0600; a sandbox may read as somebody else
    partial.rename(path)


def _replace(path: Path, content: bytes) -> None:
    partial = path.with_name(f"{path.name}.tmp-{os.getpid()}")
    partial.write_bytes(content)
    partial.rename(path)
