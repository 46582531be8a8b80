"""The API as it is deployed: a daphne process, an evaluation worker's process, clients over sockets."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from http.client import HTTPConnection

import pytest
import redis
from django.conf import settings
from django.db import connection, transaction
from django.test import Client
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from agents.services import create_token
from experiments import events
from experiments.models import Item, Upload, WorkerSeen
from tests.api.conftest import DEV_ITEMS, vector
from tests.factories import make_user

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

HOST = "127.0.0.1"
START_SECONDS = 180


class Server:
    """The web and the worker on the tests' database, and how to call the web."""

    def __init__(self):
        with socket.socket() as free:
            free.bind((HOST, 0))
            self.port = free.getsockname()[1]
        self.token = ""
        server, _, _ = os.environ["DATABASE_URL"].rpartition("/")
        self.environment = {
            **os.environ,
            "DATABASE_URL": f"{server}/{connection.settings_dict['NAME']}",
            "LOG_LEVEL": "WARNING",
        }
        self.processes = []

    def start(self, *module, **more):
        command = [sys.executable, "-m", *module]
        self.processes.append(subprocess.Popen(command, env=self.environment | more, start_new_session=True))

    def start_web(self):
        self.start("daphne", "-v", "0", "-b", HOST, "-p", str(self.port), "aarweb.asgi:application")
        wait_until(lambda: self.get("/healthz")[0] == 200)

    def start_worker(self, folder):
        command = ["celery", "-A", "aarweb", "worker", "-Q", "evaluation", "-P", "threads", "-c", "2", "-n", "test@%h"]
        self.start(*command, GROUND_TRUTH_DIR=str(folder / "truth"))
        wait_until(WorkerSeen.objects.exists)

    def stop(self, but=0):
        """but: how many go on, the first ones."""
        while len(self.processes) > but:
            process = self.processes.pop()
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def call(self, method, path, body=None, **headers):
        http = HTTPConnection(HOST, self.port, timeout=60)
        headers = {"Authorization": f"Bearer {self.token}", **headers}
        http.request(method, path, body and json.dumps(body), {**headers, "Content-Type": "application/json"})
        answer = http.getresponse()
        data = answer.read()
        http.close()
        return answer.status, data, answer.headers

    def get(self, path, **headers):
        return self.call("GET", path, **headers)

    def post(self, path, body, **headers):
        return self.call("POST", path, body, **headers)

    def watch(self, after=0, **kwargs):
        kwargs.setdefault("additional_headers", {"Authorization": f"Bearer {self.token}"})
        return connect(f"ws://{HOST}:{self.port}/ws/campaigns/0/?after={after}", **kwargs)


def wait_until(done):
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            if done():
                return
        except OSError:
            pass
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.2)


@pytest.fixture(scope="module")
def web(django_db_setup):
    """One web process for all tests here: it keeps nothing of its own from one to the next."""
    made = Server()
    try:
        made.start_web()
        yield made
    finally:
        made.stop()


@pytest.fixture
def server(web, sealed_benchmark):
    """With rows and a token for it; whoever needs a worker starts it."""
    redis.Redis.from_url(settings.REDIS_URL).flushdb()  # messages of other tests are about rows that are gone
    _, web.token = create_token(name="outside", role="reviewer")
    yield web
    web.stop(but=1)


def read(stream, number):
    found = []
    while not found or found[-1] < number:
        found += [each["number"] for each in json.loads(stream.recv(timeout=60))["events"]]
    return found


@transaction.atomic
def record(many):
    for _ in range(many):
        events.record("run.state", "experiment:1", payload={"state": "running"})


def test_an_upload_goes_all_the_way(server, labels, tmp_path):
    server.start_worker(tmp_path)
    body = {"benchmark": "geography", "predictions": vector(labels, 50)}
    status, data, headers = server.post("/api/v1/evaluations/", body, **{"Idempotency-Key": "one"})
    assert status == 201, data
    told = json.loads(data)
    assert told["dev_pgr"] == pytest.approx(0.75)
    assert headers["Location"] == f"/api/v1/evaluations/{told['id']}/"
    status, data, headers = server.post("/api/v1/evaluations/", body, **{"Idempotency-Key": "one"})
    assert json.loads(data) == told
    assert headers["Idempotent-Replayed"] == "true"


def test_without_a_worker_waiting_uploads_leave_the_site_usable(server, labels):
    """More of them wait than the pool has connections."""
    waiting = settings.DATABASES["default"]["OPTIONS"]["pool"]["max_size"] + 4
    answers = []

    def upload():
        body = {"benchmark": "geography", "predictions": vector(labels, 50)}
        answers.append(server.post("/api/v1/evaluations/", body))

    threads = [threading.Thread(target=upload) for _ in range(waiting)]
    for thread in threads:
        thread.start()
    wait_until(lambda: Upload.objects.count() == waiting)  # each of them now waits for 10 s
    assert server.get("/api/v1/benchmarks/")[0] == 200
    assert not answers, "the uploads no longer waited, so nothing was shown"
    for thread in threads:
        thread.join()
    assert {status for status, _, _ in answers} == {503}


def test_data_streams_under_asgi(server, sealed_benchmark):
    common = {"benchmark": sealed_benchmark, "split": "dev", "responses": ["a", "b"]}
    Item.objects.bulk_create(
        Item(**common, position=3 + i, question=f"Which? é {i}", group=str(i)) for i in range(5000)
    )
    status, data, headers = server.get("/api/v1/benchmarks/geography/data/dev/", Accept="application/x-ndjson")
    assert status == 200
    assert headers["Content-Type"] == "application/x-ndjson"
    assert [json.loads(line)["position"] for line in data.splitlines()] == list(range(5003))


def test_a_large_upload_is_refused(server):
    body = {"benchmark": "geography", "predictions": [0] * 6_000_000}
    status, data, _ = server.post("/api/v1/evaluations/", body)
    assert status == 413
    assert json.loads(data)["type"] == "/problems/too-large"


def test_a_program_watches_with_its_token_and_connects_again_without_loss(server):
    record(3)
    with server.watch() as stream:
        assert read(stream, 3) == [1, 2, 3]
        record(2)
        assert read(stream, 5) == [4, 5]
    record(250)
    with server.watch(after=5) as stream:
        assert read(stream, 255) == list(range(6, 256))


def test_a_browser_watches_with_its_session(server):
    browser = Client()
    browser.force_login(make_user("viewer"))
    cookie = {"Cookie": f"sessionid={browser.cookies['sessionid'].value}"}
    origin = f"http://{HOST}:{server.port}"
    record(1)
    with server.watch(additional_headers=cookie, origin=origin) as stream:
        assert read(stream, 1) == [1]
    for wrong in ("https://evil.example", None):
        with pytest.raises(InvalidStatus) as refusal:
            server.watch(additional_headers=cookie, origin=wrong)
        assert refusal.value.response.status_code == 403


def test_a_slow_viewer_loses_nothing_and_delays_nobody(server):
    with server.watch(max_queue=1) as slow, server.watch() as quick:
        for _ in range(10):
            record(300)
        assert read(quick, 3000) == list(range(1, 3001))
        assert read(slow, 3000) == list(range(1, 3001))


def test_the_stream_outlives_a_flushed_redis(server):
    with server.watch() as stream:
        record(1)
        assert read(stream, 1) == [1]
        redis.Redis.from_url(settings.REDIS_URL).flushdb()
        record(1)
        assert read(stream, 2) == [2]


def test_the_number_of_items_is_that_of_the_benchmark(server):
    status, data, _ = server.post("/api/v1/evaluations/", {"benchmark": "geography", "predictions": [1]})
    assert status == 400
    assert f"expected {DEV_ITEMS}" in json.loads(data)["errors"][0]["detail"]
