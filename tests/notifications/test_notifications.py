"""Who is told of what, and how it gets there."""

import hashlib
import hmac
import http.server
import json
import socket
import threading
from datetime import timedelta

import pytest
from django.core import mail
from django.db import transaction
from django.utils import timezone

from experiments import events
from experiments.errors import Forbidden, InvalidInput
from experiments.models import Event
from forum.services.posting import comment
from notifications import webhooks
from notifications.kinds import KINDS, sentence
from notifications.models import Delivery, Notification
from notifications.services.choosing import choose, read_all, set_webhook
from notifications.services.delivering import MOST_ATTEMPTS, deliver, reap, wait_seconds
from tests.factories import make_benchmark, make_experiment, make_user
from tests.forum.rows import make_finding, member
from tests.pages.conftest import _plain_static_files  # noqa: F401 - a fixture

pytestmark = pytest.mark.django_db


def told(user) -> list[str]:
    return [each.kind for each in Notification.objects.filter(user=user).order_by("id")]


def wants(user, *ways: str) -> None:
    wanted: dict[str, set[str]] = {}
    for each in ways:
        kind, way = each.split(".")
        wanted.setdefault(kind, set()).add(way)
    choose(user=user, wanted=wanted)


def say(kind: str, subject: str, *, campaign: int = 0, actor=None, **payload) -> None:
    with transaction.atomic():
        events.record(kind, subject, campaign=campaign, actor=actor, payload=payload)


def test_people_are_told_by_default_and_agents_never():
    viewer, reviewer, agent = member("viewer"), member("reviewer"), member("agent")
    say("flag.raised", "flag:1", detector="seed-hunting", level="flag")
    say("flag.raised", "flag:2", detector="teacher-counterfactual", level="info")  # asks nothing of anybody
    say(
        "flag.raised", "flag:1", campaign=5, detector="seed-hunting", level="flag"
    )  # the same flag in its campaign's log
    say("campaign.state", "campaign:5", campaign=5, state="finished", campaign_=5, reason="done")
    say("campaign.state", "campaign:5", campaign=5, state="running")
    say("agent.state", "agent:3", campaign=5, state="failed", name="simplicity-1")
    say("agent.state", "agent:3", campaign=5, state="thinking", name="simplicity-1")
    say("approval.requested", "agent:3", campaign=5, name="simplicity-1", tool="shell")
    assert told(viewer) == ["campaign", "agent_failed"]
    assert told(reviewer) == ["flag", "campaign", "agent_failed", "approval"]
    assert told(agent) == []
    assert Notification.objects.get(user=reviewer, kind="approval").text == (
        "Agent simplicity-1 asks whether it may call shell"
    )


def test_findings_and_comments_are_told_to_who_asked_but_not_to_who_wrote():
    reader, author = member("viewer"), member()
    wants(reader, "finding.page", "comment.page")
    wants(author, "finding.page", "comment.page")
    finding = make_finding(author)
    comment(user=author, finding_id=finding.pk, body="more")
    assert told(reader) == ["finding", "comment"] and told(author) == []
    wants(reader, "finding.page")
    comment(user=author, finding_id=finding.pk, body="still more")
    assert told(reader) == ["finding", "comment"]


def test_only_a_score_above_every_counted_one_is_told():
    reader, benchmark = member("viewer"), make_benchmark()
    for dev, standing in ((0.5, "counted"), (0.4, "counted"), (0.9, "disqualified"), (0.6, "counted")):
        made = make_experiment(benchmark=benchmark, state="scored", dev=dev, standing=standing)
        say("experiment.scored", f"experiment:{made.pk}", experiment=made.pk, benchmark="geography", dev_pgr=dev)
    assert [each.subject for each in Notification.objects.filter(user=reader).order_by("id")] == [
        f"experiment:{each.pk}" for each in benchmark.experiments.filter(dev_pgr__in=[0.5, 0.6]).order_by("id")
    ]


def test_news_are_written_with_what_they_tell_of_or_not_at_all():
    reader = member("viewer")
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        say("campaign.state", "campaign:5", campaign=5, state="frozen")
        raise ZeroDivisionError
    assert told(reader) == []


def test_an_email_is_sent_once_and_logged(settings):
    reader = make_user("viewer", password=None, email="reader@example.org")
    wants(reader, "campaign.email")
    say("campaign.state", "campaign:5", campaign=5, state="finished", reason="the deadline has passed")
    row = Delivery.objects.get()
    assert (row.state, row.channel, row.attempts) == ("waiting", "email", 0)
    deliver(delivery_id=row.pk)
    deliver(delivery_id=row.pk)  # a message that comes twice
    (sent,) = mail.outbox
    assert sent.to == ["reader@example.org"] and f"{settings.PUBLIC_URL}/campaigns/5/" in sent.body
    row.refresh_from_db()
    assert (row.state, row.attempts) == ("sent", 1) and row.sent_at
    assert not Notification.objects.get().shown  # by e-mail alone


class Receiver(http.server.BaseHTTPRequestHandler):
    """Answers what the test says, and keeps what came."""

    answers: list[int] = []
    got: list[tuple[dict, bytes]] = []
    paths: list[str] = []

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.got.append((dict(self.headers), body))
        self.paths.append(self.path)
        self.send_response(self.answers.pop(0) if self.answers else 204)
        self.send_header("Location", "/elsewhere")
        self.end_headers()

    def log_message(self, *_args):
        pass


@pytest.fixture
def receiver():
    Receiver.answers, Receiver.got, Receiver.paths = [], [], []
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/hook?x=1"
    server.shutdown()
    server.server_close()


def test_a_webhook_is_signed_and_tried_again_with_growing_waits(settings, receiver, monkeypatch):
    settings.WEBHOOK_PRIVATE = True
    reader = member("viewer")
    hook = set_webhook(user=reader, url=receiver)
    wants(reader, "campaign.webhook")
    Receiver.answers = [500, 302]
    say("campaign.state", "campaign:5", campaign=5, state="frozen", reason="look")
    row = Delivery.objects.get()
    woken = []
    monkeypatch.setattr("notifications.dispatch.wake", woken.append)
    for attempt in (1, 2):
        deliver(delivery_id=row.pk)
        row.refresh_from_db()
        assert row.state == "waiting" and row.attempts == attempt and "answered" in row.answer
        wait = (row.next_at - timezone.now()).total_seconds()
        assert wait_seconds(attempt) - 5 < wait <= wait_seconds(attempt)
        deliver(delivery_id=row.pk)  # not due
        reap()
        assert woken == [] and len(Receiver.got) == attempt
        Delivery.objects.update(next_at=timezone.now() - timedelta(seconds=1))
        reap()
        assert woken == [row.pk]
        woken.clear()
    deliver(delivery_id=row.pk)
    row.refresh_from_db()
    assert (row.state, row.attempts, row.answer) == ("sent", 3, "answered 204")
    headers, body = Receiver.got[-1]
    moment, digest = (part.partition("=")[2] for part in headers[webhooks.SIGNATURE].split(","))
    expected = hmac.new(hook.secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    assert digest == expected and headers[webhooks.DELIVERY] == str(row.pk)
    assert json.loads(body)["kind"] == "campaign" and json.loads(body)["url"].endswith("/campaigns/5/")


def test_what_is_signed_is_what_is_sent_whatever_the_text_and_the_address_hold(settings, receiver):
    settings.WEBHOOK_PRIVATE = True
    reader = member("viewer")
    hook = set_webhook(user=reader, url=receiver.replace("hook", "häken/é%20è"))
    wants(reader, "campaign.webhook")
    reason = "größer als 日本語, \U0001f600 and \u2028 at\nonce"
    say("campaign.state", "campaign:5", campaign=5, state="frozen", reason=reason)
    Receiver.answers = [500]
    row = Delivery.objects.get()
    for _ in range(2):
        Delivery.objects.update(next_at=timezone.now() - timedelta(seconds=1))
        deliver(delivery_id=row.pk)
    row.refresh_from_db()
    assert row.state == "sent"
    (_, first), (headers, body) = Receiver.got
    assert first == body and body.isascii() and int(headers["Content-Length"]) == len(body)
    signature = dict(part.split("=") for part in headers[webhooks.SIGNATURE].split(","))
    signed = f"{signature['t']}.".encode() + body
    assert signature["v1"] == hmac.new(hook.secret.encode(), signed, hashlib.sha256).hexdigest()
    assert json.loads(body)["text"] == "Campaign 5 is frozen: größer als 日本語, \U0001f600 and at once"
    assert Receiver.paths[-1] == "/h%C3%A4ken/%C3%A9%20%C3%A8?x=1"


def test_a_reason_of_several_lines_and_a_long_one_fit_the_subject_of_an_email():
    reader = make_user("viewer", password=None, email="reader@example.org")
    wants(reader, "campaign.email")
    say("campaign.state", "campaign:5", campaign=5, state="frozen", reason="one\r\nBcc: all@example.org\n" + "x" * 400)
    deliver(delivery_id=Delivery.objects.get().pk)
    (sent,) = mail.outbox
    assert sent.subject.startswith("[aarweb] Campaign 5 is frozen: one Bcc: all@example.org xxx")
    assert len(Notification.objects.get().text) == 300 and Notification.objects.get().text.endswith("x…")


def test_a_delivery_that_kills_its_worker_each_time_is_given_up():
    reader = make_user("viewer", password=None, email="reader@example.org")
    wants(reader, "campaign.email")
    say("campaign.state", "campaign:5", campaign=5, state="frozen")
    Delivery.objects.update(attempts=MOST_ATTEMPTS)  # claimed so often, and nothing was ever settled
    deliver(delivery_id=Delivery.objects.get().pk)
    row = Delivery.objects.get()
    assert (row.state, row.answer) == ("failed", "every attempt was interrupted") and mail.outbox == []


@pytest.mark.parametrize("name", KINDS)
def test_each_kind_has_a_sentence_of_its_own(name):
    kind = KINDS[name]
    event = Event(kind=kind.event, subject="flag:3", campaign=0 if kind.in_lab else 5, payload={"state": "finished"})
    said = sentence(name, event)
    assert said and "None" not in said and "\n" not in said


def test_after_the_last_attempt_it_has_failed(settings):
    settings.WEBHOOK_PRIVATE = True
    reader = member("viewer")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    set_webhook(user=reader, url=f"http://127.0.0.1:{port}/")
    wants(reader, "campaign.webhook")
    say("campaign.state", "campaign:5", campaign=5, state="frozen")
    row = Delivery.objects.get()
    for _ in range(MOST_ATTEMPTS):
        Delivery.objects.update(next_at=timezone.now() - timedelta(seconds=1))
        deliver(delivery_id=row.pk)
    row.refresh_from_db()
    assert (row.state, row.attempts) == ("failed", MOST_ATTEMPTS) and "refused" in row.answer.lower()


PRIVATE = [
    "127.0.0.1", "127.1.2.3", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
    "224.0.0.1", "255.255.255.255", "::1", "fe80::1", "fc00::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "2002:7f00:1::",
    "64:ff9b::7f00:1", "64:ff9b:1::7f00:1", "::ffff:0:127.0.0.1", "::127.0.0.1", "::",
]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_addresses_that_are_not_public_are_refused_when_set_and_when_sent(address, monkeypatch):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    answer = [(family, socket.SOCK_STREAM, 6, "", (address, 443))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_a, **_k: answer)
    connected = []
    monkeypatch.setattr(socket, "create_connection", lambda *a, **_k: connected.append(a))
    with pytest.raises(InvalidInput, match="not a public address"):
        set_webhook(user=member("viewer"), url="https://hook.example.org/")
    with pytest.raises(webhooks.BadAddress):
        webhooks.post("https://hook.example.org/", body=b"", secret="s", delivery=1, moment=1)
    assert connected == []


def test_one_private_address_among_public_ones_is_enough_to_refuse(monkeypatch):
    found = [(2, 1, 6, "", ("93.184.216.34", 443)), (2, 1, 6, "", ("10.0.0.7", 443))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_a, **_k: found)
    with pytest.raises(webhooks.BadAddress, match=r"10\.0\.0\.7"):
        webhooks.resolve("hook.example.org", 443)


def test_the_connection_goes_to_the_address_that_was_checked(monkeypatch):
    answers = [[(2, 1, 6, "", ("93.184.216.34", 443))], [(2, 1, 6, "", ("127.0.0.1", 443))]]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_a, **_k: answers.pop(0))
    connected = []

    def refuse(address, *_a, **_k):
        connected.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", refuse)
    with pytest.raises(OSError):
        webhooks.post("https://rebinding.example.org/", body=b"", secret="s", delivery=1, moment=1)
    assert connected == [("93.184.216.34", 443)] and len(answers) == 1


@pytest.mark.parametrize(
    "url",
    ["http://example.org/", "ftp://example.org/", "file:///etc/passwd", "https://", "https://a:b@example.org/",
     "https://example.org/a b", "https://example.org:99999/", "javascript:alert(1)", "https://example.org/\r\nX: y"],
)  # fmt: skip
def test_other_schemes_and_forms_are_refused(url):
    with pytest.raises(InvalidInput):
        set_webhook(user=member("viewer"), url=url)


def test_agents_cannot_have_notifications():
    with pytest.raises(Forbidden):
        set_webhook(user=member("agent"), url="https://example.org/")
    with pytest.raises(Forbidden):
        choose(user=member("agent"), wanted={"flag": {"page"}})


def test_the_pages(client):
    reader, other = member("viewer"), member("viewer")
    client.force_login(reader)
    assert "Nothing yet" in client.get("/notifications/").content.decode()
    say("campaign.state", "campaign:5", campaign=5, state="frozen", reason="<script>alert(1)</script>")
    assert "data-unread>1" in client.get("/notifications/bell/").content.decode()
    page = client.get("/notifications/").content.decode()
    assert "is frozen" in page and "<script>alert" not in page and "Mark 1 as read" in page
    assert "A flag was raised" not in page  # not a reviewer
    newest = Notification.objects.filter(user=reader).latest("id").pk
    say("agent.state", "agent:3", campaign=5, state="failed", name="late")
    client.post("/notifications/read/", {"up_to": newest})
    assert "data-unread>1" in client.get("/notifications/bell/").content.decode()  # what came meanwhile
    assert Notification.objects.filter(user=other, read_at__isnull=False).count() == 0
    client.post("/notifications/choose/", {"want": ["finding.page", "finding.email"]})
    assert 'value="finding.email" aria-label="A finding was posted: by e-mail" checked' in (
        client.get("/notifications/").content.decode()
    )
    answer = client.post("/notifications/webhook/", {"url": "http://127.0.0.1/"}, follow=True).content.decode()
    assert "expected https://HOST/PATH" in answer
    read_all(user=reader, up_to=10**9)
    assert "data-unread" not in client.get("/notifications/bell/").content.decode()
