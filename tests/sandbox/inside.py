"""Runs a few lines of Python behind walls and says how that ended."""

import textwrap

from sandbox import Limits, Sandboxed, interpreter

SMALL = Limits(
    wall_seconds=20,
    cpu_seconds=20,
    memory_bytes=512 * 2**20,
    processes=24,
    file_bytes=8 * 2**20,
    open_files=64,
    scratch_bytes=16 * 2**20,
    output_bytes=64 * 1024,
    files=2000,
)


def run(code, *, limits=SMALL, **how):
    """Ended, for a program of the standard library; `how` goes to Sandboxed."""
    program = [interpreter().executable, "-I", "-S", "-u", "-c", textwrap.dedent(code)]
    with Sandboxed(program, limits=limits, **how) as sandbox:
        return sandbox.wait(60)


def said(code, **how):
    """What it printed, without the last line end; it must have ended well."""
    ended = run(code, **how)
    assert ended.reason is None and ended.status == 0, ended
    return ended.output.rstrip("\n")


def refusal(expression, **how):
    """The name of the error number with which the system refuses an expression (`os` and `libc` are at hand).

    `libc` calls return -1 and set errno; "nothing" if it was not refused.
    """
    return said(
        f"""
        import ctypes, errno, os, socket, struct, sys
        libc = ctypes.CDLL(None, use_errno=True)
        libc.syscall.restype = ctypes.c_long
        try:
            answer = {expression}
        except OSError as error:
            print(errno.errorcode[error.errno])
        else:
            print(errno.errorcode[ctypes.get_errno()] if answer == -1 and ctypes.get_errno() else "nothing")
        """,
        **how,
    )
