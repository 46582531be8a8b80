"""Writes a campaign as one tar.gz: tables to a scratch folder first, because the manifest with their digests leads."""

import gzip
import hashlib
import io
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from django.db import connection, transaction

from experiments.archives.columns import Row
from experiments.archives.folders import scratch_folder
from experiments.archives.layout import (
    ABOUT,
    FORMAT,
    MANIFEST,
    README,
    VERSION,
    content_digest,
    csv_lines,
    jsonl_line,
    manifest_bytes,
)
from experiments.archives.models import ImportedCampaign
from experiments.archives.redaction import redactor
from experiments.archives.tables import Names, Scope, Table, collect, described, stranger, tables

CHUNK = 500


class Scratch:
    """Files of an archive that is being made, with size and SHA-256."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.files: dict[str, dict[str, Any]] = {}

    def path(self, name: str) -> Path:
        """Where a file lies; its own name never becomes a path."""
        return self._folder / hashlib.sha256(name.encode()).hexdigest()

    def add(self, name: str, parts: Iterator[bytes]) -> None:
        """Write a file."""
        hasher, size = hashlib.sha256(), 0
        with self.path(name).open("wb") as out:
            for part in parts:
                out.write(part)
                hasher.update(part)
                size += len(part)
        self.files[name] = {"bytes": size, "sha256": hasher.hexdigest()}


def write_campaign(out: IO[bytes], *, scope: Scope, name: str) -> dict[str, Any]:
    """The archive of a campaign of this lab, or again of one that was imported. Returns: its manifest.

    name: of the campaign. Reads everything as of one moment, in a bounded amount of memory.
    """
    with scratch_folder() as folder, _one_moment():
        scratch = Scratch(folder)
        source = ImportedCampaign.objects.filter(campaign=scope.campaign).first()
        counts = _write_imported(scratch, scope, source) if source else _write_own(scratch, scope)
        scratch.add(README, iter([ABOUT.encode()]))
        manifest = {
            "format": FORMAT,
            "version": VERSION,
            "lab": source.lab if source else settings.PUBLIC_URL,
            "campaign": {"id": source.source_campaign if source else scope.campaign, "name": name},
            "includes": {"holdout": scope.holdout},
            "tables": counts,
            "files": scratch.files,
            "content_sha256": content_digest(scratch.files),
        }
        _pack(out, scratch, manifest_bytes(manifest))
    return manifest


@contextmanager
def _one_moment() -> Iterator[None]:
    """All reads see the same state of the database; inside another transaction, whatever that one sees."""
    outermost = not connection.in_atomic_block
    with transaction.atomic():
        if outermost:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield


def _write_own(scratch: Scratch, scope: Scope) -> dict[str, Any]:
    collect(scope)
    names, clean = Names(scope.seen), redactor()
    # those that others refer to come last: by then it is known who is referred to
    return {
        table.name: _write_table(scratch, table, _own_rows(scratch, table, names, scope), clean)
        for table in reversed(tables())
    }


def _own_rows(scratch: Scratch, table: Table, names: Names, scope: Scope) -> Iterator[Row]:
    for row in table.select(scope).order_by("pk").iterator(chunk_size=CHUNK):
        _attach(scratch, table, row)
        yield table.shown(table.read(row, names, scope), scope)


def _write_imported(scratch: Scratch, scope: Scope, source: ImportedCampaign) -> dict[str, Any]:
    """The same rows under the names they came with."""
    scope.imported = source.pk
    originals: dict[str, dict[int, int]] = {}
    lines = source.rows.filter(local_id__isnull=False).values_list("table", "local_id", "original_id")
    for name, local_id, original_id in lines.iterator(chunk_size=10_000):
        originals.setdefault(name, {})[local_id or 0] = original_id
    collect(scope)
    names, clean = Names(scope.seen, originals), redactor()
    known = {table.name: table for table in tables()}
    sealed = source.manifest.get("includes") != {"holdout": False}
    return {
        name: _write_table(scratch, table, _imported_rows(scratch, table, source, names, scope), clean)
        for name, facts in source.manifest["tables"].items()
        for table in [known.get(name) or stranger(name, facts, sealed=sealed)]
    }


def _imported_rows(
    scratch: Scratch, table: Table, source: ImportedCampaign, names: Names, scope: Scope
) -> Iterator[Row]:
    lines = source.rows.filter(table=table.name).order_by("original_id").iterator(chunk_size=CHUNK)
    while chunk := list(islice(lines, CHUNK)):
        here: dict[Any, Any] = table.base().in_bulk([line.local_id for line in chunk]) if table.restored else {}
        for line in chunk:
            if not table.restored:
                if table.admits(line.original, scope):
                    yield table.shown(_in_order(table, line.original), scope)
            elif table.admits(here[line.local_id], scope):
                _attach(scratch, table, here[line.local_id])
                yield table.shown(table.read(here[line.local_id], names, scope) | line.original, scope)


def _in_order(table: Table, row: Row) -> Row:
    """As it came: the database keeps neither the order of keys nor whether 1e22 was a float."""
    return {
        column.name: float(row[column.name]) if column.kind == "float" and row[column.name] is not None
        else row[column.name]
        for column in table.columns
    }  # fmt: skip


def _attach(scratch: Scratch, table: Table, row: Any) -> None:
    for path, content in table.attachments(row):
        scratch.add(path, iter([content]))


def _write_table(scratch: Scratch, table: Table, rows: Iterator[Row], clean: Callable[[Any], Any]) -> dict[str, Any]:
    """The table as JSON lines and as CSV, side by side. Returns: what the manifest says of it."""
    count = 0
    table_csv = f"tables/{table.name}.csv"
    beside = scratch.path("part of a table")

    def lines() -> Iterator[bytes]:
        nonlocal count
        with beside.open("wb") as out:
            out.write(csv_lines(table.columns, [], head=True))
            for row in map(clean, rows):
                count += 1
                out.write(csv_lines(table.columns, [row], head=False))
                yield jsonl_line(row)

    scratch.add(f"tables/{table.name}.jsonl", lines())
    with beside.open("rb") as written:
        scratch.add(table_csv, iter(lambda: written.read(2**20), b""))
    return {"rows": count, **described(table)}


def _pack(out: IO[bytes], scratch: Scratch, manifest: bytes) -> None:
    """The manifest, then the files by name; no times, owners or name of its own in it."""
    with (
        gzip.GzipFile(filename="", fileobj=out, mode="wb", mtime=0, compresslevel=6) as deflated,
        tarfile.open(fileobj=deflated, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        tar.addfile(_member(MANIFEST, len(manifest)), io.BytesIO(manifest))
        for name in sorted(scratch.files):
            with scratch.path(name).open("rb") as content:
                tar.addfile(_member(name, scratch.files[name]["bytes"]), content)


def _member(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o644
    return member
