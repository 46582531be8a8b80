"""What every command finds in its environment: `.env`, the secrets of DATA_DIR, a running lab's addresses."""

import os
from collections.abc import Mapping
from pathlib import Path

from aarweb.lab import keys
from aarweb.lab.errors import LabError
from aarweb.lab.paths import Paths

_KEY, _KEY_FILE = "ANTHROPIC_API_KEY", "ANTHROPIC_API_KEY_FILE"
PROJECT = Path(__file__).resolve().parent.parent.parent


def data_paths() -> Paths:
    """The layout of DATA_DIR, by default `.data` in the project's folder; nothing is made."""
    return Paths(Path(os.environ.get("DATA_DIR") or PROJECT / ".data").expanduser().absolute())


def without_key(variables: Mapping[str, str]) -> dict[str, str]:
    """The same, with CLAUDE_READY=1 in place of a key; a CLAUDE_READY that somebody has set stays."""
    rest = {name: value for name, value in variables.items() if name not in (_KEY, _KEY_FILE)}
    if _has_key(variables):
        rest.setdefault("CLAUDE_READY", "1")
    return rest


def adopt(*, starting: bool) -> None:
    """Fills the variables that the environment leaves open; what is set already stays.

    From `.env`; the two secrets, from files of DATA_DIR; and, if a lab runs there, DATABASE_URL and REDIS_URL, so
    that a command typed in another terminal reaches it.
    starting: this command starts a lab: missing secrets are made, and addresses of an earlier lab do not count.
    Exits with one sentence if `.env` or DATA_DIR cannot be used.
    """
    try:
        _fill(_assignments(PROJECT / ".env"))
        paths = data_paths()
        if starting:
            paths.create()
        for variable, name in (("SECRET_KEY", keys.SECRET_KEY), ("SEED_SECRET", keys.SEED_SECRET)):
            if os.environ.get(variable) or os.environ.get(f"{variable}_FILE"):
                continue
            if starting:
                keys.secret(paths, name)
            if (paths.secrets / name).exists():
                os.environ[f"{variable}_FILE"] = str(paths.secrets / name)
        if not starting:
            _fill(_assignments(paths.addresses))
    except LabError as error:
        raise SystemExit(f"error: {error}") from None
    except PermissionError as error:
        raise SystemExit(f"error: {error.filename} belongs to somebody else: choose another DATA_DIR=...") from None


def _fill(values: dict[str, str]) -> None:
    for name, value in values.items():
        os.environ.setdefault(name, value)


def _assignments(path: Path) -> dict[str, str]:
    """NAME=VALUE lines; blank lines and lines that begin with # do not count, quotes around a value are taken off.

    Raises: LabError, naming the line.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return {}
    values = {}
    for number, line in enumerate(lines, 1):
        text = line.strip().removeprefix("export ").strip()
        if not text or text.startswith("#"):
            continue
        name, equals, value = text.partition("=")
        if not equals or not name.isidentifier():
            raise LabError(f"{path}, line {number}: expected NAME=VALUE")
        value = value.strip()
        if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
            value = value[1:-1]
        if value:
            values[name] = value
    return values


def _has_key(variables: Mapping[str, str]) -> bool:
    path = variables.get(_KEY_FILE)
    if not path:
        return bool(variables.get(_KEY))
    try:
        return bool(Path(path).read_text(encoding="utf-8").strip())
    except OSError:  # whoever needs the key says what is wrong with its file
        return False
