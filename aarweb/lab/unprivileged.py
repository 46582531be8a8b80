"""Runs a program that refuses to be root, without giving any file to somebody else where that can be avoided.

    python unprivileged.py MODE ACCOUNT_UID ACCOUNT_GID PROGRAM [ARGUMENT ...]

It replaces itself with the program (exec), so the process id stays the one the starter knows. Stdlib only: it starts
in 20 ms. MODE is one of

namespace   a fresh user namespace in which our own user id goes by ACCOUNT_UID: the program sees an ordinary user, and
            the kernel still sees us, so the files it writes are ours.
account     becomes ACCOUNT_UID, and keeps of root only the right to pass folders that this account could not enter
            (CAP_DAC_OVERRIDE, ambient). For containers that forbid user namespaces. The program's own data folder must
            belong to the account.

Source: user_namespaces(7), capabilities(7).
"""

import ctypes
import os
import sys

CLONE_NEWUSER = 0x10000000
PR_SET_KEEPCAPS = 8
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
CAP_DAC_OVERRIDE = 1
CAPABILITY_VERSION_3 = 0x20080522


class _Header(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


class _Sets(ctypes.Structure):
    _fields_ = [
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    ]


def _call(libc: ctypes.CDLL, name: str, *arguments: object) -> None:
    if getattr(libc, name)(*arguments) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{name}: {os.strerror(code)}")


def enter_namespace(uid: int, gid: int) -> None:
    """Makes this process known as (uid, gid) in a user namespace of its own.

    Raises: OSError where the system forbids it.
    """
    own_uid, own_gid = os.geteuid(), os.getegid()
    _call(ctypes.CDLL(None, use_errno=True), "unshare", CLONE_NEWUSER)
    for name, content in (
        ("setgroups", "deny"),
        ("uid_map", f"{uid} {own_uid} 1"),
        ("gid_map", f"{gid} {own_gid} 1"),
    ):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:  # noqa: PTH123 - pathlib costs 10 ms here
            file.write(content)


def become_account(uid: int, gid: int) -> None:
    """Changes to another account, keeping the right to pass closed folders.

    Raises: OSError where we are not root, or a root without these rights.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    _call(libc, "prctl", PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    bit = 1 << CAP_DAC_OVERRIDE
    sets = (_Sets * 2)(_Sets(bit, bit, bit), _Sets(0, 0, 0))
    _call(libc, "capset", ctypes.byref(_Header(CAPABILITY_VERSION_3, 0)), sets)
    _call(libc, "prctl", PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE, 0, 0)


def main() -> None:
    """Changes who we are, then becomes the program."""
    mode, uid, gid, *command = sys.argv[1:]
    try:
        (become_account if mode == "account" else enter_namespace)(int(uid), int(gid))
    except (OSError, AttributeError) as error:  # AttributeError: a C library without unshare (macOS)
        sys.exit(f"cannot become an ordinary user ({mode}): {error}")
    os.execv(command[0], command)  # noqa: S606 - no shell is the point


if __name__ == "__main__":
    main()
