"""A benchmark made by the real steps on a tiny model, and users to work on it."""

import pytest

from experiments import scoring
from experiments.models import Benchmark
from experiments.services.benchmarks import BenchmarkFacts, request_preparation, sync_builtin
from experiments.services.workers import announce_methods
from tests.factories import make_user
from tests.workers import world
from workers.catalogue import methods
from workers.extraction import extract_features
from workers.preparation import prepare_next

FACTS = BenchmarkFacts(
    slug="words",
    title="Words",
    description="Which word comes first?",
    dataset="words",
    weak_model=f"hf:{world.MODEL}@layers=1",
    strong_model=f"hf:{world.MODEL}",
    teachers=3,
    default_seeds=4,
)


@pytest.fixture(scope="session")
def cache_dir(tmp_path_factory):
    """Features of the tiny model, extracted once per session."""
    folder = tmp_path_factory.mktemp("features")
    world.save_model(folder)
    return folder


@pytest.fixture
def registered(db, settings, cache_dir) -> Benchmark:
    """The benchmark as a start of the lab registers it, and this process as one that may score."""
    settings.FEATURE_CACHE_DIR = cache_dir
    scoring.become_scorer()
    sync_builtin(benchmarks=[FACTS])
    announce_methods(methods=methods())
    return Benchmark.objects.get(slug="words")


@pytest.fixture
def words(registered) -> Benchmark:
    """READY, by the steps that workers take."""
    request_preparation(user=make_user("admin"), slug="words")
    assert prepare_next(worker="evaluation@test", slug="words")
    assert extract_features(worker="gpu@test", slug="words")
    assert prepare_next(worker="evaluation@test", slug="words")
    registered.refresh_from_db()
    return registered
