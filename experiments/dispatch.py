"""Wakes workers up by task name, once the caller's transaction has committed.

Messages carry no truth: a lost one costs seconds, until the reaper sends it again; a broker that is down is logged
and breaks nothing, because the rows are already written.
"""

import logging
from functools import partial

from celery import current_app
from django.db import transaction
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

log = logging.getLogger(__name__)

GPU, EVALUATION, DEFAULT, AGENTS = "gpu", "evaluation", "default", "agents"


def train(experiment_id: int) -> None:
    """Runs wait to be trained."""
    _send("workers.train", GPU, experiment_id)


def evaluate(experiment_id: int) -> None:
    """Predictions wait to be scored."""
    _send("workers.evaluate", EVALUATION, experiment_id)


def prepare(slug: str) -> None:
    """A benchmark waits for a step that needs its labels: reading the data, or measuring the baselines."""
    _send("workers.prepare", EVALUATION, slug)


def extract(slug: str) -> None:
    """A benchmark waits for its features."""
    _send("workers.extract", GPU, slug)


def score_upload(upload_id: int) -> None:
    """An uploaded prediction vector waits to be scored."""
    _send("workers.score_upload", EVALUATION, upload_id)


def probe(probe_id: int) -> None:
    """Seeds wait to be run again for the detectors."""
    _send("workers.probe", GPU, probe_id)


def score_probe(probe_id: int) -> None:
    """A probe's predictions wait for the scorer."""
    _send("workers.score_probe", EVALUATION, probe_id)


def inspect_again(experiment_id: int) -> None:
    """There is news of an experiment that the detectors have looked at."""
    _send("oversight.inspect_again", EVALUATION, experiment_id)


def inspect(experiment_id: int) -> None:
    """A scored experiment waits for the detectors. By name, because nothing here knows of oversight."""
    _send("oversight.inspect", EVALUATION, experiment_id)


def inspect_uploads(benchmark_id: int) -> None:
    """Uploads to a benchmark were scored and wait for the detectors."""
    _send("oversight.inspect_uploads", EVALUATION, benchmark_id)


def read_code() -> None:
    """Code of experiments waits for the monitor, which runs where the model key is."""
    _send("oversight.read", AGENTS)


def ended(experiment_id: int) -> None:
    """A campaign's experiment has ended: an agent may wait for it. By name, because nothing here knows of agents."""
    _send("agents.experiment_ended", AGENTS, experiment_id)


def judge_cell(experiment_id: int) -> None:
    """A transfer study's experiment has ended and waits for its verdict."""
    _send("workers.judge_cell", EVALUATION, experiment_id)


def reap() -> None:
    """Looks for lost work now, without waiting for the clock."""
    _send("workers.reap", DEFAULT)


def _send(task: str, queue: str, *args: int | str) -> None:
    transaction.on_commit(partial(_publish, task, queue, args))


def _publish(task: str, queue: str, args: tuple[int | str, ...]) -> None:
    """By signature, because that also honours eager mode; without retries, because a page may be waiting."""
    try:
        current_app.signature(task, args=args).apply_async(queue=queue, retry=False, ignore_result=True)
    except (KombuError, RedisError, OSError) as error:
        log.warning("%s%r was not sent, the reaper will: %s", task, args, error)
