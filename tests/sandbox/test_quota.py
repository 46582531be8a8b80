"""tests sandbox/quota.py: what a folder holds, however it was made, and taking away what is too much."""

import os
import shutil
import tempfile
import time
import traceback
from pathlib import Path

import pytest

import sandbox
from sandbox import Mount, Reason, quota
from sandbox.quota import of_folder, trim
from tests.sandbox.inside import SMALL, run

NOBODY = 65534
BIG = {"most_bytes": 2**40, "most_files": 10**6}


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "workspace"
    made.mkdir()
    return made


def fill(folder, *names, size=10_000):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x" * size)
        time.sleep(0.01)  # ctime has a grain


def test_files_folders_and_links_count_and_links_are_not_followed(folder, tmp_path):
    fill(folder, "a", "b/c")
    fill(tmp_path, "outside", size=10**6)
    (folder / "link").symlink_to(tmp_path)
    held = of_folder(folder, **BIG)
    assert held.files == 4
    assert 20_000 <= held.size_bytes < 100_000
    assert not held.hidden


def test_counting_stops_early(folder):
    fill(folder, *(f"{i}" for i in range(9)), size=10)
    assert of_folder(folder, most_bytes=2**40, most_files=3).files == 4


def test_what_was_changed_last_goes_first_whatever_its_times_say(folder):
    fill(folder, "old", "older/still")
    fill(folder, "new", "newer/file")
    os.utime(folder / "new", (1, 1))
    held = of_folder(folder, **BIG)
    taken = trim(folder, most_bytes=held.size_bytes, most_files=held.files - 3)
    assert sorted(taken) == ["new", "newer", "newer/file"]
    assert (folder / "older/still").exists()


def test_many_empty_folders_go_before_old_files(folder):
    fill(folder, "method.py")
    for i in range(30):
        (folder / f"deep{i}" / "er").mkdir(parents=True)
    taken = trim(folder, most_bytes=2**40, most_files=5)
    assert len(taken) == 56
    assert (folder / "method.py").exists()


def test_a_nest_too_deep_to_name_is_seen_and_taken_away(folder):
    fill(folder, "method.py")
    here = os.open(folder, os.O_RDONLY)
    for _ in range(2500):  # 5,000 characters: no path reaches the bottom
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    with os.fdopen(os.open("big", os.O_WRONLY | os.O_CREAT, dir_fd=here), "wb") as file:
        file.write(b"x" * 10**6)
    os.close(here)
    assert of_folder(folder, **BIG).hidden
    trim(folder, **BIG)
    assert sorted(path.name for path in folder.rglob("*")) == ["d"] * quota.MOST_DEPTH + ["method.py"]


@pytest.fixture
def as_nobody():
    """Runs a function in an empty folder as an account to which modes mean something, where we are root in a fork."""
    folder = Path(tempfile.mkdtemp())

    def call(check):
        if os.geteuid() != 0:
            check(folder)
            return
        os.chown(folder, NOBODY, NOBODY)
        child = os.fork()
        if child == 0:
            try:
                os.setgroups([])
                os.setgid(NOBODY)
                os.setuid(NOBODY)
                check(folder)
                os._exit(0)
            except BaseException:  # nothing may leave the fork: pytest would go on in it
                traceback.print_exc()
            finally:
                os._exit(1)
        assert os.waitpid(child, 0)[1] == 0

    yield call
    shutil.rmtree(folder)


@pytest.mark.parametrize("mode", [0, 0o400, 0o100, 0o200, 0o500])
def test_a_folder_that_is_closed_to_us_is_too_much_and_taken_away(as_nobody, mode):
    def check(folder):
        fill(folder, "closed/in/it", "closed/file")
        (folder / "closed").chmod(mode)
        if mode != 0o500:  # that one can be seen, but nothing in it be removed
            assert of_folder(folder, **BIG).hidden
        assert trim(folder, most_bytes=0, most_files=0)
        assert not list(folder.iterdir())

    as_nobody(check)


def test_a_workspace_that_closed_itself_is_opened_again(as_nobody):
    def check(folder):
        fill(folder, "file")
        folder.chmod(0)
        assert of_folder(folder, **BIG).hidden
        assert trim(folder, **BIG) == []
        assert of_folder(folder, **BIG).files == 1

    as_nobody(check)


@pytest.mark.skipif(sandbox.available() is not None, reason=str(sandbox.available()))
@pytest.mark.parametrize(
    "code",
    [
        "for i in range(100): open(f'/workspace/{i}', 'wb').write(bytes(2**20))",
        # files without a name: nothing in the folder shows them
        "import os\nkept = []\nfor i in range(40):\n    kept.append(open('/workspace/x', 'wb', 0))"
        "\n    os.unlink('/workspace/x')\n    kept[-1].write(os.urandom(2**20))\nimport time; time.sleep(20)",
        "import os\nfor i in range(10_000): os.mkdir(f'/workspace/{i}')\nimport time; time.sleep(20)",
        "import os\nfor i in range(200):\n    os.mkdir('d'); os.chdir('d')\nimport time; time.sleep(20)",
    ],
    ids=["bytes", "nameless", "folders", "depth"],
)
def test_a_sandbox_that_fills_its_folder_is_ended(folder, code):
    mount = Mount(folder, sandbox.WORKSPACE, writable=True, most_bytes=8 * 2**20, most_files=200)
    ended = run(f"{code}\nimport time; time.sleep(20)", limits=SMALL, mounts=[mount])
    assert ended.reason is Reason.FILES, ended
    trim(folder, most_bytes=8 * 2**20, most_files=200)
    assert not of_folder(folder, most_bytes=8 * 2**20, most_files=200).exceeds(8 * 2**20, 200)


@pytest.mark.skipif(sandbox.available() is not None, reason=str(sandbox.available()))
def test_a_disk_that_is_nearly_full_ends_it(folder, monkeypatch):
    monkeypatch.setattr("sandbox.process._KEPT_FREE", 2**60)
    mount = Mount(folder, sandbox.WORKSPACE, writable=True)
    ended = run("import time; time.sleep(20)", mounts=[mount])
    assert ended.reason is Reason.DISK
    assert "disk is nearly full" in ended.sentence()
