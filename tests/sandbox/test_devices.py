"""Root's own device nodes: made once, taken only if nobody else can have made them."""

import os
import shutil
import stat
from pathlib import Path

import pytest

from sandbox import devices

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root makes device nodes")


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(devices, "_FOLDER", f"aarweb-test-nodes-{os.getpid()}")
    yield tmp_path / devices._FOLDER
    shutil.rmtree(Path("/dev", devices._FOLDER), ignore_errors=True)


def test_they_are_made_once_and_belong_to_nobody(place):
    assert devices.safe_nodes() == place
    made = (place / "null").lstat()
    assert (made.st_uid, stat.S_IMODE(made.st_mode)) == (65534, 0o666)
    assert devices.safe_nodes() == place
    assert (place / "null").lstat().st_ino == made.st_ino
    assert sorted(path.name for path in place.parent.iterdir()) == [devices._FOLDER]


def test_what_a_cleaner_took_is_made_again(place):
    devices.safe_nodes()
    (place / "zero").unlink()
    assert devices.safe_nodes() == place
    assert (place / "zero").is_char_device()


def test_a_folder_that_somebody_else_put_there_is_not_taken(place):
    place.mkdir()
    (place / "null").touch()
    os.chown(place, 1000, 1000)
    found = devices.safe_nodes()
    assert found != place
    assert found is not None and found.parent.name == "dev"
    assert [path.name for path in place.iterdir()] == ["null"]


def test_a_link_is_not_taken_either(place, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    place.symlink_to(tmp_path / "elsewhere")
    assert devices.safe_nodes() != place
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_node_of_another_device_is_replaced(place):
    devices.safe_nodes()
    (place / "random").unlink()
    os.mknod(place / "random", 0o666 | stat.S_IFCHR, os.makedev(1, 5))
    devices.safe_nodes()
    assert (place / "random").lstat().st_rdev == os.makedev(1, 8)


def test_root_without_the_right_to_make_nodes_is_told(place, monkeypatch):
    def refuse(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("os.mknod", refuse)
    with pytest.raises(devices.NoDevices, match="may not make device nodes"):
        devices.safe_nodes()


def test_others_use_the_machines_own(monkeypatch):
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert devices.safe_nodes() is None
