"""tests `manage.py benchmark`."""

import json
import threading
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from experiments import scoring
from experiments.lifecycle import BenchmarkState
from experiments.models import Benchmark
from experiments.services.benchmarks import sync_builtin
from tests.factories import make_user
from tests.workers import world
from tests.workers.conftest import FACTS
from workers.extraction import extract_features
from workers.preparation import prepare_next
from workers.w2s.benchmarks import BUILTIN

pytestmark = pytest.mark.django_db(transaction=True)


def benchmark(*arguments: str) -> str:
    out = StringIO()
    call_command("benchmark", *arguments, stdout=out)
    return out.getvalue()


class Workers:
    """A thread that takes every step of every preparation."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self.thread = threading.Thread(target=self._work)

    def __enter__(self):
        self.thread.start()

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()

    def _work(self):
        try:
            while not self.done.wait(0.05):
                for slug in Benchmark.objects.values_list("slug", flat=True):
                    try:
                        prepare_next(worker="evaluation@test", slug=slug) or extract_features(
                            worker="gpu@test", slug=slug
                        )
                    except Exception as error:
                        print(error)
        finally:
            connection.close()


@pytest.fixture
def owner(settings, cache_dir):
    """The lab's owner; this process may score, and finds the tiny model."""
    settings.FEATURE_CACHE_DIR = cache_dir
    scoring.become_scorer()
    return make_user("admin", "owner", is_superuser=True)


def test_sync_registers_what_is_built_in_once():
    first = json.loads(benchmark("sync", "--json"))
    assert first == {"changed": [spec.slug for spec in BUILTIN], "references": ["chat", "math", "code"]}
    assert json.loads(benchmark("sync", "--json"))["changed"] == []
    for spec in BUILTIN:
        row = Benchmark.objects.get(slug=spec.slug)
        assert (row.state, row.builtin) == (BenchmarkState.REGISTERED, True)
        assert (row.weak_model, row.strong_model) == (str(spec.weak), str(spec.strong))
        assert tuple(row.offers) == spec.offers


def test_sync_brings_an_idle_benchmark_up_to_date_and_leaves_a_ready_one_alone():
    benchmark("sync")
    slug = BUILTIN[0].slug
    Benchmark.objects.filter(slug=slug).update(title="Old")
    assert json.loads(benchmark("sync", "--json"))["changed"] == [slug]
    Benchmark.objects.filter(slug=slug).update(title="Old", state=BenchmarkState.READY)
    assert json.loads(benchmark("sync", "--json"))["changed"] == []
    assert Benchmark.objects.get(slug=slug).title == "Old"


def test_prepare_waits_until_it_is_ready(owner):
    sync_builtin(benchmarks=[FACTS])
    with Workers():
        said = benchmark("prepare", "words")
    assert said.startswith("words: ready, weak 0.")
    assert json.loads(benchmark("prepare", "words", "--json"))["state"] == "ready"
    listed = {row["slug"]: row for row in json.loads(benchmark("list", "--json"))}
    assert listed["words"]["sizes"]["dev"] == world.SIZES["dev"]
    assert listed["words"]["ceiling"] > listed["words"]["weak"]
    assert "words" in benchmark("list")


def test_a_failed_preparation_is_told_with_its_reason(owner, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    sync_builtin(benchmarks=[FACTS])
    Benchmark.objects.update(strong_model="hf:tiny/absent")
    with Workers(), pytest.raises(CommandError, match="neither on this machine"):
        benchmark("prepare", "words")


def test_an_unknown_benchmark_is_one_sentence(owner):
    with pytest.raises(CommandError, match="no benchmark 'nowhere'"):
        benchmark("prepare", "nowhere")


def import_folder(folder, *more: str) -> str:
    model = f"hf:{world.MODEL}"
    arguments = ["--slug", "mine", "--weak", f"{model}@layers=1", "--strong", model, "--teachers", "3", "--seeds", "3"]
    return benchmark("import", str(folder), *arguments, *more)


@pytest.fixture
def folder(tmp_path):
    """The published layout, made of words."""
    data = world.words()
    files = {"teacher_train": "train_label", "student_train": "train_unlabel", "dev": "test", "holdout": "test"}
    for item, label in zip(data.items, data.labels, strict=True):
        row = {
            "prompt": item.question + " " + item.group,
            "first": item.responses[0],
            "second": item.responses[1],
            "label": "A" if label else "B",
        }
        with (tmp_path / f"{files[item.split]}.jsonl").open("a") as file:
            file.write(json.dumps(row) + "\n")
    return tmp_path


def test_import_makes_a_benchmark_of_ones_own_data(owner, folder):
    with Workers():
        said = import_folder(folder)
    assert said.startswith("mine: ready, weak 0.")
    row = Benchmark.objects.get(slug="mine")
    assert not row.builtin
    assert row.sizes["dev"] + row.sizes["holdout"] == 320
    with pytest.raises(CommandError, match="choose another slug"):
        import_folder(folder)


def test_import_refuses_data_before_anything_is_stored(owner, folder):
    with (folder / "test.jsonl").open("a") as file:
        file.write('{"prompt": "which?", "first": "a"}\n')
    with pytest.raises(CommandError, match=r"test\.jsonl.*321"):
        import_folder(folder)
    assert not Benchmark.objects.exists()


def test_data_that_changed_between_import_and_preparation_is_refused(owner, folder):
    import_folder(folder, "--no-wait")
    lines = (folder / "test.jsonl").read_text().splitlines()
    (folder / "test.jsonl").write_text("\n".join(lines[:-4]) + "\n")
    with Workers(), pytest.raises(CommandError, match="has changed since it was imported"):
        benchmark("prepare", "mine")


def test_a_model_that_cannot_be_read_is_one_sentence(owner, folder):
    with pytest.raises(CommandError, match="expected wheel:NAME or hf:OWNER/NAME"):
        benchmark("import", str(folder), "--slug", "mine", "--weak", "gpt", "--strong", "gpt")
