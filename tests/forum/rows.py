"""Rows of the forum, made by its own services."""

from contextlib import contextmanager

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from forum.models import Comment, Finding
from forum.services.posting import comment, post_finding
from tests.factories import make_user


def member(role: str = "researcher", name: str = "") -> User:
    """An account without a password: hashing one takes longer than most tests."""
    return make_user(role, name, password=None)


def make_finding(user: User | None = None, **fields) -> Finding:
    """A finding by a researcher unless told otherwise."""
    values = {
        "kind": "insight",
        "title": "Soft labels keep the teacher's doubt",
        "body": "Hardening throws away what the teacher was unsure of.",
    }
    return post_finding(user=user or member(), **{**values, **fields})


def make_comment(finding: Finding, user: User | None = None, body: str = "Seen here as well.") -> Comment:
    """An answer."""
    return comment(user=user or member(), finding_id=finding.pk, body=body)


@contextmanager
def refused():
    """The database itself refuses what is done inside; the transaction goes on."""
    with pytest.raises(IntegrityError, match="is refused"), transaction.atomic():
        yield
