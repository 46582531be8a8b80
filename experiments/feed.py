"""The event log as the viewers of one process share it: each new row is read once, however many watch.

Numbers follow commit order and have no gaps, so "everything above the last number I sent" can miss nothing: not over
a reconnect, not over a lost wake-up, not for a viewer who reads slowly.
"""

import asyncio
import json
import logging
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import redis.asyncio
from channels.db import database_sync_to_async
from django.conf import settings
from django.db import DatabaseError
from redis.exceptions import RedisError

from experiments.hidden_words import all_hidden
from experiments.live import CHANNEL, channel
from experiments.selectors.api_events import events_after, last_number
from experiments.serializers.evaluations import Event as EventSerializer
from experiments.unsaid import Unsaid

logger = logging.getLogger(__name__)

FRAME_EVENTS = 200  # at most this many in one message
KEPT_EVENTS = 1000  # read from memory by viewers who lag a little; who lags more reads rows
LOOK_SECONDS = 3.0  # heals a wake-up that was lost
RETRY_SECONDS = 1.0
GATHER_SECONDS = 0.03  # a burst of commits costs one read


class Sent(NamedTuple):
    """An event's number and its JSON, as the API's serializer shows it. told: the same without what was hidden."""

    number: int
    text: str
    told: str


class Feed:
    """One campaign's log in this process. `last`: the highest number that has been read."""

    def __init__(self, campaign: int) -> None:
        self.campaign = campaign
        self.viewers = 0
        self.last = -1
        self._recent: deque[Sent] = deque(maxlen=KEPT_EVENTS)  # consecutive, up to `last`
        self._hidden: Unsaid | None = None  # what `told` of these leaves out
        self._grown = asyncio.Event()
        self._reading = asyncio.Lock()

    async def look(self) -> None:
        """Reads what is new, and wakes the viewers who wait for it."""
        async with self._reading:
            if self.last < 0:
                self.last = await database_sync_to_async(last_number)(self.campaign)
            hidden = await database_sync_to_async(all_hidden)()
            if self._hidden is not None and hidden is not self._hidden:
                self._recent = deque((_told(each, hidden) for each in self._recent), maxlen=KEPT_EVENTS)
            self._hidden = hidden
            while fresh := await _rows(self.campaign, self.last, hidden):
                self._recent.extend(fresh)
                self.last = fresh[-1].number
                self._grown.set()
                self._grown = asyncio.Event()
                if len(fresh) < FRAME_EVENTS:
                    break

    async def after(self, number: int) -> list[Sent]:
        """Up to FRAME_EVENTS events above a number, oldest first."""
        if number >= self.last:
            return []
        if self._recent and self._recent[0].number <= number + 1:
            start = number + 1 - self._recent[0].number
            return [self._recent[i] for i in range(start, min(start + FRAME_EVENTS, len(self._recent)))]
        found: list[Sent] = await _rows(self.campaign, number, None)
        return found

    async def wait(self, number: int, seconds: float) -> None:
        """Returns once there is something above the number, or after `seconds`."""
        if self.last > number:
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(self._grown.wait(), seconds)


class _Listener:
    """Hears the wake-ups of this process's event loop, and looks by itself when none comes."""

    def __init__(self) -> None:
        self.feeds: dict[int, Feed] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._stirred: set[int] = set()
        self._news = asyncio.Event()

    def start(self) -> None:
        """Again, if a task has ended: viewers must not stay deaf."""
        if not self._tasks or any(task.done() for task in self._tasks):
            self.stop()
            self._tasks = [asyncio.create_task(self._hear()), asyncio.create_task(self._look())]

    def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        self._tasks = []

    async def _hear(self) -> None:
        while True:
            try:
                client = redis.asyncio.Redis.from_url(settings.REDIS_URL, health_check_interval=30)
                async with client, client.pubsub() as heard:
                    await heard.subscribe(channel(CHANNEL))
                    async for message in heard.listen():
                        if message["type"] == "message":
                            self._stirred.add(int(message["data"]))
                            self._news.set()
            except (RedisError, OSError) as error:
                logger.warning("live wake-ups are not heard: %s", error)
            await asyncio.sleep(RETRY_SECONDS)

    async def _look(self) -> None:
        loop = asyncio.get_running_loop()
        looked_at = loop.time()
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), LOOK_SECONDS)
            self._news.clear()
            stirred, self._stirred = self._stirred, set()
            if loop.time() - looked_at >= LOOK_SECONDS:  # also while other campaigns keep calling
                stirred, looked_at = set(self.feeds), loop.time()
            for feed in [self.feeds[each] for each in stirred if each in self.feeds]:
                try:
                    await feed.look()
                except DatabaseError as error:
                    logger.warning("the log of campaign %s cannot be read: %s", feed.campaign, error)
            await asyncio.sleep(GATHER_SECONDS)


_listeners: WeakKeyDictionary[asyncio.AbstractEventLoop, _Listener] = WeakKeyDictionary()


@contextmanager
def following(campaign: int) -> Iterator[Feed]:
    """The campaign's feed for as long as the caller watches it."""
    listener = _listeners.setdefault(asyncio.get_running_loop(), _Listener())
    feed = listener.feeds.setdefault(campaign, Feed(campaign))
    feed.viewers += 1
    listener.start()
    try:
        yield feed
    finally:
        feed.viewers -= 1
        if not feed.viewers:
            listener.feeds.pop(campaign, None)
        if not listener.feeds:
            listener.stop()


@database_sync_to_async
def _rows(campaign: int, after: int, hidden: Unsaid | None) -> list[Sent]:
    """hidden: as it is now, if it is not given."""
    unsaid = all_hidden() if hidden is None else hidden
    shown = EventSerializer(events_after(campaign, after)[:FRAME_EVENTS], many=True).data
    return [_sent(each, unsaid) for each in shown]


def _sent(event: dict[str, Any], hidden: Unsaid) -> Sent:
    told = {**event, "payload": hidden.taken_out(event["payload"])} if hidden else event
    text = _json(event)
    return Sent(event["number"], text, text if told == event else _json(told))


def _told(sent: Sent, hidden: Unsaid) -> Sent:
    return _sent(json.loads(sent.text), hidden)


def _json(event: dict[str, Any]) -> str:
    return json.dumps(event, ensure_ascii=False, separators=(",", ":"))
