"""Scratch folders of archives: gone afterwards, and the next one removes what a killed process left."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from experiments.archives import folders
from experiments.archives.folders import scratch_folder

HOLDS = """
import sys, time
from experiments.archives.folders import scratch_folder
with scratch_folder() as folder:
    (folder / "table.jsonl").write_text("much")
    print(folder, flush=True)
    time.sleep(60)
"""


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(folders, "_SETTLED", 0)


def test_what_a_killed_process_left_goes_and_what_a_living_one_uses_stays(tmp_path):
    makers = [
        subprocess.Popen(
            [sys.executable, "-c", HOLDS],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "TMPDIR": str(tmp_path)},
        )
        for _ in range(2)
    ]
    try:
        dead, alive = (Path(maker.stdout.readline().strip()) for maker in makers)
        makers[0].send_signal(signal.SIGKILL)
        makers[0].wait()
        assert dead.is_dir()
        with scratch_folder() as own:
            assert own.is_dir()
            assert not dead.exists()
            assert (alive / "table.jsonl").read_text() == "much"
        assert not own.exists()
    finally:
        for maker in makers:
            maker.kill()
            maker.wait()
            maker.stdout.close()


def test_a_link_in_its_place_is_left_alone(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "kept").write_text("kept")
    (tmp_path / "aarweb-archive-x").symlink_to(elsewhere)
    with scratch_folder():
        pass
    assert (elsewhere / "kept").read_text() == "kept"


def test_a_folder_that_is_just_being_made_is_left_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(folders, "_SETTLED", 60)
    (tmp_path / "aarweb-archive-new").mkdir()
    with scratch_folder():
        assert (tmp_path / "aarweb-archive-new").is_dir()
