"""Each agent's own folder of files: where it is, what it may hold, and what of it is method code."""

from typing import TYPE_CHECKING

from django.conf import settings

from experiments.errors import InvalidInput
from sandbox import Mount, quota
from sandbox.walls import WORKSPACE
from sandbox.workspace import Workspace, WorkspaceError

if TYPE_CHECKING:
    from agents.models import Agent

MOST_BYTES = 256 * 2**20
MOST_FILES = 5_000  # folders and links, too
MOST_FILE_BYTES = 10**6  # of one file that a tool reads or writes as text; commands may make larger ones
_MOST_CODE_BYTES = 6 * 10**6  # a little more than a snapshot takes, which says itself what is too much


def workspace_of(agent: "Agent") -> Workspace:
    """The agent's folder, made when it is first needed. What is in there was put there by code that nobody has read."""
    folder = settings.WORKSPACES_DIR / str(agent.pk)
    if not folder.is_dir():
        settings.WORKSPACES_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)  # commands may change it
    return Workspace(folder)


def kept_on_this_machine() -> list[int]:
    """Agents that have a folder here."""
    if not settings.WORKSPACES_DIR.is_dir():
        return []
    return sorted(int(each.name) for each in settings.WORKSPACES_DIR.iterdir() if each.name.isdecimal())


def held_by(agent: int) -> quota.Held:
    """What its folder holds."""
    return quota.of_folder(settings.WORKSPACES_DIR / str(agent), most_bytes=MOST_BYTES, most_files=MOST_FILES)


def remove_workspace(agent: int) -> None:
    """Takes the folder away with all in it, however it was made. Nothing may run in there."""
    folder = settings.WORKSPACES_DIR / str(agent)
    quota.trim(folder, most_bytes=0, most_files=0)
    folder.rmdir()


def mount_of(workspace: Workspace) -> Mount:
    """The folder as commands see it."""
    return Mount(workspace.folder, WORKSPACE, writable=True, most_bytes=MOST_BYTES, most_files=MOST_FILES)


def check_room(workspace: Workspace, more_bytes: int) -> None:
    """Raises: InvalidInput if another file of that size does not fit."""
    held = quota.of_folder(workspace.folder, most_bytes=MOST_BYTES, most_files=MOST_FILES)
    if held.exceeds(MOST_BYTES - more_bytes, MOST_FILES - 1):
        raise InvalidInput(
            f"the workspace holds {held.size_bytes:,} bytes in {held.files:,} files; {more_bytes:,} more do not fit"
            f" ({MOST_BYTES:,} bytes and {MOST_FILES:,} files are allowed)"
        )


def take_back(workspace: Workspace) -> list[str]:
    """Holds the workspace to its quota after a command: what was changed last goes first. Returns: paths removed."""
    held = quota.of_folder(workspace.folder, most_bytes=MOST_BYTES, most_files=MOST_FILES)
    if not held.exceeds(MOST_BYTES, MOST_FILES):
        return []
    return quota.trim(workspace.folder, most_bytes=MOST_BYTES, most_files=MOST_FILES)


def read_text(workspace: Workspace, path: str) -> str:
    """A whole file. Raises: InvalidInput, for the model to read."""
    try:
        data = workspace.read(path, MOST_FILE_BYTES + 1)
    except WorkspaceError as error:
        raise InvalidInput(str(error), pointer="#/path") from error
    if len(data) > MOST_FILE_BYTES:
        raise InvalidInput(f"{path!r} has more than {MOST_FILE_BYTES:,} bytes; use shell", pointer="#/path")
    return _as_text(path, data)


def write_text(workspace: Workspace, path: str, text: str) -> int:
    """Replace or make a file, and the folders on the way. Returns: bytes. Raises: InvalidInput."""
    data = text.encode()
    if len(data) > MOST_FILE_BYTES:
        raise InvalidInput(f"{len(data):,} bytes; at most {MOST_FILE_BYTES:,} at once", pointer="#/content")
    check_room(workspace, len(data))
    try:
        workspace.write(path, data)
    except WorkspaceError as error:
        raise InvalidInput(str(error), pointer="#/path") from error
    return len(data)


def listing(workspace: Workspace) -> list[str]:
    """Paths of its files, sorted. Raises: InvalidInput."""
    try:
        return list(workspace.files(MOST_FILES))
    except WorkspaceError as error:
        raise InvalidInput(str(error), pointer="#/path") from error


def code_of(workspace: Workspace) -> dict[str, str]:
    """Path -> text of every *.py outside folders that begin with a dot. Raises: InvalidInput."""
    found: dict[str, str] = {}
    left = _MOST_CODE_BYTES
    for path in listing(workspace):
        if not path.endswith(".py") or any(part.startswith(".") for part in path.split("/")):
            continue
        try:
            data = workspace.read(path, left + 1)
        except WorkspaceError as error:
            raise InvalidInput(str(error), pointer="#/workspace") from error
        left -= len(data)
        if left < 0:
            raise InvalidInput("the workspace holds more code than a snapshot takes", pointer="#/workspace")
        found[path] = _as_text(path, data)
    return found


def _as_text(path: str, data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{path!r} is not UTF-8 text (byte {error.start})", pointer="#/path") from error
