"""The tasks of the gpu, evaluation and default queues: each a wake-up for rows, harmless when it comes twice.

What a task needs is imported when it runs: torch costs seconds and 300 MB, which only workers that train should pay,
and a gpu worker never loads the code that opens labels.
"""

# ruff: noqa: PLC0415

from datetime import timedelta

from celery import shared_task
from django.conf import settings
from django.core.management import call_command
from django.utils import timezone

from experiments.services.idempotency import forget_answers
from experiments.services.reaper import reap as visit
from workers import start  # noqa: F401 - its signal handlers run at a worker's start and end
from workers.identity import worker_name

_after_probe = False  # what this worker did last was a probe


@shared_task(name="workers.train")
def train(experiment_id: int) -> None:
    """Something waits for a gpu worker: the most urgent is done, which need not be what the message is about."""
    from workers.probing import probe_next
    from workers.training import train_next

    global _after_probe  # noqa: PLW0603 - one worker does one thing at a time
    if _after_probe and train_next(worker=worker_name()):  # a burst of probes does not stop what people wait for
        _after_probe = False
        return
    _after_probe = probe_next(worker=worker_name())  # one that waited long, or has nothing before it
    if not _after_probe:
        train_next(worker=worker_name())


@shared_task(name="workers.evaluate")
def evaluate(experiment_id: int) -> None:
    """Predictions wait: score them."""
    from experiments.scoring import score_experiment

    score_experiment(experiment_id)


@shared_task(name="workers.prepare")
def prepare(slug: str) -> None:
    """A benchmark waits for a step that needs labels."""
    from workers.preparation import prepare_next

    prepare_next(worker=worker_name(), slug=slug)


@shared_task(name="workers.extract")
def extract(slug: str) -> None:
    """A benchmark waits for its features."""
    from workers.extraction import extract_features

    extract_features(worker=worker_name(), slug=slug)


@shared_task(name="workers.score_upload")
def score_upload(upload_id: int) -> None:
    """An uploaded vector waits."""
    from experiments.services.scored_uploads import score_upload as score

    score(upload_id)


@shared_task(name="workers.forget")
def forget() -> None:
    """Beat: drop what nobody will ask for again."""
    forget_answers(before=timezone.now() - timedelta(days=settings.IDEMPOTENCY_DAYS))
    call_command("clearsessions")


@shared_task(name="workers.probe")
def probe(probe_id: int) -> None:
    """Seeds wait to be run again: as above."""
    train(probe_id)


@shared_task(name="workers.score_probe")
def score_probe(probe_id: int) -> None:
    """A probe's predictions wait for the scorer."""
    from experiments.scored_probes import score_probe as score

    score(probe_id)


@shared_task(name="workers.judge_cell")
def judge_cell(experiment_id: int) -> None:
    """A cell of a transfer study has run: say what it shows."""
    from experiments.transfer.judging import judge_cell as judge

    judge(experiment_id)


@shared_task(name="workers.reap")
def reap() -> None:
    """Beat: put back what was lost, wake up who sleeps."""
    visit()
