"""`python -m workers.w2s` from the outside, on a tiny model and a dataset in memory."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from metrics import Estimate, pgr
from tests.w2s.test_arena import MANY, SPEC, labels_of, make_items
from tests.w2s.tiny import save_tiny
from workers.w2s import __main__ as cli
from workers.w2s import benchmarks
from workers.w2s.cli import baselines, experiment
from workers.w2s.cli.experiment import run_seed
from workers.w2s.cli.tables import columns, interval, size
from workers.w2s.data import DATASETS
from workers.w2s.spec import Dataset, Split


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder with the tiny model, and "shades" as the only benchmark."""
    save_tiny(tmp_path, layers=4)
    items = tuple(item for part in make_items().values() for item in part)
    labels = np.concatenate([labels_of(split) for split in Split])
    dataset = Dataset("shades", "1", "pair", "by question", items, labels)
    monkeypatch.setitem(DATASETS._items, "shades", lambda: dataset)
    monkeypatch.setattr(benchmarks, "BUILTIN", (replace(SPEC, dataset="shades", seeds=4),))
    return tmp_path


def call(cache: Path, *arguments: str) -> int:
    return cli.main([*arguments, "--cache-dir", str(cache)])


def test_an_experiment_prints_its_table(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(cache, "--benchmark", "shades", "--method", "vanilla", "--seeds", "3") == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[0].startswith("shades: vanilla (l2=cv), 3 seeds, 3 teachers, ")
    assert lines[2].split() == ["dev", "(8", "items)", "holdout", "(6", "items)"]
    assert [line.split("  ")[0] for line in lines[3:11]] == [
        "weak teachers",
        "control: a weak student",
        "baseline: vanilla",
        "vanilla",
        "ceiling",
        "PGR",
        "PGR over vanilla",
        "gap / SE",
    ]
    assert "hidden states of hf:tiny/llama: 0 of " in err


def test_json_holds_the_same_numbers_and_where_they_come_from(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call(cache, "--benchmark", "shades", "--method", "soft-labels", "--options", "l2=0.1", "--json", "--quiet")
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert err == ""
    assert (found["benchmark"], found["method"], found["options"]) == ("shades", "soft-labels", {"l2": 0.1})
    assert len(found["seeds"]) == 4
    assert {"dataset", "method", "features", "weights"} <= set(found["digests"])
    for split, many in (("dev", 8), ("holdout", 6)):
        part = found["scores"][split]
        assert part["n_items"] == many
        means = {arm: np.mean(values) for arm, values in part["accuracies"].items()}
        assert set(means) == {"method", "weak", "ceiling", "vanilla", "control"}
        assert part["pgr"]["value"] == pytest.approx(pgr(means["method"], means["weak"], means["ceiling"]))


def test_the_second_time_nothing_is_trained_again_and_the_numbers_are_the_same(
    cache: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    request = ("--benchmark", "shades", "--method", "logconf", "--json", "--quiet")
    call(cache, *request)
    first = json.loads(capsys.readouterr().out)
    monkeypatch.setattr(baselines, "train_teachers", lambda *args, **kwargs: pytest.fail("teachers trained again"))
    call(cache, *request)
    second = json.loads(capsys.readouterr().out)
    assert first | {"seconds": 0} == second | {"seconds": 0}


def test_baselines_on_disk_hold_predictions_and_no_labels(cache: Path) -> None:
    call(cache, "--benchmark", "shades", "--method", "vanilla", "--quiet")
    (path,) = (cache / "baselines").glob("*.npz")
    with np.load(path) as stored:
        assert {name.split("/")[0] for name in stored} == {"weak", "ceiling", "vanilla", "control"}
        assert stored["weak/student_train"].shape == (3, MANY[Split.STUDENT_TRAIN])
        assert all(stored[name].dtype == np.float32 for name in stored)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--benchmark", "shade", "--method", "vanilla"], "unknown benchmark 'shade'; known: shades"),
        (["--benchmark", "shades", "--method", "vanila"], "unknown method 'vanila'; known: "),
        (["--benchmark", "shades", "--method", "vanilla", "--options", "l2=-1"], "method 'vanilla': l2: "),
        (["--benchmark", "shades", "--method", "vanilla", "--options", "l3=1"], "l3: Extra inputs are not permitted"),
        (["--benchmark", "shades", "--method", "zero-shot"], "method 'zero-shot' needs likelihood"),
    ],
)
def test_what_cannot_be_is_a_sentence_and_exit_status_2(
    cache: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert call(cache, *arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert message in err
    assert not (cache / "features").exists(), "refused before any work"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "say what to run"),
        (["--benchmark", "shades"], "say what to run"),
        (["--seeds", "0"], "'0' is not a positive whole number"),
        (["--options", "l2"], "'l2' is not of the form NAME=VALUE"),
        (["cache", "burn"], "invalid choice: 'burn'"),
    ],
)
def test_wrong_arguments_print_the_usage(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_help_names_everything(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["--help"])
    assert ended.value.code == 0
    out = capsys.readouterr().out
    for word in ("--benchmark", "--method", "--seeds", "--options", "--json", "--cache-dir", "list", "cache"):
        assert word in out


def test_the_list_names_benchmarks_and_methods(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["list"]) == 0
    out = capsys.readouterr().out
    for word in ("geography-prior", "city-size", "latitude", "elements", "grammar", "geography-lora"):
        assert f"\n{word} " in out
    assert "vanilla" in out
    assert "weak_to_strong" in out


def test_the_cache_is_listed_and_swept(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["cache", "ls", "--cache-dir", str(cache)]) == 0
    assert "the feature cache is empty" in capsys.readouterr().out
    call(cache, "--benchmark", "shades", "--method", "vanilla", "--quiet")
    capsys.readouterr()
    cli.main(["cache", "ls", "--cache-dir", str(cache)])
    assert "hf:tiny/llama" in capsys.readouterr().out
    cli.main(["cache", "ls", "--json", "--cache-dir", str(cache)])
    (entry,) = json.loads(capsys.readouterr().out)
    assert entry["files"] == ["layer-01", "layer-02"]
    cli.main(["cache", "gc", "--days", "1", "--cache-dir", str(cache)])
    assert "deleted 0 of" in capsys.readouterr().out
    cli.main(["cache", "gc", "--days", "0", "--cache-dir", str(cache)])
    assert "deleted 1 of" in capsys.readouterr().out
    assert not list((cache / "features").glob("*/entry.json"))


def test_an_interrupt_ends_quietly(cache: Path, capsys: pytest.CaptureFixture[str], monkeypatch) -> None:
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(experiment, "load_dataset", interrupted)
    assert call(cache, "--benchmark", "shades", "--method", "vanilla") == 130
    assert "interrupted" in capsys.readouterr().err


def test_seeds_follow_from_what_is_run() -> None:
    seeds = [run_seed("digest", "geography", index) for index in range(20)]
    assert len(set(seeds)) == 20
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert seeds[0] == run_seed("digest", "geography", 0)
    assert seeds[0] != run_seed("digest", "latitude", 0)


def test_intervals_sizes_and_columns_read_well() -> None:
    estimate = Estimate(0.394, 0.1, 0.24, 0.51, True, 100, 5)
    assert interval(estimate) == "0.39 [0.24, 0.51]"
    assert interval(estimate, signed=True) == "+0.39 [0.24, 0.51]"
    assert interval(Estimate(0.4, 0.1, None, None, False, 9, 5)) == "0.40 [?, ?]"
    assert interval(Estimate(None, None, None, None, False, 9, 5, reason="no gap")) == "no gap"
    assert (size(900), size(2048), size(10 * 2**20)) == ("900 B", "2.0 KiB", "10.0 MiB")
    assert columns([["a", "bb"], ["ccc", "d"]]) == "a    bb\nccc  d"


def test_threads_that_wait_sleep() -> None:
    code = "import workers.w2s.heads, os; print(os.environ['OMP_WAIT_POLICY'])"
    for given, expected in ((None, "PASSIVE"), ("ACTIVE", "ACTIVE")):
        environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
        environment |= {} if given is None else {"OMP_WAIT_POLICY": given}
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == expected
