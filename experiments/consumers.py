"""The live stream of a campaign's events: first what the viewer missed, then what happens."""

import asyncio
import logging
import time
from typing import Any
from urllib.parse import parse_qs

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.contrib.auth import get_user_model
from django.db import DatabaseError

from experiments.feed import FRAME_EVENTS, Feed, Sent, following
from experiments.permissions import can_read_hidden, can_view_lab
from experiments.serializers.fields import LARGEST_NUMBER

logger = logging.getLogger(__name__)

FRAME_SECONDS = 0.1  # what happens within it comes in one message
CHECK_SECONDS = 15.0  # how long a permission that was taken away may still be used
BAD_REQUEST, UNAUTHENTICATED, FORBIDDEN, TRY_AGAIN = 4400, 4401, 4403, 1011


class CampaignStream(AsyncWebsocketConsumer):
    """/ws/campaigns/{id}/?after=N sends {"events": […]}: the objects of `GET events/`. It takes no messages."""

    channel_layer_alias = "none"  # the feed wakes it, and goes on without Redis; a layer that is gone would end it
    _task: asyncio.Task[None] | None = None
    _reads_hidden = False

    async def connect(self) -> None:
        """Accepts people who may view the lab; refusals come before the handshake ends."""
        after = _number(parse_qs(self.scope["query_string"].decode("latin-1")).get("after", ["0"])[-1])
        campaign = _number(self.scope["url_route"]["kwargs"]["campaign"])
        user = self.scope.get("user")
        if user is None or not user.is_authenticated:
            await self.close(UNAUTHENTICATED)
        elif not await self._may_watch():
            await self.close(FORBIDDEN)
        elif after is None or campaign is None:
            await self.close(BAD_REQUEST)
        else:
            await self.accept()
            self._task = asyncio.create_task(self._stream(campaign, after))

    async def disconnect(self, code: int) -> None:
        """Ends the stream with the socket."""
        if self._task is not None:
            self._task.cancel()

    async def _stream(self, campaign: int, after: int) -> None:
        try:
            with following(campaign) as feed:
                await feed.look()
                await self._send_all(feed, after)
        except DatabaseError as error:
            logger.warning("the live stream of campaign %s ends: %s", campaign, error)
            await self.close(TRY_AGAIN)

    async def _send_all(self, feed: Feed, last: int) -> None:
        checked_at = time.monotonic()
        while True:
            events = await feed.after(last)
            if events:
                await self.send(text_data=_frame(events, whole=self._reads_hidden))
                last = events[-1].number
                if len(events) < FRAME_EVENTS:
                    await asyncio.sleep(FRAME_SECONDS)
            else:
                await feed.wait(last, CHECK_SECONDS)
            if time.monotonic() - checked_at > CHECK_SECONDS:
                checked_at = time.monotonic()
                if not await self._may_watch():
                    await self.close(FORBIDDEN)
                    return

    @database_sync_to_async
    def _may_watch(self) -> bool:
        """Asked anew: accounts are disabled, tokens revoked, sessions ended while sockets are open."""
        user = get_user_model().objects.filter(pk=self.scope["user"].pk, is_active=True).first()
        self._reads_hidden = user is not None and can_read_hidden(user)
        still_valid = self.scope.get("still_valid")  # whatever let the caller in may say that it no longer does
        return user is not None and can_view_lab(user) and (still_valid is None or still_valid())


def _number(text: Any) -> int | None:
    digits = str(text)
    valid = digits.isascii() and digits.isdecimal() and len(digits) <= 19
    return int(digits) if valid and int(digits) <= LARGEST_NUMBER else None


def _frame(events: list[Sent], *, whole: bool) -> str:
    return f'{{"events":[{",".join(each.text if whole else each.told for each in events)}]}}'
