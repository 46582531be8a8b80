"""Runs each HTTP request in one thread, from its first middleware to its last byte of content."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import IO, Any, cast

from asgiref.sync import sync_to_async
from django.core import signals
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler, get_script_prefix
from django.http import FileResponse, HttpResponseBase
from django.urls import set_script_prefix

# Threads are made when all others are busy, and kept. A call that waits for the scorer holds one for seconds, so this
# is far above what a machine computes at once; database connections have a pool of their own.
MOST_THREADS = 1000


class OneThreadHandler(ASGIHandler):
    """Django's handler for a site whose views are synchronous.

    Django's own changes threads at each middleware, about twenty times a request, and starts a thread for each
    request; that costs more than most views do (bench/evaluations.py shows it).
    """

    def __init__(self) -> None:
        super().__init__()
        pool = ThreadPoolExecutor(MOST_THREADS, thread_name_prefix="request")
        self._in_thread = sync_to_async(self._respond, thread_sensitive=False, executor=pool)

    def load_middleware(self, is_async: bool = False) -> None:
        """In synchronous mode, whatever mode is asked for."""
        super().load_middleware(is_async=False)

    async def handle(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """One request. Raises nothing: errors have become responses."""
        try:
            body = await self.read_body(receive)
        except RequestAborted:
            return
        set_script_prefix(get_script_prefix(scope))
        response = await self._in_thread(scope, body)
        try:
            if response.streaming:
                await self._stream(response, receive, send)
            else:
                await self.send_response(response, send)
        finally:
            body.close()

    def _respond(self, scope: dict[str, Any], body: IO[bytes]) -> HttpResponseBase:
        """In the request's thread. What does not stream is closed there, too: its connection goes back to the pool."""
        signals.request_started.send(sender=self.__class__, scope=scope)
        request, refusal = self.create_request(scope, body)
        response = cast(HttpResponseBase, self.get_response(request) if request is not None else refusal)
        response._handler_class = self.__class__  # type: ignore[attr-defined]
        if isinstance(response, FileResponse):
            response.block_size = self.chunk_size
        if not response.streaming:
            response.close()
        return response

    async def _stream(self, response: HttpResponseBase, receive: Any, send: Any) -> None:
        """Until all is sent, or the client has gone."""
        sending = asyncio.ensure_future(self.send_response(response, send))
        leaving = asyncio.ensure_future(receive())
        try:
            await asyncio.wait([sending, leaving], return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                sending.result()
        finally:
            for task in (sending, leaving):
                task.cancel()
            await asyncio.gather(sending, leaving, return_exceptions=True)
            await sync_to_async(response.close)()
