"""Runs a command in the agent's workspace, behind walls."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

from pydantic import Field

import sandbox
from agents.commands import run_command
from agents.tools import TOOLS, Arguments, Tool, ToolActor, ToolResult
from agents.workspaces import take_back, workspace_of
from experiments.errors import InvalidInput
from sandbox import SandboxUnavailable

LONGEST_SECONDS = 300
MOST_AT_ONCE = 6  # in one worker: agents that think must find a thread, and commands share the processors
PATIENCE_SECONDS = 20.0
_places = threading.BoundedSemaphore(MOST_AT_ONCE)


class ShellArguments(Arguments):
    """What to run."""

    command: str = Field(min_length=1, max_length=20_000, description="Given to bash -c, in /workspace.")
    seconds: int = Field(60, ge=1, le=LONGEST_SECONDS, description="It is ended after so long.")


@TOOLS.register("shell")
class Shell(Tool):
    """What it prints is shown live; the whole group of processes ends with it."""

    name: ClassVar[str] = "shell"
    summary: ClassVar[str] = (
        "Run a command in your workspace (/workspace), which keeps its files from one command to the next; nothing else"
        " is kept. There is no network, no data of a benchmark, and nobody else's files. `python` has numpy, scipy,"
        " torch, safetensors, pydantic and workers.w2s, as code methods do. Limits: 1 MiB printed, 128 processes,"
        " 64 MiB a file, 256 MiB and 5,000 files in the workspace."
    )
    Arguments: ClassVar[type[Arguments]] = ShellArguments

    def run(self, actor: ToolActor, arguments: ShellArguments) -> ToolResult:
        """An exit status other than 0 is a tool error. Raises: InvalidInput."""
        if "\0" in arguments.command:
            raise InvalidInput("a command holds no NUL", pointer="#/command")
        reason = sandbox.available()
        if reason is not None:
            return ToolResult(f"commands are not run here: {reason}. The other tools work.", is_error=True)
        workspace = workspace_of(actor.agent)
        take_back(workspace)  # what a killed worker did not come to: else the command would be ended at once
        with _place(actor) as found:
            if not found:
                return ToolResult(f"{MOST_AT_ONCE} commands run here already; try again later", is_error=True)
            try:
                ended = run_command(
                    workspace,
                    arguments.command,
                    seconds=arguments.seconds,
                    say=actor.stream,
                    cancelled=actor.cancelled,
                )
            except SandboxUnavailable as error:
                return ToolResult(f"the command was not run: {error}", is_error=True)
        removed = take_back(workspace)
        lines = [ended.output.rstrip("\n"), f"[{ended.sentence()}, {ended.seconds:.1f} s]"]
        if removed:
            named = ", ".join(removed[:5]) + (" and more" if len(removed) > 5 else "")
            lines.append(f"[the workspace held more than its quota; what was changed last was removed: {named}]")
        return ToolResult("\n".join(filter(None, lines)), is_error=bool(ended.status or ended.reason or removed))


@contextmanager
def _place(actor: ToolActor) -> Iterator[bool]:
    """One of MOST_AT_ONCE; False if none became free in time."""
    until = time.monotonic() + PATIENCE_SECONDS
    while not (found := _places.acquire(timeout=0.2)) and time.monotonic() < until and not actor.cancelled():
        pass
    try:
        yield found
    finally:
        if found:
            _places.release()
