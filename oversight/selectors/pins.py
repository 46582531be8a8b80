"""Where a note by hand is pinned: one row or one text of what it is about, with a link to it."""

from collections.abc import Callable, Mapping
from typing import Any

from django.db.models import Model
from django.urls import reverse

from agents.models import Action, Agent, Entry
from experiments.errors import InvalidInput
from experiments.models import Experiment, Run, Upload
from forum.models import Comment, Finding

LONGEST_QUOTE = 2_000


def pinned(subject: Model, pin: str, quote: str) -> dict[str, Any]:
    """The link to what is meant, and the words of it that are quoted.

    pin: "run:3", "file:method.py" of an experiment; "action:7", "entry:9" of an agent; "comment:8" of a finding; empty
    for the subject itself. Raises: InvalidInput for a row that is not the subject's, or words that are not in it.
    """
    kind, _, key = pin.partition(":")
    known = _PLACES.get(type(subject), {})
    if pin and kind not in known:
        allowed = ", ".join(f"{each}:…" for each in known) or "nothing"
        raise InvalidInput(f"{pin!r}: expected {allowed}", pointer="#/pin")
    link, text = known[kind](subject, key) if pin else (_page(subject), _own_text(subject))
    place: dict[str, Any] = {"link": link}
    if pin:
        place["pin"] = pin
    if quote:
        if len(quote) > LONGEST_QUOTE or quote not in text:
            raise InvalidInput(f"these words are not there: quote up to {LONGEST_QUOTE}, exactly", pointer="#/quote")
        place["quote"] = quote
    return place


def _page(subject: Model) -> str:
    if isinstance(subject, Experiment):
        return reverse("experiment", args=[subject.pk])
    if isinstance(subject, Agent):
        return reverse("agent", args=[subject.pk])
    if isinstance(subject, Finding):
        return reverse("finding", args=[subject.pk])
    if isinstance(subject, Upload):
        return reverse("benchmark", args=[subject.benchmark.slug])
    raise TypeError(f"no page of {subject!r}")


def _own_text(subject: Model) -> str:
    texts = [getattr(subject, name, "") for name in ("title", "hypothesis", "body", "brief", "error")]
    return "\n".join(text for text in texts if isinstance(text, str))


def _run(experiment: Any, key: str) -> tuple[str, str]:
    run = _row(Run.objects.filter(experiment=experiment), key, "run")
    return f"{_page(experiment)}#run-{run.seed_index}", f"{run.log}\n{run.error}"


def _file(experiment: Any, path: str) -> tuple[str, str]:
    files: Mapping[str, str] = experiment.snapshot.files if experiment.snapshot_id else {}
    if path not in files:
        known = ", ".join(sorted(files)) or "none: it runs a recipe"
        raise InvalidInput(f"no file {path!r}; there are: {known}", pointer="#/pin")
    return f"{_page(experiment)}#code", files[path]


def _action(agent: Any, key: str) -> tuple[str, str]:
    action = _row(Action.objects.filter(step__agent=agent), key, "action")
    said = Entry.objects.filter(step=action.step_id, kind=Entry.Kind.REPLY).order_by("number").first()
    place = f"#entry-{said.number}" if said else ""
    return f"{_page(agent)}{place}", f"{action.arguments}\n{action.result}"


def _entry(agent: Any, key: str) -> tuple[str, str]:
    entry = _row(Entry.objects.filter(agent=agent), key, "entry")
    texts = [str(block.get("text") or block.get("content") or "") for block in entry.content]
    return f"{_page(agent)}#entry-{entry.number}", "\n".join(texts)


def _comment(finding: Any, key: str) -> tuple[str, str]:
    comment = _row(Comment.objects.filter(finding=finding), key, "comment")
    return f"{_page(finding)}#comment-{comment.pk}", comment.body


def _row(rows: Any, key: str, kind: str) -> Any:
    found = rows.filter(pk=int(key)).first() if key.isascii() and key.isdigit() and len(key) <= 18 else None
    if found is None:
        raise InvalidInput(f"there is no {kind} {key!r} here", pointer="#/pin")
    return found


_PLACES: dict[type[Model], dict[str, Callable[[Any, str], tuple[str, str]]]] = {
    Experiment: {"run": _run, "file": _file},
    Agent: {"action": _action, "entry": _entry},
    Finding: {"comment": _comment},
}
