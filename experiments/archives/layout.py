"""What an archive looks like: its files, its manifest, lines of JSON and CSV; equal content gives equal bytes."""

import csv
import hashlib
import io
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from experiments.archives.columns import Column, Row
from experiments.errors import InvalidInput
from experiments.snapshots.trees import check_path

FORMAT, VERSION = "aarweb campaign archive", 2
MANIFEST = "manifest.json"
README = "README.md"
MOST_LINE = 64 * 2**20  # bytes of one row
_FILE = re.compile(r"tables/[a-z][a-z_]{0,39}\.(jsonl|csv)|README\.md")
_CODE = re.compile(r"code/[0-9a-f]{64}/(?P<path>.+)", re.DOTALL)
_DIGEST = re.compile(r"[0-9a-f]{64}")

ABOUT = """\
# A campaign of an aarweb lab

`manifest.json` says where it comes from, counts the rows of each table, and holds the SHA-256 of every file.
`tables/` has each table twice, as JSON lines and as CSV. `code/` has the code of every snapshot under its digest.
Read it with any tool, or into another lab: `manage.py import_campaign FILE`.
"""


def jsonl_line(row: Row) -> bytes:
    """One row, keys in the order of the columns."""
    return json.dumps(row, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode() + b"\n"


def csv_lines(columns: Sequence[Column], rows: Sequence[Row], *, head: bool) -> bytes:
    """Rows as CSV; lists and objects as JSON. A text that a spreadsheet would run gets an apostrophe."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    if head:
        writer.writerow([column.name for column in columns])
    writer.writerows([_cell(row[column.name]) for column in columns] for row in rows)
    return out.getvalue().encode()


def content_digest(files: Mapping[str, Mapping[str, Any]]) -> str:
    """SHA-256 over names and digests of all files, sorted by name."""
    lines = "".join(f"{files[name]['sha256']}  {name}\n" for name in sorted(files))
    return hashlib.sha256(lines.encode()).hexdigest()


def manifest_bytes(manifest: Mapping[str, Any]) -> bytes:
    """The manifest as it is written."""
    return json.dumps(manifest, ensure_ascii=False, indent=1, sort_keys=True).encode() + b"\n"


def check_manifest(data: bytes) -> dict[str, Any]:
    """The manifest, if it can be one of this format. Raises: InvalidInput saying what is wrong with it."""
    try:
        manifest = json.loads(data)
    except (ValueError, RecursionError):
        raise InvalidInput(f"{MANIFEST} is not JSON") from None
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise InvalidInput(f"{MANIFEST} does not say that this is an {FORMAT}")
    if manifest.get("version") != VERSION:
        raise InvalidInput(f"the archive has version {manifest.get('version')!r}; this lab reads version {VERSION}")
    campaign, files, rows = manifest.get("campaign"), manifest.get("files"), manifest.get("tables")
    if not isinstance(campaign, dict) or type(campaign.get("id")) is not int or campaign["id"] < 1:
        raise InvalidInput(f"{MANIFEST}: campaign.id is not an id")
    if not isinstance(manifest.get("lab"), str) or not 0 < len(manifest["lab"]) <= 300:
        raise InvalidInput(f"{MANIFEST}: lab is not a text of at most 300 characters")
    if not isinstance(files, dict) or not isinstance(rows, dict):
        raise InvalidInput(f"{MANIFEST}: files and tables are not objects")
    for name, facts in files.items():
        check_name(name)
        if not isinstance(facts, dict) or type(facts.get("bytes")) is not int or facts["bytes"] < 0:
            raise InvalidInput(f"{MANIFEST}: {name!r} has no size in bytes")
        if not isinstance(facts.get("sha256"), str) or not _DIGEST.fullmatch(facts["sha256"]):
            raise InvalidInput(f"{MANIFEST}: {name!r} has no SHA-256")
    if manifest.get("content_sha256") != content_digest(files):
        raise InvalidInput(f"{MANIFEST}: content_sha256 does not follow from the files it lists")
    return manifest


def check_name(name: str) -> None:
    """Raises: InvalidInput unless it is a name that archives have: no way leads out of them."""
    if _FILE.fullmatch(name):
        return
    code = _CODE.fullmatch(name)
    if code is None:
        raise InvalidInput(f"{name[:200]!r} is no name of a file in an archive: tables/NAME.jsonl, code/DIGEST/PATH")
    check_path(code["path"])


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    if isinstance(value, str) and value[:1] in tuple("=+-@\t\r"):
        return f"'{value}"
    return value
