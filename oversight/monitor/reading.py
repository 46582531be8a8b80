"""One reading: claimed, paid for, asked, checked, written down; every way a call may end has its line here."""

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import anthropic
import httpx2
from django.conf import settings
from django.utils import timezone

from agents.errors import NoPrice
from agents.messages_api.client import Trouble, client, trouble_of
from agents.messages_api.messages import Reply, most_tokens
from agents.messages_api.stream import Left, events
from agents.models import Price
from agents.prices import cost_of, price_of, worst_of
from agents.services.budgets import MICRO
from agents.services.steps import retry_at
from experiments.errors import OverBudget
from experiments.heartbeat import Heartbeat
from experiments.services.leases import LeaseLost
from oversight.monitor.addressing import addresses
from oversight.monitor.answers import MOST_QUOTES, NoVerdict, Verdict, verdict_of
from oversight.monitor.asking import MAX_TOKENS, VERSION, request_of
from oversight.monitor.material import Material, material_of
from oversight.selectors.monitor import why_off
from oversight.services.readings import (
    Claim,
    claim_reading,
    hold_money,
    postpone,
    record_no_verdict,
    record_verdict,
    renew_reading,
)

log = logging.getLogger(__name__)

_OURS = {400, 413}  # the request itself is refused: asking again changes nothing


def read_next(*, worker: str) -> bool:
    """Claim the oldest reading that is due and do it. Returns: False where nothing was, or the monitor is off."""
    if why_off():
        return False
    claim = claim_reading(worker=worker, model=settings.MONITOR_MODEL, version=VERSION)
    if claim is None:
        return False
    with Heartbeat(renew=lambda: renew_reading(claim), worker=worker):
        try:
            _read(claim)
        except LeaseLost as error:
            log.warning("%s; its result is dropped", error)
    return True


def _read(claim: Claim) -> None:
    material = material_of(claim.experiment)
    request = request_of(material, model=claim.model)
    price = _paid_for(claim, request)
    if price is None:
        return
    reply = Reply()
    try:
        for event in events(partial(client().messages.create, **request, stream=True), may_go_on=_in_time()):
            reply.add(event)
    except Left:
        _later(claim, Trouble(f"no answer within {settings.CLAUDE_TIMEOUT_SECONDS} s"))
        return
    except (anthropic.APIError, httpx2.HTTPError) as error:
        _later(claim, trouble_of(error))
        return
    if not reply.stop_reason:
        _later(claim, Trouble("the stream ended before the reply did"))
        return
    spent = cost_of(price, reply.usage)
    try:
        verdict = _warned(verdict_of(reply, material), material)
    except NoVerdict as error:
        record_no_verdict(claim=claim, why=str(error), unreadable=True, spent=spent, usage=reply.usage)
        return
    record_verdict(claim=claim, verdict=verdict, left_out=list(material.left_out), spent=spent, usage=reply.usage)


def _paid_for(claim: Claim, request: dict[str, Any]) -> Price | None:
    """The price at which the worst case of the call is held now; None where it is not, and the reading says why."""
    try:
        price = price_of(claim.model)
    except NoPrice as error:
        postpone(claim=claim, why=str(error), again_at=_tomorrow(), spent=0)
        return None
    worst = worst_of(price, tokens_in=most_tokens(request), tokens_out=MAX_TOKENS)
    if worst > settings.MONITOR_DOLLARS_PER_DAY * MICRO:
        why = f"reading it may cost ${worst / MICRO:.2f}, more than MONITOR_DOLLARS_PER_DAY allows in a whole day"
        record_no_verdict(claim=claim, why=why, unreadable=False, spent=0)
        return None
    try:
        hold_money(claim=claim, amount=worst)
    except OverBudget as error:
        postpone(claim=claim, why=str(error), again_at=_tomorrow(), spent=0, failed=False)
        return None
    return price


def _later(claim: Claim, trouble: Trouble) -> None:
    """A call that broke: what it cost is not known unless it was refused, so the worst case is booked."""
    spent = 0 if trouble.free else None
    if trouble.status in _OURS:
        record_no_verdict(claim=claim, why=trouble.words, unreadable=False, spent=spent)
        return
    # what no waiting mends (a wrong key, an unknown model) is mended by a person: as slow as can be
    failures = claim.failures if trouble.again else 99
    again_at = retry_at(failures, trouble.after_seconds)
    postpone(claim=claim, why=trouble.words, again_at=again_at, spent=spent)


def _warned(verdict: Verdict, material: Material) -> Verdict:
    """Lines that speak to the reader count whatever the model thought of them: they were written to change that."""
    found = addresses(material)
    if not found:
        return verdict
    known = {line["quote"] for line in verdict.evidence}
    evidence = [*verdict.evidence, *(line for line in found if line["quote"] not in known)][:MOST_QUOTES]
    return Verdict(verdict.score, verdict.summary, True, evidence, verdict.dropped)


def _in_time() -> Callable[[], bool]:
    end = time.monotonic() + settings.CLAUDE_TIMEOUT_SECONDS
    return lambda: time.monotonic() < end


def _tomorrow() -> datetime:
    """The purse is that of a day in UTC."""
    return (timezone.now().astimezone(UTC) + timedelta(days=1)).replace(hour=0, minute=0, second=1, microsecond=0)
