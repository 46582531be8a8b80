"""Trees in and out of tar.gz: read as a bounded stream, written the same for the same tree."""

import gzip
import io
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from typing import IO

from experiments.errors import InvalidInput, TooLarge
from experiments.snapshots.trees import MAX_BYTES, MAX_FILES, check_path, too_many_bytes

POINTER = "#/archive"
# A header and padding for each file and its folders beside the contents; a bomb inflates to more and is cut off here
_MAX_INFLATED = MAX_BYTES + 2**20
_MAX_MEMBERS = 5 * MAX_FILES  # folders count too
_KINDS = {
    tarfile.SYMTYPE: "a symbolic link",
    tarfile.LNKTYPE: "a hard link",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    tarfile.FIFOTYPE: "a named pipe",
    tarfile.GNUTYPE_SPARSE: "a sparse file",
}


class _Bounded(io.RawIOBase):
    """A reader that gives up after a number of bytes, so that nobody has to hold what a bomb inflates to."""

    def __init__(self, source: gzip.GzipFile, limit: int) -> None:
        self._source, self._left = source, limit

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        wanted = self._left + 1 if size < 0 else min(size, self._left + 1)
        data = self._source.read(wanted)
        self._left -= len(data)
        if self._left < 0:
            raise TooLarge(f"the archive inflates to more than {_MAX_INFLATED:,} bytes", pointer=POINTER)
        return data


def read_archive(archive: IO[bytes]) -> dict[str, str]:
    """Path -> text of the regular files in a tar.gz; "./" before a path is dropped, folders are passed over.

    Raises: InvalidInput naming the first entry that a snapshot may not hold, or that it is no tar.gz; TooLarge.
    """
    files: dict[str, str] = {}
    total = 0
    try:
        with (
            gzip.GzipFile(fileobj=archive, mode="rb") as inflated,
            tarfile.open(fileobj=_Bounded(inflated, _MAX_INFLATED), mode="r|", bufsize=64 * 1024) as tar,
        ):
            for member in _members(tar):
                path = member.name
                while path.startswith("./"):
                    path = path[2:]
                if member.isdir():
                    continue
                _check_member(path, member)
                if path in files:
                    raise InvalidInput(f"the archive holds {path!r} twice", pointer=POINTER)
                if len(files) == MAX_FILES:
                    raise TooLarge(f"more than {MAX_FILES} files", pointer=POINTER)
                total += member.size
                if total > MAX_BYTES:
                    raise too_many_bytes()
                content = tar.extractfile(member)
                files[path] = _decode(path, content.read() if content else b"", member.size)
    except (tarfile.TarError, EOFError, OSError, zlib.error, ValueError, OverflowError, RecursionError) as error:
        raise InvalidInput(f"not a readable tar.gz: {error or type(error).__name__}", pointer=POINTER) from error
    return files


def write_archive(files: Mapping[str, str]) -> bytes:
    """A tar.gz of the tree: sorted, without times, owners or a name of its own, so equal trees give equal bytes."""
    packed = io.BytesIO()
    with (
        gzip.GzipFile(filename="", fileobj=packed, mode="wb", mtime=0) as deflated,
        tarfile.open(fileobj=deflated, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for path, text in sorted(files.items()):
            content = text.encode()
            member = tarfile.TarInfo(path)
            member.size, member.mode = len(content), 0o644
            tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def _members(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    for number, member in enumerate(tar):
        if number >= _MAX_MEMBERS:
            raise TooLarge(f"the archive has more than {_MAX_MEMBERS} entries", pointer=POINTER)
        yield member


def _check_member(path: str, member: tarfile.TarInfo) -> None:
    check_path(path)
    if not member.isreg() or member.issparse():
        kind = "a sparse file" if member.isreg() else _KINDS.get(member.type, "of an unknown kind")
        raise InvalidInput(f"{path!r} is {kind}; a snapshot holds regular files only", pointer=POINTER)
    if member.size < 0:
        raise InvalidInput(f"{path!r} has a size below zero", pointer=POINTER)


def _decode(path: str, content: bytes, size: int) -> str:
    if len(content) != size:
        raise InvalidInput(f"the archive ends in the middle of {path!r}", pointer=POINTER)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{path!r} is not UTF-8 text (byte {error.start})", pointer=POINTER) from error
