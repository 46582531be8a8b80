"""Reads an archive into a scratch folder and checks all of it: nothing is written to the database before that."""

import gzip
import hashlib
import json
import shutil
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from experiments.archives.columns import Row
from experiments.archives.layout import (
    MANIFEST,
    MOST_LINE,
    check_manifest,
    csv_lines,
)
from experiments.archives.tables import Table, described, stranger, tables
from experiments.errors import InvalidInput, TooLarge

MOST_BYTES = 8 * 2**30  # of all files together
MOST_FILES = 200_000
MOST_MANIFEST = 64 * 2**20
_MOST_HEADER = 64 * 2**10
_KINDS = {
    tarfile.SYMTYPE: "a symbolic link", tarfile.LNKTYPE: "a hard link", tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device", tarfile.FIFOTYPE: "a named pipe", tarfile.DIRTYPE: "a folder",
    tarfile.GNUTYPE_SPARSE: "a sparse file",
}  # fmt: skip


class _SmallHeaders(tarfile.TarInfo):
    """Refuses extended headers that would be read into memory as long as they please."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> "_SmallHeaders":
        """A header."""
        made = super().frombuf(buf, encoding, errors)
        if made.type not in (tarfile.REGTYPE, tarfile.AREGTYPE, *_KINDS) and made.size > _MOST_HEADER:
            raise InvalidInput(f"a header of {made.size:,} bytes; expected at most {_MOST_HEADER:,}")
        return made


class Opened:
    """An archive whose every file has the size and digest that its manifest says."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.manifest: dict[str, Any] = {}
        self.tables: list[Table] = []

    def path(self, name: str) -> Path:
        """Where a file of the archive lies; its own name never becomes a path."""
        return self._folder / hashlib.sha256(name.encode()).hexdigest()

    def content(self, name: str) -> bytes:
        """A file. Raises: InvalidInput if the archive does not hold it."""
        if name not in self.manifest["files"]:
            raise InvalidInput(f"{name!r} is not in the archive")
        return self.path(name).read_bytes()

    def rows(self, table: Table) -> Iterator[Row]:
        """The rows of a table, each checked against its columns. Raises: InvalidInput naming table and line."""
        with self.path(f"tables/{table.name}.jsonl").open("rb") as lines:
            for number, line in enumerate(iter(lambda: lines.readline(MOST_LINE + 1), b""), start=1):
                place = f"tables/{table.name}.jsonl, line {number}"
                if len(line) > MOST_LINE:
                    raise TooLarge(f"{place}: a row of more than {MOST_LINE:,} bytes")
                try:
                    row = json.loads(line)
                except (ValueError, RecursionError):
                    raise InvalidInput(f"{place}: not JSON") from None
                yield table.checked(row, place)


def open_archive(source: IO[bytes], folder: Path) -> Opened:
    """Everything in it, checked: form, sizes, digests, tables, and that rows refer to rows that are there.

    Raises: InvalidInput, TooLarge: the first thing that is wrong, in words.
    """
    opened = Opened(folder)
    try:
        with (
            gzip.GzipFile(fileobj=source, mode="rb") as inflated,
            tarfile.open(fileobj=inflated, mode="r|", tarinfo=_SmallHeaders) as tar,
        ):
            _unpack(opened, tar, folder)
    except (tarfile.TarError, EOFError, OSError, zlib.error, ValueError, OverflowError, RecursionError) as error:
        raise InvalidInput(f"not a readable archive: {error or type(error).__name__}") from error
    opened.tables = _known_tables(opened.manifest)
    _check_tables(opened)
    return opened


def _unpack(opened: Opened, tar: tarfile.TarFile, folder: Path) -> None:
    first = tar.next()
    if first is None or first.name != MANIFEST:
        raise InvalidInput(f"the first entry is not {MANIFEST}: this is no archive of a campaign")
    _check_member(first, MOST_MANIFEST)
    opened.manifest = check_manifest(_read(tar, first))
    files = opened.manifest["files"]
    total = sum(facts["bytes"] for facts in files.values())
    if len(files) > MOST_FILES or total > MOST_BYTES:
        limits = f"at most {MOST_FILES:,} of {MOST_BYTES:,} are read"
        raise TooLarge(f"the archive holds {len(files):,} files of {total:,} bytes; {limits}")
    free = shutil.disk_usage(folder).free
    if total > free // 2:
        raise TooLarge(f"the archive holds {total:,} bytes, and {folder} has room for {free:,}")
    seen = set()
    while (member := tar.next()) is not None:
        name = member.name
        if name not in files:
            raise InvalidInput(f"{name[:200]!r} is in the archive and not in its manifest")
        if name in seen:
            raise InvalidInput(f"{name!r} is in the archive twice")
        seen.add(name)
        _check_member(member, files[name]["bytes"])
        if member.size != files[name]["bytes"]:
            raise InvalidInput(f"{name!r} has {member.size:,} bytes; the manifest says {files[name]['bytes']:,}")
        if _spool(tar, member, opened.path(name)) != files[name]["sha256"]:
            raise InvalidInput(f"{name!r} is not what was exported: its SHA-256 differs from the manifest's")
        # or the list of what was read grows with the archive
        tar.members = []  # type: ignore[attr-defined]
    missing = sorted(set(files) - seen)
    if missing:
        raise InvalidInput(f"{missing[0]!r} is in the manifest and not in the archive")


def _check_member(member: tarfile.TarInfo, most: int) -> None:
    if not member.isreg() or member.issparse():
        kind = "a sparse file" if member.isreg() else _KINDS.get(member.type, "of an unknown kind")
        raise InvalidInput(f"{member.name[:200]!r} is {kind}; an archive holds regular files only")
    if not 0 <= member.size <= most:
        raise TooLarge(f"{member.name[:200]!r} has {member.size:,} bytes; expected at most {most:,}")


def _read(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    content = tar.extractfile(member)
    return content.read() if content else b""


def _spool(tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> str:
    content, hasher = tar.extractfile(member), hashlib.sha256()
    with path.open("wb") as out:
        while content is not None and (part := content.read(2**20)):
            hasher.update(part)
            out.write(part)
    return hasher.hexdigest()


def _known_tables(manifest: dict[str, Any]) -> list[Table]:
    """Those of this lab in their order, then strangers. Raises: InvalidInput."""
    told = manifest["tables"]
    known = tables()
    for table in known:
        facts = told.get(table.name)
        if not isinstance(facts, dict):
            raise InvalidInput(f"the archive has no table {table.name}")
        if {key: facts.get(key) for key in ("columns", "restored")} != described(table):
            raise InvalidInput(f"table {table.name} has other columns than this lab knows")
    others = sorted(set(told) - {table.name for table in known})
    strangers = [stranger(name, told[name] if isinstance(told[name], dict) else {}) for name in others]
    for name in told:
        for kind in ("jsonl", "csv"):
            if f"tables/{name}.{kind}" not in manifest["files"]:
                raise InvalidInput(f"tables/{name}.{kind} is not in the archive")
    return [*known, *strangers]


def _check_tables(opened: Opened) -> None:
    """Ids are unique and ascending, references lead somewhere, CSV says the same as JSON, counts are right."""
    ids: dict[str, set[int]] = {}
    for table in opened.tables:
        mine = ids.setdefault(table.name, set())
        hasher = hashlib.sha256(csv_lines(table.columns, [], head=True))
        last = 0
        for number, row in enumerate(opened.rows(table), start=1):
            place = f"tables/{table.name}.jsonl, line {number}"
            if row["id"] <= last:
                raise InvalidInput(f"{place}: id {row['id']} does not come after {last}")
            _check_references(table, row, ids, place)
            last = row["id"]
            mine.add(last)
            hasher.update(csv_lines(table.columns, [row], head=False))
        if opened.manifest["tables"][table.name].get("rows") != len(mine):
            raise InvalidInput(f"the manifest counts other rows of {table.name} than the {len(mine)} there are")
        if hasher.hexdigest() != opened.manifest["files"][f"tables/{table.name}.csv"]["sha256"]:
            raise InvalidInput(f"tables/{table.name}.csv and tables/{table.name}.jsonl do not say the same")
        if table.name == "events" and mine and (min(mine), max(mine)) != (1, len(mine)):
            raise InvalidInput("the log of events has gaps")
    if len(ids["campaigns"]) != 1 or opened.manifest["campaign"]["id"] not in ids["campaigns"]:
        raise InvalidInput("the archive does not hold exactly the campaign that its manifest names")


def _check_references(table: Table, row: Row, ids: dict[str, set[int]], place: str) -> None:
    """A row refers to rows that come before it, in its own table, too."""
    for column in table.columns:
        if column.kind not in ("ref", "refs") or (not table.restored and column.to not in ids):
            continue
        value = row[column.name]
        wanted = value if isinstance(value, list) else [] if value is None else [value]
        for each in wanted:
            if each not in ids[column.to]:
                raise InvalidInput(f"{place}: {column.name} names {column.to} {each}, which is not in the archive")
