"""Hidden labels in a storage of their own; only scoring.py imports this, only evaluation workers open it.

One file per benchmark and kind ("labels", "baselines"), named by its content. The row keeps path and digest, and
every read checks them: a file that was changed, swapped or lost is refused, never scored against.
"""

import hashlib
import io
import threading
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.core.files.base import ContentFile
from django.core.files.storage import Storage, storages
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[Any]]

_opened = threading.Event()  # of this process; closed until it says that it scores


class GroundTruthError(Exception):
    """Labels that are gone, were changed, or may not be read; the message says which, and holds none of them.

    A storage that is away for a while raises OSError instead: whoever waits for a score waits a little longer.
    """


@dataclass(frozen=True, slots=True)
class Sealed:
    """Where arrays lie and the SHA-256 of their file, as the benchmark's row keeps it."""

    path: str
    digest: str


def open_here() -> None:
    """Declare that this process scores. Web and gpu processes never call it, so that a stray read fails there."""
    _opened.set()


def write(slug: str, kind: str, arrays: Arrays) -> Sealed:
    """Store arrays under a name that holds their digest; writing the same again changes nothing."""
    _check_opened()
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    content = buffer.getvalue()
    digest = hashlib.sha256(content).hexdigest()
    path = f"{slug}/{kind}-{digest[:16]}.npz"
    storage = _storage()
    if storage.exists(path):
        if _digest_at(path) == digest:
            return Sealed(path, digest)
        storage.delete(path)  # half-written by a process that was killed
    return Sealed(storage.save(path, ContentFile(content)), digest)


def read(sealed: Sealed) -> dict[str, NDArray[Any]]:
    """The arrays of one file. Raises: GroundTruthError if it is missing, was changed, or this process may not."""
    _check_opened()
    content = _content(sealed.path)
    if hashlib.sha256(content).hexdigest() != sealed.digest:
        raise GroundTruthError(
            f"ground truth {sealed.path} is not what was stored (its SHA-256 differs): nothing is scored against it"
        )
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except (ValueError, OSError, zipfile.BadZipFile) as error:
        raise GroundTruthError(f"ground truth {sealed.path} cannot be read") from error


def _digest_at(path: str) -> str:
    return hashlib.sha256(_content(path)).hexdigest()


def _content(path: str) -> bytes:
    try:
        with _storage().open(path) as file:
            return bytes(file.read())
    except FileNotFoundError as error:
        raise GroundTruthError(f"ground truth {path} is missing: is GROUND_TRUTH_DIR the place it was kept?") from error


def _storage() -> Storage:
    return storages["ground_truth"]


def _check_opened() -> None:
    if not _opened.is_set():
        raise GroundTruthError("ground truth is closed in this process: only evaluation workers open it")
