"""Runs a command of an agent behind walls: no network, no secrets, its own workspace, bounded in every way."""

import dataclasses
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import sandbox
from agents.workspaces import mount_of
from sandbox import Ended, Limits, Sandboxed
from sandbox.workspace import Workspace

LOOK_SECONDS = 0.1  # a command must be gone within a second of "pause now"


def _memory() -> int:
    """A quarter of the machine's, at most 4 GiB: several commands run at once, beside the training."""
    return min(4 * 2**30, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 4)


COMMAND_LIMITS = Limits(
    cpu_seconds=600,
    memory_bytes=_memory(),
    processes=128,
    file_bytes=64 * 2**20,
    open_files=256,
    scratch_bytes=64 * 2**20,
    output_bytes=2**20,
    files=5_000,
)


def run_command(
    workspace: Workspace, command: str, *, seconds: float, say: Callable[[str], None], cancelled: Callable[[], bool]
) -> Ended:
    """Until it has ended, with everything that it started. Raises: SandboxUnavailable.

    say: given what it prints, as it comes. cancelled: asked all the time; true ends it at once.
    """
    with Sandboxed(
        [_shell(), "-c", command],
        limits=dataclasses.replace(COMMAND_LIMITS, wall_seconds=seconds),
        mounts=(mount_of(workspace), *sandbox.packages(), *sandbox.project()),
        environment=_environment(),
        with_programs=True,
        may_fork=True,
        on_output=say,
    ) as running:
        while True:
            try:
                return running.wait(LOOK_SECONDS)
            except subprocess.TimeoutExpired:
                if cancelled():
                    running.end()


def _shell() -> str:
    return next((shell for shell in ("/bin/bash", "/bin/sh") if Path(shell).exists()), "/bin/sh")


def _environment() -> dict[str, str]:
    return {
        "PYTHONPATH": f"{sandbox.PLACE}:{sandbox.LAB}",  # what a method may import when it is run for a score
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
        "OMP_NUM_THREADS": "2",
        "OPENBLAS_NUM_THREADS": "2",
        "OMP_WAIT_POLICY": "PASSIVE",
        "MALLOC_ARENA_MAX": "4",  # address space is limited, and each arena of the C library reserves 64 MiB
        "TORCHINDUCTOR_CACHE_DIR": "/tmp/inductor",  # noqa: S108 - its own
        "USER": "researcher",
    }
