"""What is deleted from the cache folder, and what stays."""

import os
import time
from pathlib import Path

import filelock
import pytest

from workers.w2s.finetune.leftovers import collect_leftovers

DAY = 86_400


@pytest.fixture
def old(tmp_path: Path) -> list[Path]:
    names = [
        "token-states/a.safetensors",
        "finetuned/b.safetensors",
        "finetuned/c.unfinished",
        "finetuned/d.held-out.npy",
        "elicited/e.npy",
        "elicited/f.npy.tmp-17",
    ]
    paths = [tmp_path / name for name in names]
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"123")
        os.utime(path, (time.time() - 10 * DAY,) * 2)
    return paths


def test_what_was_not_used_for_long_enough_goes(old: list[Path], tmp_path: Path) -> None:
    fresh = tmp_path / "finetuned" / "fresh.safetensors"
    fresh.touch()
    assert {path for path, size in collect_leftovers(tmp_path, unused_seconds=9 * DAY) if size == 3} == set(old)
    assert fresh.is_file()


def test_half_written_files_go_and_younger_results_stay(old: list[Path], tmp_path: Path) -> None:
    deleted = collect_leftovers(tmp_path, unused_seconds=11 * DAY)
    assert [path.name for path, _ in deleted] == ["f.npy.tmp-17"]


def test_what_somebody_is_computing_stays(old: list[Path], tmp_path: Path) -> None:
    with filelock.FileLock(tmp_path / "finetuned" / "c.safetensors.lock"):
        collect_leftovers(tmp_path, unused_seconds=0)
    assert [path.name for path in old if path.exists()] == ["c.unfinished"]


def test_an_empty_cache_is_no_error(tmp_path: Path) -> None:
    assert collect_leftovers(tmp_path / "nothing", unused_seconds=0) == []
