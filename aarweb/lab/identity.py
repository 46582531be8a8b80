"""Who PostgreSQL runs as: it refuses to be root."""

import os
import pwd
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from aarweb.lab.errors import LabError

SHIM = Path(__file__).with_name("unprivileged.py")
PYTHON = [sys.executable, "-I", "-S"]


@dataclass(frozen=True)
class Identity:
    """mode: plain (ourselves), namespace or account; the last two are described in `unprivileged.py`."""

    mode: str
    uid: int
    gid: int

    def command(self, program: Path) -> list[str]:
        """The start of a command line that runs the program as this identity."""
        if self.mode == "plain":
            return [str(program)]
        return [*PYTHON, str(SHIM), self.mode, str(self.uid), str(self.gid), str(program)]

    def own(self, path: Path) -> None:
        """Gives a file, or a folder and all in it, to the identity, if it belongs to another.

        Only for PostgreSQL's own folder. It may have been used by the other mode before: the same DATA_DIR inside and
        outside a container. In a namespace we stay the owner.
        """
        uid, gid = (self.uid, self.gid) if self.mode == "account" else (os.geteuid(), os.getegid())
        if self.mode == "plain" or path.stat().st_uid == uid:
            return
        for each in [path, *path.rglob("*")]:
            os.chown(each, uid, gid, follow_symlinks=False)


def find_identity() -> Identity:
    """Ourselves as an ordinary user; as root, what this system allows.

    Raises: LabError if it allows nothing.
    """
    if os.geteuid() != 0:
        return Identity("plain", os.geteuid(), os.getegid())
    uid, gid = _account()
    for mode in ("namespace", "account"):
        identity = Identity(mode, uid, gid)
        trial = [*identity.command(Path(sys.executable)), "-I", "-S", "-c", ""]
        if subprocess.run(trial, capture_output=True, check=False).returncode == 0:
            return identity
    raise LabError(
        "PostgreSQL refuses to run as root, and this system lets root neither make a user namespace nor change to"
        " another account. Run the lab as an ordinary user, or set DATABASE_URL to a PostgreSQL server."
    )


def _account() -> tuple[int, int]:
    """The account to go by: `postgres` or `nobody`, else any that is not root; initdb asks that it has a name."""
    accounts = {entry.pw_name: entry for entry in pwd.getpwall() if 0 < entry.pw_uid < 2**31}
    for name in ("postgres", "nobody", *accounts):
        if name in accounts:
            return accounts[name].pw_uid, accounts[name].pw_gid
    raise LabError("This system has no account but root, and PostgreSQL refuses to run as root: set DATABASE_URL.")
