"""What the monitor pays: held before a call, booked once, never above the day's limit, whoever dies."""

import json
import sys
import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from agents.messages_api import client
from agents.models import Price
from agents.services.campaigns import AgentPlan
from experiments.services.leases import LeaseLost
from oversight.models import MonitorDay, Reading
from oversight.monitor import reading as reading_module
from oversight.monitor.answers import Verdict
from oversight.monitor.asking import MAX_TOKENS
from oversight.monitor.reading import read_next
from oversight.services.readings import claim_reading, hold_money, record_verdict, visit_readings
from tests.agents.conftest import make_campaign, make_price
from tests.agents.messages_api import Fail, Say
from tests.agents.processes import Process, agents_worker
from tests.broker import flush
from tests.oversight.monitor.conftest import CAUGHT, CODE, MODEL, asked, code, purse, read, verdict
from tests.workers.celery_worker import wait_for

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("answer", "seconds", "free"),
    [
        (Fail(429, "rate_limit_error", retry_after="90"), 90, True),
        (Fail(529, "overloaded_error"), 2, True),
        (Fail(401, "authentication_error"), 300, True),
        (Fail(529, "overloaded_error", in_stream=True), 2, False),
        (Say("and then nothing", cut_after=3), 2, False),
    ],
)
def test_trouble_is_waited_for_with_a_back_off_and_only_what_was_refused_is_free(lab, api, answer, seconds, free):
    experiment = code(lab)
    api.script += [answer, verdict()]
    reading = read(experiment)
    assert (reading.state, reading.score, reading.failures) == ("waiting", None, 1)
    waits = (reading.again_at - timezone.now()).total_seconds()
    assert seconds - 2 < waits <= seconds + 1
    assert (reading.cost == 0) is free
    assert (purse().spent, purse().reserved) == (reading.cost, 0)
    assert read_next(worker="agents@test") is False  # not yet
    Reading.objects.update(again_at=timezone.now())
    assert read_next(worker="agents@test")
    reading.refresh_from_db()
    assert (reading.state, reading.error) == ("read", "")
    assert purse().spent == reading.cost


def test_a_server_that_is_not_there_costs_nothing_and_a_request_that_is_refused_is_not_repeated(lab, api, settings):
    api.script += [Fail(400, "invalid_request_error")]
    reading = read(code(lab))
    assert (reading.state, reading.unreadable, reading.cost) == ("no_verdict", False, 0)
    settings.ANTHROPIC_BASE_URL = "http://127.0.0.1:9"
    client.client.cache_clear()
    reading = read(code(lab, "# another\n"))
    assert (reading.state, reading.cost, reading.failures) == ("waiting", 0, 1)
    assert "cannot be reached" in reading.error


def test_no_call_begins_that_the_days_money_might_not_bear(lab, api, settings):
    settings.MONITOR_DOLLARS_PER_DAY = 1
    make_price(MODEL)
    first, second = asked(code(lab)), asked(code(lab, "# another\n"))
    MonitorDay.objects.create(day=timezone.now().date(), spent=1_000_000 - 60_000)
    assert read_next(worker="agents@test")
    first.refresh_from_db()
    assert (first.state, first.failures, api.requests) == ("waiting", 0, [])
    assert "the monitor has $0.06 left of $1" in first.error
    assert first.again_at.date() == timezone.now().date() + timedelta(days=1)
    MonitorDay.objects.update(spent=1_000_000 - 90_000)
    api.script += [verdict()]
    assert read_next(worker="agents@test")
    second.refresh_from_db()
    assert second.state == "read"
    assert purse().spent + purse().reserved <= 1_000_000


def test_what_a_whole_day_could_not_pay_is_said_at_once(lab, api, settings):
    settings.MONITOR_DOLLARS_PER_DAY = 1
    Price.objects.update(input=400_000_000)
    reading = read(code(lab))
    assert (reading.state, reading.unreadable, reading.cost) == ("no_verdict", False, 0)
    assert "more than MONITOR_DOLLARS_PER_DAY allows" in reading.error
    assert api.requests == []


@pytest.mark.django_db(transaction=True)
def test_racing_workers_never_hold_more_than_a_day_may_cost(lab, settings):
    settings.MONITOR_DOLLARS_PER_DAY = 1
    for number in range(8):
        asked(code(lab, f"# number {number}\n"))
    amount, held = 300_000, []
    together = threading.Barrier(6)

    def work():
        try:
            together.wait()
            for _ in range(6):
                claim = claim_reading(worker="w", model=MODEL, version=1)
                if claim is None:
                    continue
                try:
                    hold_money(claim=claim, amount=amount)
                except Exception as error:
                    held.append(type(error).__name__)
                    Reading.objects.filter(pk=claim.reading).update(state="waiting", lease_until=None)
                else:
                    held.append(claim.reading)
                    # as if its worker were gone, so that the next may claim; its money stays held
                    Reading.objects.filter(pk=claim.reading).update(lease_until=timezone.now())
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(timeout=60)
    assert len([each for each in held if isinstance(each, int)]) == 3
    assert "OverBudget" in held
    assert (purse().reserved, purse().spent) == (900_000, 0)


def test_a_worker_that_dies_between_call_and_record_is_booked_once_at_the_worst_case(lab, api, sent):
    experiment = code(lab)
    reading = asked(experiment)
    claim = claim_reading(worker="agents@dead", model=MODEL, version=1)
    hold_money(claim=claim, amount=70_000)
    visit_readings()
    reading.refresh_from_db()
    assert reading.state == "calling"  # its lease holds
    Reading.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    for _ in range(2):
        visit_readings()
        reading.refresh_from_db()
        assert (reading.state, reading.cost, reading.held) == ("waiting", 70_000, 0)
        assert (purse().spent, purse().reserved) == (70_000, 0)
    assert ("oversight.read", "agents") in sent
    said = Verdict(0.1, "s", False, [], 0)
    with pytest.raises(LeaseLost):  # the zombie
        record_verdict(claim=claim, verdict=said, left_out=[], spent=10_000, usage={})
    assert purse().spent == 70_000
    api.script += [verdict()]
    assert read_next(worker="agents@test")
    reading.refresh_from_db()
    assert (reading.state, reading.cost) == ("read", 70_000 + 10_290)
    assert purse().spent == reading.cost


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_process_killed_with_the_answer_in_its_hands_is_made_up_for_by_the_agents_worker(
    roles, api, settings, tmp_path
):
    settings.LEASE_SECONDS = 3
    make_price(MODEL)
    lab = make_campaign(agents=[AgentPlan(researcher="claude", model=MODEL, direction="simplicity")])
    flush()  # nobody wakes the agent: only the monitor asks the model here
    experiment, common = code(lab), {"ANTHROPIC_BASE_URL": api.url, "ANTHROPIC_API_KEY": "k", "LEASE_SECONDS": "3"}
    reading, marker = asked(experiment), tmp_path / "marker"
    api.script += [verdict(CAUGHT), verdict(CAUGHT)]
    command = [sys.executable, "-m", "tests.oversight.victim", str(marker)]
    victim, survivor = Process(command, tmp_path / "victim.log", **common), None
    try:
        wait_for(marker.exists, seconds=60, what="an answer that is not written down yet")
        assert victim.kill() == -9
        reading.refresh_from_db()
        held = reading.held
        assert (reading.state, reading.cost, purse().reserved) == ("calling", 0, held)
        assert held > 0
        survivor = agents_worker(tmp_path / "agents.log", **common)

        def is_read() -> bool:
            visit_readings()  # as beat does every few seconds
            return Reading.objects.get().state == "read"

        wait_for(is_read, seconds=60, what="the reading taken up")
    finally:
        for process in filter(None, (victim, survivor)):
            process.kill()
            print(process.log.read_text()[-1500:])
    reading.refresh_from_db()
    assert len(api.requests) == 2
    assert reading.cost == held + 10_290  # the lost call at its worst case, the other at what it cost
    assert (purse().spent, purse().reserved) == (reading.cost, 0)


def test_what_a_call_may_cost_is_held_while_it_runs_and_bounds_what_it_costs(lab, api, monkeypatch):
    held, real = [], reading_module.events

    def events(*args, **kwargs):
        held.append(purse().reserved)
        return real(*args, **kwargs)

    def answer(request):
        tokens = len(json.dumps(request)) // 3  # English and code have 3.5 characters a token
        return verdict(usage={"input_tokens": tokens, "output_tokens": MAX_TOKENS})

    monkeypatch.setattr(reading_module, "events", events)
    api.script += [answer]
    reading = read(code(lab, CODE * 500))
    assert reading.state == "read"
    assert reading.cost < held[0] < 5 * reading.cost, "a byte a token, at most"
    assert (purse().spent, purse().reserved) == (reading.cost, 0)
