"""The campaign's log in its archive: gap-free numbers, ids that follow their rows, members that anybody may read."""

from typing import Any

from django.db.models import QuerySet

from experiments.archives.columns import Column, Row
from experiments.archives.forms import OBJECT
from experiments.archives.tables import Names, Scope, Table, World
from experiments.models import Event, EventCounter

_TABLE_OF = {
    "experiment": "experiments", "rerun_of": "experiments", "finding": "findings", "comment": "comments",
    "agent": "agents", "campaign": "campaigns",
}  # fmt: skip
_TOLD = frozenset({
    "experiment", "benchmark", "state", "seeds", "dev_pgr", "dev_accuracy", "standing", "before", "tainted_by",
    "finding", "claim", "comment", "score", "campaign", "agent", "name", "doing", "latch", "now", "added", "step",
    "stop_reason", "cost", "error", "again_at", "action", "tool", "arguments", "is_error", "result", "rule", "note",
    "approval", "why", "summary", "version", "policy", "self_reported", "outside", "text", "flag", "level", "subject",
    "detector", "verdict",
})  # fmt: skip
"""Members of payloads that anybody may read: states, ids, dev scores, and what was said by or to agents."""
_TOLD_OF = {"campaign.state": frozenset({"reason"}), "agent.latched": frozenset({"reason"})}
"""More of some kinds: what holds an agent is told to it. Other reasons and titles of flags are for people."""
_CURATED = frozenset({"finding.hidden", "finding.shown", "comment.hidden", "comment.shown"})
"""Who took something out of sight, and why, stays behind; that it was done does not, because numbers have no gaps."""


class Events(Table):
    """The campaign's gap-free log; numbers are kept, ids in it become those of this lab."""

    name = "events"
    model = Event
    columns = (
        Column("id", "id"), Column("kind"), Column("subject"), Column("actor", "ref", "people", null=True),
        Column("payload", "json", form=OBJECT), Column("created_at", "time"),
    )  # fmt: skip
    quotes = frozenset({"payload"})
    told = frozenset({"id", "kind", "subject", "actor", "created_at"})
    translated = frozenset({"subject", "actor", "payload"})
    after = frozenset(_TABLE_OF.values())  # whatever its ids may lead to

    def select(self, scope: Scope) -> QuerySet[Any]:
        """Its own log."""
        return self.base().filter(campaign=scope.campaign)

    def key(self, row: Any) -> int:
        """The number within the campaign."""
        return int(row.number)

    def value(self, column: Column, row: Any, names: Names) -> Any:
        """The id of an event is its number, there and here."""
        if row.kind in _CURATED and column.name == "actor":
            return None
        found = row.number if column.kind == "id" else super().value(column, row, names)
        if row.kind in _CURATED and column.name == "payload" and isinstance(found, dict):
            return {name: each for name, each in found.items() if name != "reason"}
        return found

    def partly(self, row: Row) -> Row:
        """Without what people wrote to people: it may quote figures of the holdout."""
        payload, more = row["payload"], _TOLD_OF.get(row["kind"], frozenset())
        if not isinstance(payload, dict):
            return {}
        return {"payload": {name: each for name, each in payload.items() if name in _TOLD or name in more}}

    def fields(self, row: Row, world: World) -> dict[str, Any]:
        """Ids that are not in the archive become 0: a number of another lab must not lead to a row of this one."""
        kind, _, key = row["subject"].partition(":")
        subject = f"{kind}:{_here(kind, int(key), world)}" if key.isascii() and key.isdigit() else row["subject"]
        payload = row["payload"]
        if isinstance(payload, dict):
            payload = {
                name: _here(name, value, world) if name in _TABLE_OF and type(value) is int else value
                for name, value in payload.items()
            }
        fields = {"campaign": world.campaign, "number": row["id"], "subject": subject, "payload": payload}
        return super().fields(row, world) | fields

    def finish(self, world: World) -> None:
        """The next event of the campaign would get the next number."""
        last = (
            Event.objects.filter(campaign=world.campaign).order_by("-number").values_list("number", flat=True).first()
        )
        EventCounter.objects.create(campaign=world.campaign, last_number=last or 0)


def _here(name: str, key: int, world: World) -> int:
    return world.locals.get(_TABLE_OF.get(name, ""), {}).get(key, 0)
