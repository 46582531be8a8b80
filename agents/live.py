"""What an agent is saying right now: pieces of text for whoever watches, gathered ten times a second and kept nowhere.

Only events are kept; a viewer that was away finds the whole text in the transcript.
"""

import json
import logging
import os
import threading
import time
from collections.abc import Callable
from types import TracebackType

import redis

from agents.models import Action, Agent, Step
from experiments.live import channel, client

log = logging.getLogger(__name__)

CHANNEL = "typing"
EVERY_SECONDS = 0.1


def _in_background(run: Callable[[], None]) -> None:
    threading.Thread(target=run, name="typing", daemon=True).start()


class Timer:
    """One thread for all that speak in this process; it rests while nobody does.

    Each period what was said in it is sent, whether or not more comes: a timer of its own for each would be a thread
    for each, and none at all would keep the last words until the next ones.
    """

    def __init__(self, start: Callable[[Callable[[], None]], None] = _in_background) -> None:
        self._start = start
        self._pid = 0  # of the process that the thread runs in: a fork leaves it behind
        self._speaking: list[Typing] = []
        self._changed = threading.Condition()

    @property
    def speaking(self) -> int:
        """How many blocks are open."""
        return len(self._speaking)

    def add(self, typing: "Typing") -> None:
        """Its words are sent from now on."""
        with self._changed:
            self._speaking.append(typing)
            if self._pid != os.getpid():
                try:
                    self._start(self._run)
                    self._pid = os.getpid()
                except RuntimeError as error:  # no more threads: whoever speaks next tries again
                    log.warning("live text waits for the end of its block: %s", error)
            self._changed.notify()

    def remove(self, typing: "Typing") -> None:
        """Its block has ended."""
        with self._changed:
            self._speaking.remove(typing)

    def tick(self) -> None:
        """A period is over."""
        for typing in list(self._speaking):
            typing.flush()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._speaking)
            time.sleep(EVERY_SECONDS)
            self.tick()


TIMER = Timer()


class Typing:
    """While the block is open, what is said is sent on in batches; what goes wrong in it costs only the live view."""

    def __init__(self, agent: Agent, step: Step, *, action: Action | None = None, timer: Timer = TIMER) -> None:
        self._about = {
            "campaign": agent.campaign_id,
            "agent": agent.pk,
            "step": step.number,
            "action": action.pk if action else None,
        }
        self._timer = timer
        self._pieces: list[str] = []
        self._lock = threading.Lock()
        self._sending = threading.Lock()  # batches leave in their order, whoever sends them

    def __enter__(self) -> "Typing":
        self._timer.add(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.remove(self)
        self.flush()

    def say(self, text: str) -> None:
        """More text; sent within a tenth of a second."""
        with self._lock:
            self._pieces.append(text)

    def flush(self) -> None:
        """Send what was said since the last time."""
        with self._sending:
            with self._lock:
                text, self._pieces = "".join(self._pieces), []
            if not text:
                return
            try:
                client().publish(channel(CHANNEL), json.dumps({**self._about, "text": text}))
            except redis.RedisError as error:
                log.warning("live text was not sent: %s", error)
            except Exception:  # neither the step that speaks may die of it nor the one timer of all others
                log.exception("live text was not sent")
