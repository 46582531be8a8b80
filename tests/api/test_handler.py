"""One thread per request; aarweb/handler.py."""

import asyncio
import json
import threading

import pytest
from django.db import connection
from django.http import HttpResponse, StreamingHttpResponse
from django.urls import path

from aarweb.handler import OneThreadHandler
from aarweb.urls import handler500  # noqa: F401 - of this module, when it is the URL file
from experiments.models import Method

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.urls("tests.api.test_handler")]

sent_lines: list[int] = []
threads: list[str] = []


class Remembers:
    """A middleware that notes its thread."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        threads.append(threading.current_thread().name)
        return self.get_response(request)


def echo(request):
    threads.append(threading.current_thread().name)
    return HttpResponse(request.body + str(Method.objects.count()).encode())


def endless(_request):
    async def lines():
        for number in range(10_000):
            sent_lines.append(number)
            yield b"line\n"
            await asyncio.sleep(0.01)

    return StreamingHttpResponse(lines())


def breaks(_request):
    raise RuntimeError("swordfish")


urlpatterns = [path("echo/", echo), path("endless/", endless), path("api/breaks/", breaks)]


async def call(handler, address, body=b"", leave_when=None):
    """One request of a client that stays, unless told when to leave. Returns: status, and what was sent."""
    messages = [{"type": "http.request", "body": body[:3], "more_body": True}]
    messages.append({"type": "http.request", "body": body[3:], "more_body": False})
    chunks, status = [], []

    async def receive():
        if messages:
            return messages.pop(0)
        while leave_when is None or not leave_when():
            await asyncio.sleep(0.01)
        return {"type": "http.disconnect"}

    async def send(message):
        if "status" in message:
            status.append(message["status"])
        chunks.append(message.get("body", b""))

    headers = [(b"host", b"127.0.0.1"), (b"content-length", str(len(body)).encode())]
    scope = {"type": "http", "method": "POST", "path": address, "query_string": b"", "headers": headers}
    await asyncio.wait_for(handler(scope, receive, send), 60)
    return status[0], b"".join(chunks)


@pytest.fixture
def handler(settings):
    settings.MIDDLEWARE = ["tests.api.test_handler.Remembers"]
    threads.clear()
    sent_lines.clear()
    return OneThreadHandler()


async def test_middleware_and_view_share_a_thread_and_the_next_request_reuses_it(handler):
    for _ in range(10):
        assert await call(handler, "/echo/", b"hello") == (200, b"hello0")
    assert len(threads) == 20
    assert threads[::2] == threads[1::2]  # the middleware's and the view's
    assert len(set(threads)) < 10  # a thread says that it is free a moment after it has answered
    assert threads[0] != threading.current_thread().name


def held() -> int:
    """Connections that somebody has, or that are on their way into the pool; not only those of this test."""
    stats = connection.pool.get_stats()
    return stats["pool_size"] - stats["pool_available"]


async def test_a_finished_request_keeps_no_connection(handler):
    before = held()
    await asyncio.gather(*(call(handler, "/echo/") for _ in range(8)))
    async with asyncio.timeout(60):  # those that the rush has asked for may still be on their way
        while held() > before:
            await asyncio.sleep(0.01)


async def test_a_stream_ends_when_its_client_leaves(handler):
    status, _ = await call(handler, "/endless/", leave_when=lambda: len(sent_lines) > 5)
    assert status == 200
    before = len(sent_lines)
    await asyncio.sleep(0.2)
    assert len(sent_lines) == before


async def test_an_error_becomes_a_problem(handler):
    status, body = await call(handler, "/api/breaks/")
    assert status == 500
    assert json.loads(body)["type"] == "/problems/internal"
    assert b"swordfish" not in body


async def test_a_client_that_leaves_before_its_body_is_read_is_forgotten(handler):
    async def receive():
        return {"type": "http.disconnect"}

    async def send(message):
        raise AssertionError(message)

    await handler({"type": "http", "method": "POST", "path": "/echo/", "headers": []}, receive, send)
    assert not threads
