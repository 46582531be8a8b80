"""The transcript and the notebook: both only grow."""

import re
from collections.abc import Mapping
from typing import Any

from django.db.models import Max

from agents.models import Agent, Entry, Notebook, Step
from experiments.errors import InvalidInput

LONGEST_NOTEBOOK = 50_000
_NOT_KEPT = re.compile("[\\x00\ud800-\udfff]")


def append(agent: Agent, role: str, kind: str, content: list[dict[str, Any]], *, step: Step | None = None) -> Entry:
    """Add one message. Needs a transaction that holds the agent's row, which keeps the numbers without gaps.

    Signs that no row can hold are replaced: a model may say anything.
    """
    content = storable(content)
    last = Entry.objects.filter(agent=agent).aggregate(last=Max("number"))["last"] or 0
    return Entry.objects.create(agent=agent, number=last + 1, role=role, kind=kind, content=content, step=step)


def storable(value: Any) -> Any:
    """The same with every sign that PostgreSQL cannot keep (NUL, halves of surrogate pairs) replaced, however deep."""
    if isinstance(value, str):
        return _NOT_KEPT.sub("\N{REPLACEMENT CHARACTER}", value)
    if isinstance(value, Mapping):
        return {storable(key): storable(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [storable(each) for each in value]
    return value


def since_compaction(agent: Agent) -> list[Entry]:
    """The brief, the latest summary if there is one, and all that came after it, oldest first."""
    entries = Entry.objects.filter(agent=agent).order_by("number")
    summary = entries.filter(kind=Entry.Kind.COMPACTION).order_by("-number").first()
    if summary is None:
        return list(entries)
    brief = entries.filter(kind=Entry.Kind.BRIEF)
    return [*brief, *entries.filter(number__gte=summary.number)]


def write_notebook(agent: Agent, body: str) -> Notebook:
    """A new version; the same text again is no new one. Needs a transaction that holds the agent's row.

    Raises: InvalidInput.
    """
    if len(body) > LONGEST_NOTEBOOK or "\x00" in body:
        raise InvalidInput(f"a notebook has at most {LONGEST_NOTEBOOK} characters, none of them NUL", pointer="#/body")
    latest = read_notebook(agent)
    if latest is not None and latest.body == body:
        return latest
    return Notebook.objects.create(agent=agent, version=(latest.version if latest else 0) + 1, body=body)


def read_notebook(agent: Agent) -> Notebook | None:
    """The latest version."""
    return Notebook.objects.filter(agent=agent).order_by("-version").first()
