"""What agents are saying right now, for whoever watches their campaign: coalesced, kept nowhere, dropped when slow."""

import asyncio
import json
import logging
from collections import deque
from contextlib import suppress
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

import redis.asyncio
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from redis.exceptions import RedisError

from agents.live import CHANNEL
from experiments.live import channel
from experiments.permissions import can_view_lab

log = logging.getLogger(__name__)

FRAME_SECONDS = 0.1
MOST_DELTAS = 200  # waiting for one viewer; a slow one loses the oldest, and finds the whole text in the transcript
RETRY_SECONDS = 1.0
UNAUTHENTICATED, FORBIDDEN = 4401, 4403


class TypingStream(AsyncWebsocketConsumer):
    """/ws/campaigns/{id}/typing/ sends {"deltas": [{"agent", "step", "action", "text"}]}. It takes no messages."""

    _task: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        """Accepts people who may view the lab."""
        user = self.scope.get("user")
        if user is None or not user.is_authenticated:
            await self.close(UNAUTHENTICATED)
        elif not await database_sync_to_async(can_view_lab)(user):
            await self.close(FORBIDDEN)
        else:
            self.campaign = int(self.scope["url_route"]["kwargs"]["campaign"])
            self.waiting: deque[dict[str, Any]] = deque(maxlen=MOST_DELTAS)
            self.stirred = asyncio.Event()
            await self.accept()
            _ears().add(self)
            self._task = asyncio.create_task(self._send_all())

    async def disconnect(self, code: int) -> None:
        """Ends the stream with the socket."""
        if self._task is not None:
            self._task.cancel()
            _ears().remove(self)

    def hear(self, delta: dict[str, Any]) -> None:
        """One more piece; called in the loop's own thread."""
        self.waiting.append(delta)
        self.stirred.set()

    async def _send_all(self) -> None:
        while True:
            await self.stirred.wait()
            await asyncio.sleep(FRAME_SECONDS)
            self.stirred.clear()
            deltas = list(self.waiting)
            self.waiting.clear()
            await self.send(text_data=json.dumps({"deltas": deltas}))


class _Ears:
    """One subscription per event loop, however many watch."""

    def __init__(self) -> None:
        self.viewers: WeakSet[TypingStream] = WeakSet()
        self._task: asyncio.Task[None] | None = None

    def add(self, viewer: TypingStream) -> None:
        self.viewers.add(viewer)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._listen())

    def remove(self, viewer: TypingStream) -> None:
        self.viewers.discard(viewer)
        if not self.viewers and self._task is not None:
            self._task.cancel()
            self._task = None

    async def _listen(self) -> None:
        while True:
            with suppress(RedisError, OSError):
                client = redis.asyncio.Redis.from_url(settings.REDIS_URL, health_check_interval=30)
                async with client, client.pubsub() as heard:
                    await heard.subscribe(channel(CHANNEL))
                    async for message in heard.listen():
                        if message["type"] == "message":
                            self._pass_on(json.loads(message["data"]))
            await asyncio.sleep(RETRY_SECONDS)

    def _pass_on(self, delta: dict[str, Any]) -> None:
        campaign = delta.pop("campaign")
        for viewer in list(self.viewers):
            if viewer.campaign == campaign:
                viewer.hear(delta)


_by_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, _Ears] = WeakKeyDictionary()


def _ears() -> _Ears:
    return _by_loop.setdefault(asyncio.get_running_loop(), _Ears())
