"""Reading method code: what a snapshot is, one of its files, and how two differ."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from django.db.models import F, Func, Prefetch, TextField, Value

from experiments.errors import NotFound
from experiments.snapshots.diffs import Difference, compare
from experiments.snapshots.models import Snapshot

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class FileFacts:
    """One file without its text. digest: SHA-256 of its bytes."""

    path: str
    size_bytes: int
    n_lines: int
    digest: str


def snapshot_detail(snapshot_id: int) -> Snapshot:
    """The row with its files, submitter and parents. Raises: NotFound."""
    rows = Snapshot.objects.select_related("submitter").prefetch_related(
        Prefetch("parents", Snapshot.objects.only("pk", "digest").order_by("pk"))
    )
    return _one(rows.filter(pk=snapshot_id).first(), snapshot_id)


def children_of(snapshot_id: int, limit: int = 200) -> list[int]:
    """Ids of the snapshots that started from this one, oldest first."""
    rows = Snapshot.objects.filter(parents=snapshot_id).order_by("pk")
    return list(rows.values_list("pk", flat=True)[:limit])


def file_facts(snapshot: Snapshot) -> list[FileFacts]:
    """Its files, sorted by path."""
    return [
        FileFacts(path, len(data), text.count("\n") + bool(text and not text.endswith("\n")), _sha256(data))
        for path, text in sorted(snapshot.files.items())
        for data in [text.encode()]
    ]


def file_text(snapshot_id: int, path: str) -> str:
    """The text of one file; only that file leaves the database. Raises: NotFound."""
    # not Django's key lookup, which reads the name "0" as the place in a list
    text = Func(F("files"), Value(path), function="jsonb_extract_path_text", output_field=TextField())
    found = Snapshot.objects.filter(pk=snapshot_id).values_list(text, flat=True).first() if "\0" not in path else None
    if found is None:
        raise NotFound(f"there is no file {path!r} in snapshot {snapshot_id}")
    return str(found)


def files_of(snapshot_id: int) -> dict[str, str]:
    """The whole tree, path -> text. Raises: NotFound."""
    files = Snapshot.objects.filter(pk=snapshot_id).values_list("files", flat=True).first()
    return dict(_one(files, snapshot_id))


def difference(before_id: int, after_id: int) -> Sequence[Difference]:
    """What changed from one snapshot to another, file by file. Raises: NotFound."""
    return compare(files_of(before_id), files_of(after_id))


def _one(row: Row | None, snapshot_id: int) -> Row:
    if row is None:
        raise NotFound(f"there is no snapshot {snapshot_id}")
    return row


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
