"""The processes of a lab beside its services: which they are and how each is started."""

import os
import sys
from collections.abc import Mapping

from aarweb.lab.environment import PROJECT, without_key
from aarweb.lab.paths import Paths
from aarweb.lab.processes import Program

WEB = "web"

AGENT_THREADS = 16
# name: queues, how tasks run side by side. One training at a time; the others mostly wait for rows and sockets.
_WORKERS = {
    "worker-gpu": ("gpu", ["--pool", "solo"]),
    "worker-evaluation": ("evaluation", ["--pool", "threads", "-c", "2"]),
    "worker-default": ("default", ["--pool", "threads", "-c", "4"]),
    # a step waits for a model most of its time; so many think at once, the others' rows wait
    "worker-agents": ("agents", ["--pool", "threads", "-c", str(AGENT_THREADS)]),
}
# What Celery says at each start and each reconnection, whatever the settings are: that root runs it (the containers and
# laptops where it does are their owner's), and that Celery 6 will have another default for acknowledging late.
_KNOWN = ("ignore:You're running the worker with superuser", "ignore::PendingDeprecationWarning")
# Draws runs' seeds; gpu workers are handed seeds and never derive them.
_NOT_FOR_GPU = {"SEED_SECRET", "SEED_SECRET_FILE"}
# Speaks to the model's API. Nothing else holds the key: not the web, which everybody reaches, and least of all the
# workers whose sandboxes run agents' code.
_HOLDS_KEY = "worker-agents"


def environment(paths: Paths, services: Mapping[str, str]) -> dict[str, str]:
    """What each process of the lab finds: the caller's environment and the services' addresses."""
    return {
        # threads of torch that wait for each other must not spin: two workers on two cores took up to 20 times as long
        "OMP_WAIT_POLICY": "PASSIVE",
        **os.environ,
        **services,
        "DATA_DIR": str(paths.data),
        "DJANGO_SETTINGS_MODULE": "aarweb.settings",
        "PYTHONUNBUFFERED": "1",
        "TQDM_DISABLE": "1",  # bars of libraries, in a log that is no terminal
    }


def prepare(variables: Mapping[str, str]) -> Program:
    """Brings the database and the static files up to date; its last line has the login link."""
    command = [sys.executable, str(PROJECT / "manage.py"), "prepare"]
    return Program("prepare", command, without_key(variables), PROJECT)


def web(variables: Mapping[str, str], bind: str, port: int) -> Program:
    """HTTP and WebSocket."""
    command = [*_module("daphne"), "-v", "0", "-b", bind, "-p", str(port), "aarweb.asgi:application"]
    return Program(WEB, command, without_key(variables), PROJECT)


def background(variables: Mapping[str, str]) -> list[Program]:
    """Celery's workers and its clock."""
    celery = [sys.executable, *(f"-W{known}" for known in _KNOWN), "-m", "celery", "-A", "aarweb", "--quiet"]
    level = ["-l", variables.get("LOG_LEVEL") or "INFO"]
    programs = []
    for name, (queues, pool) in _WORKERS.items():
        command = [*celery, "worker", "-Q", queues, "-n", f"{name}@%h", *level, *pool]
        # there is no other worker to agree with at the start; rows carry the state
        command += ["--without-mingle", "--without-gossip"]
        kept_back = _NOT_FOR_GPU if name == "worker-gpu" else set()
        given = variables if name == _HOLDS_KEY else without_key(variables)
        own = {key: value for key, value in given.items() if key not in kept_back}
        if name == _HOLDS_KEY:  # every thread, and its heartbeat now and then
            own.setdefault("DATABASE_POOL", str(AGENT_THREADS + 8))
        programs.append(Program(name, command, own, PROJECT))
    beat = [*celery, "beat", *level, "--pidfile="]
    return [*programs, Program("beat", beat, without_key(variables), PROJECT)]


def _module(name: str) -> list[str]:
    return [sys.executable, "-m", name]
