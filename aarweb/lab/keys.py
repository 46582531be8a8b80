"""The secrets of one DATA_DIR: made once, kept in files that only their owner can read, never printed."""

import secrets

from aarweb.lab.errors import LabError
from aarweb.lab.paths import Paths, private_file

SECRET_KEY = "secret_key"  # noqa: S105 - names of files
SEED_SECRET = "seed_secret"  # noqa: S105
POSTGRES_PASSWORD = "postgres_password"  # noqa: S105
VALKEY_PASSWORD = "valkey_password"  # noqa: S105


def secret(paths: Paths, name: str) -> str:
    """The secret of that name, made at first use: 64 URL-safe characters, 384 random bits."""
    path = paths.secrets / name
    try:
        if not path.exists():
            private_file(path, secrets.token_urlsafe(48))
        value = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise LabError(f"The secret {path} cannot be read ({error.strerror}).") from error
    if not value:
        raise LabError(f"The secret {path} is empty: remove the file, and a new one is made at the next start.")
    return value
