"""From a bearer token to its account, in one question to the database: every call of an agent begins with it."""

import hashlib
from datetime import timedelta
from functools import cache
from typing import Any, NamedTuple

from django.contrib.auth import get_user_model
from django.db import connection, models
from django.utils import timezone

from agents.models import Agent, Token
from experiments.grants import GRANTED, remember

# last_used_at is for people who look for forgotten tokens: a minute's precision saves a write per call
_USE_PRECISION = timedelta(minutes=1)


class Bearer(NamedTuple):
    """Who comes with a token: `token.user` with its permissions, and the agent that acts as this account, if any."""

    token: Token
    agent_id: int | None


def digest_of(token: str) -> str:
    """What is stored of a token. SHA-256 suffices: a token is 256 random bits, not a password."""
    return hashlib.sha256(token.encode()).hexdigest()


def find_bearer(raw: bytes) -> Bearer | None:
    """Who comes with this token; None if it is unknown, revoked or expired, or its account disabled."""
    with connection.cursor() as cursor:
        cursor.execute(_question(), [hashlib.sha256(raw).hexdigest()])
        row = cursor.fetchone()
    if row is None:
        return None
    width = len(_columns(Token))
    token, user = _instance(Token, row[:width]), _instance(get_user_model(), row[width:-2])
    token.user = user
    agent_id, granted = row[-2:]
    if not token.usable or not user.is_active:
        return None
    if not user.is_superuser:
        remember(user, granted)
    now = timezone.now()
    if token.last_used_at is None or token.last_used_at < now - _USE_PRECISION:
        Token.objects.filter(pk=token.pk).update(last_used_at=now)
    return Bearer(token, agent_id)


@cache
def _question() -> str:
    """Written out once: the ORM takes several times as long to build this as the database to answer it."""
    users, tokens, agents = (model._meta.db_table for model in (get_user_model(), Token, Agent))
    columns = [f't."{column.column}"' for column in _columns(Token)]
    columns += [f'u."{column.column}"' for column in _columns(get_user_model())]
    return (
        f"SELECT {', '.join(columns)}, (SELECT a.id FROM {agents} a WHERE a.user_id = u.id), "  # noqa: S608 - our names
        f"{GRANTED.format(user='u.id')} FROM {tokens} t JOIN {users} u ON u.id = t.user_id WHERE t.digest = %s"
    )


def _columns(model: type[models.Model]) -> Any:
    return model._meta.concrete_fields


def _instance(model: type[models.Model], values: Any) -> Any:
    """A row as its model, each value converted as the ORM converts it."""
    columns = _columns(model)
    converted = [
        column.from_db_value(value, None, connection) if hasattr(column, "from_db_value") else value
        for column, value in zip(columns, values, strict=True)
    ]
    return model.from_db(connection.alias, [column.attname for column in columns], converted)
