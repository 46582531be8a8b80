"""What an agent is saying right now: pieces of text for whoever watches, gathered ten times a second and kept nowhere.

Only events are kept; a viewer that was away finds the whole text in the transcript.
"""

import json
import logging
import threading
import time
from types import TracebackType

import redis

from agents.models import Action, Agent, Step
from experiments.live import client

log = logging.getLogger(__name__)

CHANNEL = "aarweb:typing"
EVERY_SECONDS = 0.1


class Typing:
    """While the block is open, `say` sends text on in batches; a Redis that is down costs only the live view."""

    def __init__(self, agent: Agent, step: Step, *, action: Action | None = None) -> None:
        self._about = {
            "campaign": agent.campaign_id,
            "agent": agent.pk,
            "step": step.number,
            "action": action.pk if action else None,
        }
        self._pieces: list[str] = []
        self._sent_at = 0.0
        self._lock = threading.Lock()

    def __enter__(self) -> "Typing":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._flush()

    def say(self, text: str) -> None:
        """More text; sent when a tenth of a second has passed since the last batch, or at the end of the block."""
        with self._lock:
            self._pieces.append(text)
        if time.monotonic() - self._sent_at >= EVERY_SECONDS:
            self._flush()

    def _flush(self) -> None:
        with self._lock:
            text, self._pieces = "".join(self._pieces), []
        if not text:
            return
        self._sent_at = time.monotonic()
        try:
            client().publish(CHANNEL, json.dumps({**self._about, "text": text}))
        except redis.RedisError as error:
            log.warning("live text was not sent: %s", error)
