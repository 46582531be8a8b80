"""Deletes what fine-tuning and elicitation keep in the cache folder, once nobody has used it for long enough."""

import contextlib
import time
from pathlib import Path

import filelock

_KEPT = ("token-states/*.safetensors", "finetuned/*.safetensors", "finetuned/*.unfinished", "finetuned/*.npy")
_ANSWERS = "elicited/*.npy"
_PARTIAL = ("token-states/*.tmp-*", "finetuned/*.tmp-*", "elicited/*.tmp-*")
_ABANDONED_SECONDS = 3600  # no file takes that long to be written


def collect_leftovers(cache_dir: Path, *, unused_seconds: float) -> list[tuple[Path, int]]:
    """Delete token states, trained weights, checkpoints and answers unused for so long, and half-written files.

    What a process holds the lock of stays. Returns: path and size in bytes of each file deleted.
    """
    deleted = []
    for pattern in (*_KEPT, _ANSWERS):
        deleted += [_delete(path) for path in _older(cache_dir, pattern, unused_seconds) if _free(path)]
    for pattern in _PARTIAL:
        deleted += [_delete(path) for path in _older(cache_dir, pattern, _ABANDONED_SECONDS)]
    return deleted


def _older(cache_dir: Path, pattern: str, seconds: float) -> list[Path]:
    now = time.time()
    return [path for path in sorted(cache_dir.glob(pattern)) if now - path.stat().st_mtime >= seconds]


def _free(path: Path) -> bool:
    """Whether nobody computes this file; a checkpoint is under the lock of the weights it will become."""
    lock = path.with_suffix(".safetensors.lock") if path.suffix == ".unfinished" else Path(f"{path}.lock")
    if not lock.is_file():
        return True
    with contextlib.suppress(filelock.Timeout), filelock.FileLock(lock, timeout=0):
        return True
    return False


def _delete(path: Path) -> tuple[Path, int]:
    size = path.stat().st_size
    path.unlink()
    return path, size
