"""Reading and writing the workspace of code that does not want us to."""

import ctypes
import itertools
import os
import threading
import time

import pytest

from sandbox.workspace import Workspace, WorkspaceError


@pytest.fixture
def secret(tmp_path):
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "f").write_text("secret")
    return folder


@pytest.fixture
def workspace(tmp_path):
    folder = tmp_path / "workspace"
    (folder / "parts").mkdir(parents=True)
    (folder / "method.py").write_text("code")
    (folder / "parts" / "f").write_text("fine")
    return Workspace(folder)


def test_plain_files_are_read_and_written(workspace):
    assert workspace.read("method.py", 100) == b"code"
    assert workspace.read("/workspace/parts/f", 2) == b"fi"
    workspace.write("new/deep/x.py", b"long text")
    workspace.write("new/deep/x.py", b"short")
    assert (workspace.folder / "new/deep/x.py").read_bytes() == b"short"
    assert list(workspace.files(100)) == ["method.py", "new/deep/x.py", "parts/f"]
    assert workspace.tree(max_files=100, max_bytes=13) == {
        "method.py": b"code",
        "new/deep/x.py": b"short",
        "parts/f": b"fine",
    }


@pytest.mark.parametrize(
    "path", ["", "/etc/passwd", "../outside/f", "parts/../../outside/f", "a//b", "./x", "a\0b", "/"]
)
def test_other_places_have_no_name(workspace, path):
    for use in (lambda: workspace.read(path, 10), lambda: workspace.write(path, b"x")):
        with pytest.raises(WorkspaceError):
            use()


def test_absent_files_and_folders_are_told(workspace):
    with pytest.raises(WorkspaceError, match="no such file"):
        workspace.read("absent", 10)
    with pytest.raises(WorkspaceError, match="not a directory"):
        workspace.read("method.py/x", 10)
    with pytest.raises(WorkspaceError, match="is a directory"):
        workspace.read("parts", 10)


def test_links_are_followed_neither_at_the_end_nor_on_the_way(workspace, secret):
    (workspace.folder / "link").symlink_to(secret / "f")
    (workspace.folder / "door").symlink_to(secret)
    for path in ("link", "door/f", "door/new"):
        with pytest.raises(WorkspaceError):
            workspace.read(path, 10)
        with pytest.raises(WorkspaceError):
            workspace.write(path, b"x")
    assert (secret / "f").read_text() == "secret"
    assert [path.name for path in secret.iterdir()] == ["f"]
    assert list(workspace.files(100)) == ["method.py", "parts/f"]


def test_a_second_name_of_a_file_outside_is_refused(workspace, secret):
    os.link(secret / "f", workspace.folder / "second")
    with pytest.raises(WorkspaceError, match="more than one name"):
        workspace.read("second", 10)
    with pytest.raises(WorkspaceError, match="more than one name"):
        workspace.write("second", b"x")
    assert (secret / "f").read_text() == "secret"


def test_a_pipe_makes_nobody_wait(workspace):
    os.mkfifo(workspace.folder / "pipe")
    for use in (lambda: workspace.read("pipe", 10), lambda: workspace.write("pipe", b"x")):
        with pytest.raises(WorkspaceError):
            use()
    assert "pipe" not in list(workspace.files(10))


def test_limits_hold(workspace):
    with pytest.raises(WorkspaceError, match="too many files"):
        list(workspace.files(2))
    with pytest.raises(WorkspaceError, match="more than 7 bytes"):
        workspace.tree(max_files=10, max_bytes=7)


def test_turning_a_folder_into_a_link_while_it_is_used_wins_nothing(workspace, secret):
    """A thread exchanges `turn`, a folder of the workspace, and a link out of it, as fast as it can."""
    folder, over = workspace.folder, threading.Event()
    (folder / "turn").mkdir()
    (folder / "turn" / "f").write_text("fine")
    (folder / "door").symlink_to(secret)
    exchange, here = 2, -100  # RENAME_EXCHANGE, AT_FDCWD
    names = [bytes(folder / name) for name in ("turn", "door")]

    def swap():
        while not over.is_set():
            assert ctypes.CDLL(None).renameat2(here, names[0], here, names[1], exchange) == 0

    thread = threading.Thread(target=swap)
    thread.start()
    seen = set()
    deadline = time.monotonic() + 20
    try:
        for turn in itertools.count():
            if (turn > 3000 and len(seen) == 2) or time.monotonic() > deadline:
                break
            try:
                seen.add(workspace.read("turn/f", 10))
                workspace.write("turn/g", b"mine")
            except WorkspaceError:
                seen.add("refused")
    finally:
        over.set()
        thread.join()
    assert seen == {b"fine", "refused"}
    assert [path.name for path in secret.iterdir()] == ["f"]
