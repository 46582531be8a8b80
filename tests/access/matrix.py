"""Every door of the lab, everybody who may come to it, and the answer: computed from the routes, kept in matrix.txt.

`python -m pytest tests/access --regenerate` writes the file anew; read the difference before you commit it.
"""

from collections.abc import Iterator
from copy import copy
from pathlib import Path
from typing import Any, NamedTuple

from django.db import transaction
from django.http import HttpResponseBase
from django.urls import URLPattern, URLResolver, get_resolver

from tests.access.world import ACTORS, BODIES, World

FILE = Path(__file__).with_name("matrix.txt")
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
# Django's own admin answers by its model permissions; one test of its own walks all of it.
ADMIN = "admin/"


class Door(NamedTuple):
    """One method of one route. path: as written in the URL files."""

    method: str
    path: str
    route: URLPattern

    @property
    def label(self) -> str:
        return f"{self.method} /{self.path}"


def routes(patterns: Any = None, prefix: str = "") -> Iterator[tuple[str, URLPattern]]:
    """Every route with its whole path."""
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        path = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, path)
        else:
            yield path, pattern


def doors() -> Iterator[Door]:
    """Pages are asked by GET and POST; API views by every method that they have, and by one that they have not."""
    for path, route in routes():
        if path.startswith(ADMIN):
            continue
        view = getattr(route.callback, "cls", None)
        has = [method for method in METHODS if hasattr(view, method.lower())] if view else ["GET", "POST"]
        for method in has:
            yield Door(method, path, route)


def answers(world: World, door: Door) -> dict[str, str]:
    """What each actor gets: the status, or the reason there is no sample for the address."""
    return {actor: str(ask(world, door, actor).status_code) for actor in ACTORS}


def ask(world: World, door: Door, actor: str) -> HttpResponseBase:
    """Ask, and undo whatever the answer has changed."""
    name = door.route.name or ""
    values = {**world.samples, **world.special.get(name, {}), "rest": "v1/no-such-thing/"}
    wanted = door.route.pattern.converters
    missing = sorted(set(wanted) - set(values))
    if missing:
        raise LookupError(f"{door.label}: give a sample of {missing[0]!r} in tests/access/world.py")
    address = "/" + door.path
    for key, converter in wanted.items():
        tag = next(part for part in _tags(door.path) if part.rpartition(":")[2] == key)
        address = address.replace(f"<{tag}>", converter.to_url(values[key]))
    client = copy(world.clients[actor])
    client.cookies = copy(client.cookies)  # logging out must not log out for good
    client.raise_request_exception = False
    body = BODIES.get(name, {})
    is_api = address.startswith("/api/")
    with transaction.atomic():
        if door.method == "GET":
            response = client.get(address)
        else:
            send = getattr(client, door.method.lower())
            response = send(address, body, content_type="application/json") if is_api else send(address, body)
        if response.streaming:
            b"".join(response.streaming_content)
        transaction.set_rollback(True)
    return response


def _tags(path: str) -> list[str]:
    return [part.partition(">")[0] for part in path.split("<")[1:]]


def table(found: dict[str, dict[str, str]]) -> str:
    """The file's text: a line for each door, a column for each actor."""
    wide = max(map(len, found))
    head = " ".join([" " * wide, *(f"{actor:>9}" for actor in ACTORS)])
    lines = [" ".join([f"{label:<{wide}}", *(f"{row[actor]:>9}" for actor in ACTORS)]) for label, row in found.items()]
    return "\n".join([head.rstrip(), *lines]) + "\n"


def parsed(text: str) -> dict[str, dict[str, str]]:
    """The file as {label: {actor: status}}."""
    head, *lines = text.splitlines()
    actors = head.split()
    rows = {}
    for line in lines:
        label, *statuses = line.rsplit(maxsplit=len(actors))
        rows[label.strip()] = dict(zip(actors, statuses, strict=True))
    return rows
