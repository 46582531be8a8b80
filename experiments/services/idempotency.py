"""The same Idempotency-Key and body get the first answer; the work is done once, also under concurrent duplicates."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import transaction

from experiments.errors import IdempotencyClash, InvalidInput
from experiments.models import IdempotencyRecord

if TYPE_CHECKING:
    from django.contrib.auth.models import User

LONGEST_KEY = 200  # the column's width; a UUID has 36


@dataclass(frozen=True, slots=True)
class Answer:
    """What the creating call answers; `replayed` if an earlier call had answered it."""

    status: int
    body: dict[str, Any]
    replayed: bool = False


def once(*, user: "User", path: str, key: str, body: object, make: Callable[[], tuple[int, dict[str, Any]]]) -> Answer:
    """Calls `make`, unless this user's key has been answered on this path.

    key: "" for a call that does not ask for this. body: the parsed request. make: returns a status and a JSON object;
    runs in the transaction that stores them, so a failure stores nothing and the key stays free.
    A duplicate that comes while the first is at work waits for it at the unique index.
    Raises: InvalidInput for a malformed key; IdempotencyClash for a known key with another body.
    """
    if not key:
        return Answer(*make())
    if len(key) > LONGEST_KEY or not (key.isascii() and key.isprintable()):
        raise InvalidInput(f"Idempotency-Key: expected up to {LONGEST_KEY} printable ASCII characters")
    digest = hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
    with transaction.atomic():
        record, created = IdempotencyRecord.objects.get_or_create(
            user=user, path=path, key=key, defaults={"body_digest": digest}
        )
        if not created:
            return _replay(record, digest)
        status, answer = make()
        record.status, record.answer = status, answer
        record.save(update_fields=["status", "answer"])
    return Answer(status, answer)


def forget_answers(*, before: datetime) -> int:
    """Removes answers older than `before`; their keys may then be used anew. Returns: how many."""
    return IdempotencyRecord.objects.filter(created_at__lt=before).delete()[0]


def _replay(record: IdempotencyRecord, digest: str) -> Answer:
    if record.body_digest != digest:
        raise IdempotencyClash(f"the Idempotency-Key {record.key!r} was used here with another body")
    if record.status is None or record.answer is None:  # both are written in the transaction that made the row
        raise RuntimeError(f"idempotency record {record.pk} has no answer")
    return Answer(record.status, record.answer, replayed=True)
