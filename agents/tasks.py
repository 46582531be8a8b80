"""The tasks of the agents queue: each a wake-up for rows, harmless when it comes twice."""

# ruff: noqa: PLC0415 - the loop brings model clients and Optuna, which a web process never needs

import os
import socket
import threading

from celery import shared_task


@shared_task(name="agents.step")
def step(agent_id: int) -> None:
    """Take one agent one step further."""
    from agents.loop import run_step

    run_step(agent_id=agent_id, worker=f"agents@{socket.gethostname()}:{os.getpid()}:{threading.get_native_id()}")


@shared_task(name="agents.experiment_ended")
def experiment_ended(experiment_id: int) -> None:
    """News from below: whoever waits for this experiment goes on."""
    from agents.services.steps import wake_waiting

    wake_waiting(experiment_id=experiment_id)


@shared_task(name="agents.reap")
def reap() -> None:
    """Beat: wake up whoever is due and has not been told, and finish campaigns that are over."""
    from agents.services.reaper import reap as visit

    visit()
