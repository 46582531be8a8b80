"""The live stream: replay, then news, without gaps; experiments/consumers.py, experiments/feed.py."""

import asyncio
import json
import threading

import pytest
from channels.db import database_sync_to_async as in_thread
from channels.testing import WebsocketCommunicator
from django.contrib.sessions.backends.db import SessionStore
from django.db import connection, transaction
from django.test import Client

from aarweb.asgi import application
from agents.models import Token
from agents.services import create_token, revoke_token
from experiments import consumers, events, feed, live
from experiments.models import Event
from tests.factories import make_user

pytestmark = pytest.mark.django_db(transaction=True)

HOST = (b"host", b"127.0.0.1")


@transaction.atomic
def record(first: int, last: int):
    """Events whose payload says which number they should get."""
    for number in range(first, last + 1):
        events.record("run.state", "experiment:1", payload={"n": number})


def bearer(role: str) -> list[tuple[bytes, bytes]]:
    _, token = create_token(name=f"{role}-live", role=role)
    return [HOST, (b"authorization", f"Bearer {token}".encode())]


def session_of(user) -> list[tuple[bytes, bytes]]:
    browser = Client()
    browser.force_login(user)
    cookie = browser.cookies["sessionid"].value
    return [HOST, (b"origin", b"http://127.0.0.1:8000"), (b"cookie", f"sessionid={cookie}".encode())]


class Viewer:
    """A page: connects from a number, keeps what comes."""

    def __init__(self, headers, after="0", campaign="0"):
        self.socket = WebsocketCommunicator(application, f"/ws/campaigns/{campaign}/?after={after}", headers=headers)
        self.events: list[dict] = []
        self.frames: list[int] = []

    async def __aenter__(self):
        connected, code = await self.socket.connect(timeout=30)
        assert connected, code
        return self

    async def __aexit__(self, *_):
        await self.socket.disconnect(timeout=30)

    async def until(self, number: int, timeout: float = 30):
        while not self.events or self.events[-1]["number"] < number:
            frame = json.loads(await self.socket.receive_from(timeout=timeout))
            self.events += frame["events"]
            self.frames.append(len(frame["events"]))
        return [each["number"] for each in self.events]


async def refused(headers, path="/ws/campaigns/0/?after=0"):
    socket = WebsocketCommunicator(application, path, headers=headers)
    connected, code = await socket.connect(timeout=30)
    socket.stop(exceptions=False)  # one that is refused need not hear that its client has left
    assert not connected
    return code


def listener():
    """What this process's event loop keeps for its viewers."""
    return feed._listeners.setdefault(asyncio.get_running_loop(), feed._Listener())


async def until(true, seconds: float = 30):
    """Returns once it is."""
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.01)


@pytest.fixture
def watcher(roles):
    return bearer("viewer")


async def test_a_viewer_gets_what_it_missed_and_then_the_news(watcher):
    await in_thread(record)(1, 5)
    async with Viewer(watcher, after="2") as page:
        assert await page.until(5) == [3, 4, 5]
        await in_thread(record)(6, 7)
        assert await page.until(7) == [3, 4, 5, 6, 7]
    assert [each["payload"]["n"] for each in page.events] == [3, 4, 5, 6, 7]


async def test_the_stream_sends_the_objects_of_the_api(watcher):
    await in_thread(record)(1, 1)
    async with Viewer(watcher) as page:
        await page.until(1)
    headers = {"HTTP_AUTHORIZATION": watcher[1][1].decode()}
    listed = await in_thread(Client().get)("/api/v1/events/", **headers)
    assert page.events == listed.json()["results"]


async def test_a_burst_comes_in_few_frames(watcher):
    def commit_each():
        for number in range(1, 61):
            record(number, number)

    async with Viewer(watcher) as page:
        await in_thread(commit_each)()
        assert await page.until(60) == list(range(1, 61))
    assert len(page.frames) < 40


async def test_a_long_replay_comes_in_bounded_frames(watcher):
    await in_thread(record)(1, 450)
    async with Viewer(watcher) as page:
        assert await page.until(450) == list(range(1, 451))
    assert page.frames == [200, 200, 50]


async def test_a_slow_viewer_loses_nothing(watcher, monkeypatch):
    monkeypatch.setattr(feed, "KEPT_EVENTS", 10)
    monkeypatch.setattr(feed, "FRAME_EVENTS", 20)
    monkeypatch.setattr(consumers, "FRAME_SECONDS", 0.15)
    async with Viewer(watcher) as slow:
        for first in range(1, 301, 50):
            await in_thread(record)(first, first + 49)
            await asyncio.sleep(0.05)
        assert await slow.until(300) == list(range(1, 301))


async def test_writers_in_many_threads_leave_no_gap(watcher):
    def write():
        for _ in range(20):
            record(1, 1)
        connection.close()

    async with Viewer(watcher) as page:
        threads = [threading.Thread(target=write) for _ in range(4)]
        for thread in threads:
            thread.start()
        assert await page.until(80) == list(range(1, 81))
        for thread in threads:
            await in_thread(thread.join)()


async def test_a_rolled_back_event_is_not_sent_and_leaves_no_gap(watcher):
    def fail():
        with pytest.raises(RuntimeError), transaction.atomic():
            events.record("run.state", "experiment:1")
            raise RuntimeError

    async with Viewer(watcher) as page:
        await in_thread(fail)()
        await in_thread(record)(1, 1)
        assert await page.until(1) == [1]
    assert page.events[0]["payload"] == {"n": 1}


async def test_lost_wake_ups_are_healed_from_the_rows(watcher, monkeypatch):
    monkeypatch.setattr(feed, "LOOK_SECONDS", 0.2)
    monkeypatch.setattr(live, "CHANNEL", "nobody listens here")
    async with Viewer(watcher) as page:
        await in_thread(record)(1, 3)
        assert await page.until(3) == [1, 2, 3]


async def test_several_viewers_share_one_reading_of_the_rows(watcher, monkeypatch):
    reads = []
    original = feed._rows

    async def counted(*asked):
        reads.append(asked)
        return await original(*asked)

    async with Viewer(watcher) as first, Viewer(watcher) as second, Viewer(watcher) as third:
        await until(lambda: listener().feeds[0].last == 0)  # whoever comes to look from now on finds what was read
        monkeypatch.setattr(feed, "_rows", counted)
        await in_thread(record)(1, 3)
        for page in (first, second, third):
            assert await page.until(3) == [1, 2, 3]
    assert len(reads) <= 2


async def test_campaigns_are_apart(watcher):
    @transaction.atomic
    def record_both():
        events.record("agent.state", "agent:1", campaign=7)
        events.record("run.state", "experiment:1")

    async with Viewer(watcher, campaign="7") as page:
        await in_thread(record_both)()
        await page.until(1)
    assert [each["campaign"] for each in page.events] == [7]


async def test_a_browser_comes_with_its_session(roles):
    headers = await in_thread(lambda: session_of(make_user("researcher")))()
    await in_thread(record)(1, 1)
    async with Viewer(headers) as page:
        assert await page.until(1) == [1]


async def test_a_session_from_another_origin_is_refused(roles):
    headers = await in_thread(lambda: session_of(make_user("researcher")))()
    headers[1] = (b"origin", b"https://evil.example")
    await refused(headers)


async def test_nobody_is_refused(roles):
    assert await refused([HOST, (b"origin", b"http://127.0.0.1")]) == consumers.UNAUTHENTICATED
    assert await refused([HOST, (b"authorization", b"Bearer aar_unknown")]) == consumers.UNAUTHENTICATED


async def test_an_agent_is_refused(roles):
    headers = await in_thread(bearer)("agent")
    assert await refused(headers) == consumers.FORBIDDEN


@pytest.mark.parametrize("path", ["0/?after=x", "0/?after=-1", "x/?after=0", "0/?after=99999999999999999999"])
async def test_bad_numbers_are_refused(watcher, path):
    assert await refused(watcher, f"/ws/campaigns/{path}") == consumers.BAD_REQUEST


@pytest.mark.parametrize("how", ["token", "account", "session"])
async def test_a_socket_closes_when_its_right_ends(roles, monkeypatch, how):
    monkeypatch.setattr(consumers, "CHECK_SECONDS", 0.2)
    user = await in_thread(make_user)("viewer")
    headers = await in_thread(session_of)(user) if how == "session" else await in_thread(bearer)("viewer")

    def end():
        if how == "token":
            revoke_token(token_id=Token.objects.get().pk)
        elif how == "account":
            Token.objects.get().user.__class__.objects.update(is_active=False)
        else:
            SessionStore(headers[2][1].decode().partition("=")[2]).flush()

    async with Viewer(headers) as page:
        await in_thread(end)()
        closed = await page.socket.receive_output(timeout=30)
    assert closed["type"] == "websocket.close"
    assert closed["code"] == consumers.FORBIDDEN


async def test_nothing_is_left_running_when_the_last_viewer_leaves(watcher):
    async with Viewer(watcher):
        await until(lambda: listener().feeds and listener()._tasks)
    await until(lambda: not listener().feeds and not listener()._tasks)
    assert await in_thread(Event.objects.count)() == 0
