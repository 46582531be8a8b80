"""The tasks of oversight: each a wake-up for rows, harmless when it comes twice."""

# ruff: noqa: PLC0415 - detectors bring SciPy and the scorer, which web and gpu processes never need

import os
import socket
import threading

from celery import shared_task


@shared_task(name="oversight.inspect")
def inspect(experiment_id: int) -> None:
    """A scored experiment waits for the detectors."""
    from oversight.inspection import inspect_experiment

    inspect_experiment(experiment_id=experiment_id, worker=_worker())


@shared_task(name="oversight.inspect_again")
def inspect_again(experiment_id: int) -> None:
    """There is news of an experiment."""
    from oversight.services.inspections import request_inspection

    request_inspection(experiment_id=experiment_id)


@shared_task(name="oversight.inspect_uploads")
def inspect_uploads(benchmark_id: int) -> None:
    """Uploads to a benchmark wait for them."""
    from oversight.inspection import inspect_uploads as inspect_all

    inspect_all(benchmark_id=benchmark_id, worker=_worker())


@shared_task(name="oversight.read")
def read() -> None:
    """Code waits for the monitor: on the agents queue, whose worker alone has the model key."""
    from experiments.dispatch import read_code
    from oversight.monitor.reading import read_next

    if read_next(worker=_worker("agents")):
        read_code()  # the next one


@shared_task(name="oversight.reap")
def reap() -> None:
    """Beat: inspections and readings that were lost, refused calls that add up, the end of the audit chain."""
    from oversight.inspection import inspect_refusals
    from oversight.services.audit_heads import keep_head
    from oversight.services.inspections import visit
    from oversight.services.readings import visit_readings

    visit()
    visit_readings()
    inspect_refusals()
    keep_head()


def _worker(queue: str = "evaluation") -> str:
    return f"{queue}@{socket.gethostname()}:{os.getpid()}:{threading.get_native_id()}"
