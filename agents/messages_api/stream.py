"""A streamed call in a thread of its own, so that its reader can leave at any moment, also before the first byte."""

import logging
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.1  # how long nothing may arrive before the reader asks whether it may go on


class Left(Exception):
    """The reader was told to leave; what was to come is lost, and the connection is closed."""


def events(open_stream: Callable[[], Any], *, may_go_on: Callable[[], bool]) -> Iterator[Any]:
    """What a stream sends, as it comes. open_stream: makes the call; a context manager that can be iterated.

    may_go_on: asked after each event and while nothing comes. Raises: Left, and whatever the call raises.
    """
    call = _Call(open_stream)
    threading.Thread(target=call.run, name="model-call", daemon=True).start()
    try:
        while True:
            try:
                event, error, over = call.arrived.get(timeout=LOOK_SECONDS)
            except Empty:
                event, error, over = None, None, False
            if error is not None:
                raise error
            if over:
                return
            if event is not None:
                yield event
            if not may_go_on():
                raise Left
    finally:
        call.leave()


class _Call:
    def __init__(self, open_stream: Callable[[], Any]) -> None:
        self.arrived: SimpleQueue[tuple[Any, BaseException | None, bool]] = SimpleQueue()
        self._open, self._left = open_stream, threading.Event()
        self._stream: Any = None

    def run(self) -> None:
        """In the thread. Whoever left before the headers came is not waited for: the connection ends when they do."""
        try:
            with self._open() as self._stream:
                for event in () if self._left.is_set() else self._stream:
                    self.arrived.put((event, None, False))
                    if self._left.is_set():
                        break
            self.arrived.put((None, None, True))
        except BaseException as error:  # handed to the reader, who raises it; there is nobody to raise it to here
            self.arrived.put((None, error, True))

    def leave(self) -> None:
        """Ends the connection under the thread that reads from it, so that the other side stops, too."""
        self._left.set()
        response = getattr(self._stream, "response", None)
        network = getattr(response, "extensions", {}).get("network_stream")
        if network is not None:
            with suppress(OSError, ValueError):
                network.get_extra_info("socket").shutdown(socket.SHUT_RDWR)
