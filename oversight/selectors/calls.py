"""A tool call as a reviewer reads it: facts, text, code and differences instead of raw JSON."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from agents.models import Approval
from agents.services.budgets import amount_text
from experiments.models import Method
from experiments.snapshots.diffs import compare
from experiments.snapshots.models import Snapshot

LONG = 120  # characters; a longer text is shown as a block of its own


@dataclass(frozen=True, slots=True)
class Part:
    """One piece of a call. kind: "facts", "text", "code" or "diff"; path names a file, whose ending chooses colours."""

    kind: str
    title: str
    facts: tuple[tuple[str, str], ...] = ()
    text: str = ""
    path: str = ""


def call_parts(approval: Approval) -> list[Part]:
    """What the call says, and what a person changed in it."""
    render = _RENDERERS.get(approval.tool, _plain)
    parts = render(approval.arguments)
    if approval.edited_arguments is not None:
        before, after = _json(approval.arguments), _json(approval.edited_arguments)
        parts += [
            Part("diff", "Changed by a person", text=each.unified or "")
            for each in compare({"arguments": before}, {"arguments": after})
        ]
    return parts


def cost_text(approval: Approval) -> str:
    """The estimate in words; empty if it costs nothing that has a budget."""
    return ", ".join(f"{kind.replace('_', ' ')}: {amount_text(kind, amount)}" for kind, amount in approval.cost.items())


def _submit_experiment(arguments: Mapping[str, Any]) -> list[Part]:
    named = {name: arguments[name] for name in ("benchmark", "method", "seeds", "snapshot") if arguments.get(name)}
    parts = [Part("facts", str(arguments.get("title", "")), _pairs(named))]
    options = arguments.get("options") or {}
    method = Method.objects.filter(name=str(arguments.get("method", ""))).first()
    known = method.options_schema.get("properties", {}) if method else {}
    lines = [
        (name, f"{_short(value)} (default {_short(known.get(name, {}).get('default'))})")
        for name, value in options.items()
    ]
    if lines:
        parts.append(Part("facts", "Options", tuple(lines)))
    if arguments.get("hypothesis"):
        parts.append(Part("text", "Hypothesis", text=str(arguments["hypothesis"])))
    return parts + _snapshot_parts(arguments.get("snapshot"))


def _snapshot_parts(number: Any) -> list[Part]:
    snapshot = Snapshot.objects.filter(pk=number).first() if isinstance(number, int) else None
    if snapshot is None:
        return []
    parts = []
    parent = snapshot.parents.order_by("-pk").first()
    if parent is not None:
        title = f"Difference to its parent, snapshot {parent.pk}"
        parts = [
            Part("diff", f"{title}: {each.path}", text=each.unified or "")
            for each in compare(parent.files, snapshot.files)
        ]
    return parts + [Part("code", path, text=text, path=path) for path, text in sorted(snapshot.files.items())]


def _shell(arguments: Mapping[str, Any]) -> list[Part]:
    command = str(arguments.get("command", ""))
    rest = {name: value for name, value in arguments.items() if name != "command"}
    return [Part("code", "Command", text=command, path="command.sh"), *_plain(rest)]


def _write(arguments: Mapping[str, Any]) -> list[Part]:
    path = str(arguments.get("path", "file"))
    text = str(arguments.get("text", arguments.get("content", "")))
    rest = {name: value for name, value in arguments.items() if name not in ("text", "content")}
    return [*_plain(rest), Part("code", path, text=text, path=path)]


def _edit(arguments: Mapping[str, Any]) -> list[Part]:
    path = str(arguments.get("path", "file"))
    old, new = str(arguments.get("old", "")), str(arguments.get("new", ""))
    changes = compare({path: old}, {path: new})
    rest = {name: value for name, value in arguments.items() if name not in ("old", "new")}
    return [*_plain(rest), *(Part("diff", path, text=each.unified or "") for each in changes)]


def _plain(arguments: Mapping[str, Any]) -> list[Part]:
    short = {name: value for name, value in arguments.items() if not _is_long(value)}
    parts = [Part("facts", "", _pairs(short))] if short else []
    long_ones = [(name, value) for name, value in arguments.items() if _is_long(value)]
    return parts + [
        Part("text", name, text=value)
        if isinstance(value, str)
        else Part("code", name, text=_json(value), path="a.json")
        for name, value in long_ones
    ]


def _is_long(value: Any) -> bool:
    return len(_short(value)) > LONG or (isinstance(value, str) and "\n" in value)


def _pairs(named: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple((name, _short(value)) for name, value in named.items())


def _short(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, sort_keys=True) + "\n"


_RENDERERS: dict[str, Callable[[Mapping[str, Any]], list[Part]]] = {
    "submit_experiment": _submit_experiment,
    "shell": _shell,
    "write_file": _write,
    "edit_file": _edit,
}
