"""The feature cache: right numbers, computed once, whole after a kill, shared by processes."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers

from tests.w2s.tiny import SHADES, save_tiny
from workers.w2s import features
from workers.w2s.features import collect, content_key, entries, text_features
from workers.w2s.models import ModelError
from workers.w2s.spec import ModelSpec, Progress
from workers.w2s.texts import Text, qa_text

TEXTS = [qa_text(f"the {shade}", answer) for shade in SHADES[:8] for answer in ("red", "blue")]
MODEL = ModelSpec("hf", "tiny/llama")

# Extraction in a process of its own, four texts a shard, each noted in a file; {before} may break it.
SCRIPT = """
import os, signal, sys, time
from pathlib import Path
from tests.w2s.test_features import MODEL, TEXTS
from workers.w2s import features
features.SHARD_TEXTS = 4
calls = Path(sys.argv[1]) / "calls"
compute = features.text_outputs
def counted(*args, **kwargs):
    with calls.open("a") as stream:
        stream.write("x")
    return compute(*args, **kwargs)
features.text_outputs = counted
{before}
found = features.text_features(MODEL, TEXTS, layers=[1, 2], likelihood=True, cache_dir=Path(sys.argv[1]))
print(float(found.states[2].float().sum()), float(found.log_likelihood.sum()))
"""
# the third shard is written under its temporary name when the process dies
KILLED = """
saved = []
save = features.save_file
def last_words(tensors, path):
    save(tensors, path)
    saved.append(path)
    if len(saved) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
features.save_file = last_words
"""
# both processes stand at the door before either may go in, and each shard takes a while
TOGETHER = """
def slow(*args, **kwargs):
    time.sleep(0.2)
    return counted(*args, **kwargs)
features.text_outputs = slow
(Path(sys.argv[1]) / f"ready-{os.getpid()}").touch()
while len(list(Path(sys.argv[1]).glob("ready-*"))) < 2:
    time.sleep(0.01)
"""


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    save_tiny(tmp_path)
    return tmp_path


def script(cache: Path, before: str = "") -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", SCRIPT.replace("{before}", before), str(cache)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_states_and_likelihoods_are_those_of_the_model_alone(cache: Path) -> None:
    found = text_features(MODEL, TEXTS, layers=[0, 1, 2], likelihood=True, cache_dir=cache)
    folder = cache / "models" / "hf" / "tiny/llama"
    model = transformers.AutoModelForCausalLM.from_pretrained(folder)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    assert found.log_likelihood is not None
    for text in TEXTS:
        ids = tokenizer(f"{text.prefix} {text.answer}", return_tensors="pt")["input_ids"]
        with torch.inference_mode():
            out = model(ids, output_hidden_states=True)
        for layer in (0, 1, 2):
            want, got = out.hidden_states[layer][0, -1], found.states[layer][found.rows[text]].float()
            assert torch.linalg.vector_norm(want - got) < 0.03 * torch.linalg.vector_norm(want)
        want_log = out.logits[0, -2].log_softmax(0)[ids[0, -1]]
        assert found.log_likelihood[found.rows[text]] == pytest.approx(float(want_log), abs=0.03)


def test_equal_texts_are_kept_once_and_found_again(cache: Path) -> None:
    found = text_features(MODEL, [*TEXTS, *TEXTS[::-1]], layers=[1], cache_dir=cache)
    assert found.states[1].shape == (len(TEXTS), 16)
    assert found.states[1].dtype == torch.bfloat16
    assert set(found.rows) == set(TEXTS)


def test_the_second_use_computes_nothing(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = text_features(MODEL, TEXTS, layers=[1, 2], cache_dir=cache)
    monkeypatch.setattr(features, "load", lambda *args, **kwargs: pytest.fail("the model was loaded again"))
    second = text_features(MODEL, TEXTS[::-1], layers=[2], cache_dir=cache)
    assert torch.equal(first.states[2], second.states[2])
    assert first.key == second.key


def test_a_layer_that_is_missing_is_added_and_the_others_stay(cache: Path) -> None:
    key = text_features(MODEL, TEXTS, layers=[1], cache_dir=cache).key
    before = (cache / "features" / key / "layer-01.safetensors").stat().st_mtime_ns
    both = text_features(MODEL, TEXTS, layers=[1, 2], cache_dir=cache)
    assert (cache / "features" / key / "layer-01.safetensors").stat().st_mtime_ns == before
    together = text_features(MODEL, TEXTS, layers=[1, 2], cache_dir=_fresh(cache))
    assert torch.equal(both.states[2], together.states[2])


def _fresh(cache: Path) -> Path:
    other = cache / "other"
    save_tiny(other)
    return other


def test_an_early_exit_reads_the_same_states_from_fewer_blocks(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = []
    load = features.load
    monkeypatch.setattr(features, "load", lambda spec, **kwargs: loaded.append(spec) or load(spec, **kwargs))
    text_features(MODEL, TEXTS, layers=[1], cache_dir=cache)
    text_features(MODEL, TEXTS[:4], layers=[1], likelihood=True, cache_dir=cache)
    assert [spec.layers for spec in loaded] == [1, None]


def test_anything_that_could_change_a_number_changes_the_key() -> None:
    base = {"weights": "w", "tokenizer": "t", "dtype": torch.float32}
    keys = {content_key(TEXTS, **base)}
    keys.add(content_key(TEXTS[:-1], **base))
    keys.add(content_key([*TEXTS[:-1], Text(TEXTS[-1].prefix + " ", TEXTS[-1].answer)], **base))
    for name, value in (("weights", "v"), ("tokenizer", "u"), ("dtype", torch.bfloat16)):
        keys.add(content_key(TEXTS, **base | {name: value}))
    assert len(keys) == 6


def test_other_weights_are_another_entry(cache: Path) -> None:
    one = text_features(MODEL, TEXTS, layers=[1], cache_dir=cache)
    other = text_features(save_tiny(cache, name="tiny/other", seed=1), TEXTS, layers=[1], cache_dir=cache)
    assert one.key != other.key
    assert not torch.equal(one.states[1], other.states[1])


def test_a_layer_after_the_last_is_refused(cache: Path) -> None:
    with pytest.raises(ModelError, match="no layer 3"):
        text_features(MODEL, TEXTS, layers=[3], cache_dir=cache)


def test_progress_counts_texts(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "SHARD_TEXTS", 6)
    told: list[Progress] = []
    text_features(MODEL, TEXTS, layers=[1], cache_dir=cache, report=told.append)
    counts = [(one.done, one.total) for one in told if one.stage == "hidden states of hf:tiny/llama"]
    assert counts[0] == (0, 16)
    assert counts[-1] == (16, 16)
    assert sorted(counts) == counts


def test_after_a_kill_only_the_missing_shards_are_computed(cache: Path) -> None:
    killed = script(cache, KILLED)
    killed.communicate()
    assert killed.returncode == -9
    (entry,) = entries(cache)
    assert entry.unfinished
    parts = list((cache / "features" / entry.key).glob("parts-*/*"))
    assert sorted(path.name for path in parts if ".tmp-" not in path.name) == ["0000.safetensors", "0001.safetensors"]
    assert sum(".tmp-" in path.name for path in parts) == 1
    assert (cache / "calls").read_text() == "xxx"

    resumed = script(cache)
    printed, errors = resumed.communicate()
    assert resumed.returncode == 0, errors
    assert (cache / "calls").read_text() == "xxx" + "xx"  # the third again, and the fourth
    assert not list((cache / "features").rglob("*.tmp-*"))
    assert not entries(cache)[0].unfinished

    undisturbed = text_features(MODEL, TEXTS, layers=[1, 2], likelihood=True, cache_dir=_fresh(cache))
    assert undisturbed.log_likelihood is not None
    want = [float(undisturbed.states[2].float().sum()), float(undisturbed.log_likelihood.sum())]
    np.testing.assert_allclose([float(number) for number in printed.split()], want, rtol=2e-2)


def test_two_processes_do_the_work_once(cache: Path) -> None:
    both = [script(cache, TOGETHER), script(cache, TOGETHER)]
    ends = [process.communicate() for process in both]
    assert [process.returncode for process in both] == [0, 0], ends
    assert (cache / "calls").read_text() == "xxxx"
    assert ends[0][0] == ends[1][0] != ""


def test_the_list_says_what_an_entry_is(cache: Path) -> None:
    assert entries(cache) == []
    key = text_features(MODEL, TEXTS, layers=[1, 2], likelihood=True, cache_dir=cache).key
    (entry,) = entries(cache)
    assert (entry.key, entry.model, entry.texts) == (key, "hf:tiny/llama", 16)
    assert entry.files == ("layer-01", "layer-02", "likelihood")
    assert 2 * 16 * 16 * 2 < entry.size_bytes < 10_000
    assert entry.seconds_unused < 60


def test_collecting_deletes_what_nobody_opened_and_opening_keeps_it(cache: Path) -> None:
    old = text_features(MODEL, TEXTS[:4], layers=[1], cache_dir=cache).key
    long_ago = time.time() - 3600
    os.utime(cache / "features" / old, (long_ago, long_ago))
    new = text_features(MODEL, TEXTS, layers=[1], cache_dir=cache).key
    assert [entry.key for entry in collect(cache, unused_seconds=600)] == [old]
    assert [entry.key for entry in entries(cache)] == [new]
    os.utime(cache / "features" / new, (long_ago, long_ago))
    text_features(MODEL, TEXTS, layers=[1], cache_dir=cache)
    assert collect(cache, unused_seconds=600) == []


def test_collecting_leaves_an_extraction_alone_and_sweeps_up_after_a_dead_one(cache: Path) -> None:
    killed = script(cache, KILLED)
    killed.communicate()
    busy = script(cache, TOGETHER)  # waits at the door for a second process, so it holds no lock yet
    busy.kill()
    busy.communicate()
    (entry,) = entries(cache)
    with features._free(cache / "features" / entry.key) as free:
        assert free
        assert collect(cache, unused_seconds=0) == []  # held here, as an extraction would
    assert collect(cache, unused_seconds=3600) == []
    (swept,) = entries(cache)
    assert not swept.unfinished
    assert not list((cache / "features").rglob("*.tmp-*"))
