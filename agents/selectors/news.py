"""What an agent that runs elsewhere is told: what the lab's own agents are told at the beginning of each step."""

from dataclasses import dataclass

from agents.models import Agent, Entry
from agents.observation import observe_since
from experiments.errors import InvalidInput
from experiments.serializers.fields import LARGEST_NUMBER

MOST_MESSAGES = 20


@dataclass(frozen=True, slots=True)
class Message:
    """Something a person said to the agent. number: its place in the transcript."""

    number: int
    text: str


@dataclass(frozen=True, slots=True)
class News:
    """text: experiments that ended and findings of others; empty if there are none. since: to ask with next time."""

    text: str
    messages: list[Message]
    since: str


def news_of(agent: Agent, *, since: str = "") -> News:
    """What is new since an earlier answer, from the beginning if `since` is empty; asking twice loses nothing.

    since: three numbers with dashes between them: the last event, finding and message. Raises: InvalidInput.
    """
    event, finding, message = _places(since)
    seen = observe_since(agent, event=event, finding=finding)
    said = Entry.objects.filter(agent=agent, kind=Entry.Kind.PERSON, number__gt=message).order_by("number")
    messages = [Message(each.number, _text(each)) for each in said[:MOST_MESSAGES]]
    last = messages[-1].number if messages else message
    return News(seen.text, messages, f"{seen.seen_event}-{seen.seen_finding}-{last}")


def _places(since: str) -> tuple[int, int, int]:
    if not since:
        return 0, 0, 0
    parts = since.split("-")
    digits = len(parts) == 3 and all(part.isascii() and part.isdecimal() and len(part) <= 19 for part in parts)
    numbers = [int(part) for part in parts] if digits else []
    if not numbers or max(numbers) > LARGEST_NUMBER or numbers[2] >= 2**31:
        raise InvalidInput(f"since={since[:60]!r}: expected `since` of an earlier answer, or nothing", pointer="?since")
    return numbers[0], numbers[1], numbers[2]


def _text(entry: Entry) -> str:
    return "\n".join(block.get("text", "") for block in entry.content)
