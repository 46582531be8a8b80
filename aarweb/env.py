"""Typed readers of environment variables; a malformed value stops the start and names the allowed form."""

import os
from pathlib import Path

_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off", ""}


class BadSetting(SystemExit):
    """A variable that cannot be read: printed as one sentence, without a traceback."""


def text(name: str, default: str = "") -> str:
    """The value as it stands."""
    return os.environ.get(name, default)


def flag(name: str, default: bool) -> bool:
    """1/true/yes/on or 0/false/no/off."""
    raw = os.environ.get(name)
    if raw is None:
        return default
    if raw.lower() in _TRUE:
        return True
    if raw.lower() in _FALSE:
        return False
    raise BadSetting(f"{name}={raw!r}: expected 1 or 0 (also true/false, yes/no, on/off)")


def integer(name: str, default: int, *, least: int | None = None, most: int | None = None) -> int:
    """A whole number within bounds."""
    raw = os.environ.get(name)
    if raw is None or raw == "":
        return default
    try:
        value = int(raw)
    except ValueError:
        raise BadSetting(f"{name}={raw!r}: expected a whole number") from None
    if (least is not None and value < least) or (most is not None and value > most):
        raise BadSetting(f"{name}={value}: expected a whole number from {least} to {most}")
    return value


def words(name: str, default: list[str]) -> list[str]:
    """Words separated by commas."""
    raw = os.environ.get(name)
    return default if raw is None else [word.strip() for word in raw.split(",") if word.strip()]


def folder(name: str, default: Path) -> Path:
    """A folder's absolute path; it need not exist yet."""
    return Path(os.environ.get(name) or default).expanduser().absolute()


def secret(name: str) -> str:
    """NAME, or the content of the file that NAME_FILE points at; empty if neither is set."""
    path = os.environ.get(f"{name}_FILE")
    if path:
        try:
            return Path(path).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise BadSetting(f"{name}_FILE={path!r}: cannot be read ({error.strerror})") from None
    return os.environ.get(name, "")
