"""From a transcript to Messages API parameters, and from its stream of events to blocks, calls and usage."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from agents.services.actions import Call

if TYPE_CHECKING:
    from agents.models import Entry

CACHE: dict[str, Any] = {"type": "ephemeral"}
MOST_DEPTH = 20  # of a call's arguments; rows and pages walk them
_CHARACTERS_PER_TOKEN = 3  # of a stream that was cut: what it has cost is not told, so it is estimated high


def to_messages(entries: Sequence["Entry"], status: str) -> list[dict[str, Any]]:
    """Alternating messages; neighbours of one role become one, tool results first as the API asks.

    status: what changes at every step (budgets, notebook). It stands last and is not cached; everything before it is.
    """
    messages: list[dict[str, Any]] = []
    for entry in entries:
        blocks = [dict(block) for block in entry.content]
        if messages and messages[-1]["role"] == entry.role:
            messages[-1]["content"] += blocks
        else:
            messages.append({"role": entry.role, "content": blocks})
    for message in messages:
        if message["role"] == "user":
            message["content"].sort(key=lambda block: block["type"] != "tool_result")
    if messages:
        _mark_cached(messages[-1]["content"])
    tail = {"type": "text", "text": status}
    if messages and messages[-1]["role"] == "user":
        messages[-1]["content"].append(tail)
    else:
        messages.append({"role": "user", "content": [tail]})
    return messages


def _mark_cached(blocks: list[dict[str, Any]]) -> None:
    """The last block that may carry the mark: thinking blocks may not."""
    for block in reversed(blocks):
        if block["type"] in ("text", "tool_result", "tool_use"):
            block["cache_control"] = CACHE
            return


def most_tokens(parts: object) -> int:
    """No text has more tokens than this: a token is a byte or more, whatever the text. Rare ones come near it."""
    text = json.dumps(parts, ensure_ascii=False, default=str)
    return len(text.encode()) + 1_000  # the API's own frame


@dataclass
class Reply:
    """A stream of events as it comes in."""

    blocks: dict[int, dict[str, Any]] = field(default_factory=dict)
    stop_reason: str = ""
    usage: dict[str, int] = field(default_factory=dict)

    def add(self, event: Any) -> str:
        """Take one event. Returns: text that can be shown at once, empty if it has none."""
        if event.type == "message_start":
            self._count(event.message.usage)
        elif event.type == "content_block_start":
            block = event.content_block.model_dump(exclude_none=True)
            if block["type"] == "tool_use":
                block["input"] = ""  # comes in pieces of JSON text
            self.blocks[event.index] = block
        elif event.type == "content_block_delta":
            return self._grow(self.blocks[event.index], event.delta)
        elif event.type == "message_delta":
            self.stop_reason = event.delta.stop_reason or self.stop_reason
            self._count(event.usage)
        return ""

    @property
    def text(self) -> str:
        """What it has said so far."""
        return "".join(block.get("text", "") for block in self._ordered())

    def content(self) -> list[dict[str, Any]]:
        """Blocks for the transcript; a call whose JSON cannot be read has empty arguments there."""
        return [self._finished(block) for block in self._ordered() if _says_something(block)]

    def calls(self) -> list[Call]:
        """Its tool calls. One that was cut off, or whose JSON cannot be read, carries the problem with it."""
        blocks = [block for block in self._ordered() if block["type"] == "tool_use"]
        cut = self.stop_reason in ("max_tokens", "model_context_window_exceeded")
        made = []
        for index, block in enumerate(blocks):
            arguments, problem = _arguments(block["input"])
            if cut and index == len(blocks) - 1:
                problem = f"the reply was cut off ({self.stop_reason}) before this call was whole; it was not run"
            made.append(Call(block["id"], block["name"], {} if problem else arguments, problem))
        return made

    def spent_so_far(self) -> dict[str, int]:
        """Usage of a stream that ended early: its output is estimated from what it had said, and marked so."""
        said = sum(len(json.dumps(block, default=str)) for block in self.blocks.values())
        output = max(self.usage.get("output", 0), -(-said // _CHARACTERS_PER_TOKEN))
        return {**self.usage, "output": output, "estimated": 1} if self.usage else {}

    def _ordered(self) -> list[dict[str, Any]]:
        return [self.blocks[index] for index in sorted(self.blocks)]

    def _grow(self, block: dict[str, Any], delta: Any) -> str:
        if delta.type == "text_delta":
            block["text"] = block.get("text", "") + delta.text
            return str(delta.text)
        if delta.type == "input_json_delta":
            block["input"] += delta.partial_json
        elif delta.type == "thinking_delta":
            block["thinking"] = block.get("thinking", "") + delta.thinking
            return str(delta.thinking)
        elif delta.type == "signature_delta":
            block["signature"] = block.get("signature", "") + delta.signature
        return ""

    def _count(self, usage: Any) -> None:
        """Counts are cumulative; message_delta repeats or corrects those of message_start."""
        for name, theirs in (
            ("input", "input_tokens"),
            ("output", "output_tokens"),
            ("cache_read", "cache_read_input_tokens"),
            ("cache_write", "cache_creation_input_tokens"),
        ):
            value = getattr(usage, theirs, None)
            if value is not None:
                self.usage[name] = int(value)

    @staticmethod
    def _finished(block: Mapping[str, Any]) -> dict[str, Any]:
        if block["type"] != "tool_use":
            return dict(block)
        arguments, problem = _arguments(block["input"])
        return {"type": "tool_use", "id": block["id"], "name": block["name"], "input": {} if problem else arguments}


def _says_something(block: Mapping[str, Any]) -> bool:
    return block["type"] != "text" or bool(block.get("text", "").strip())  # the API refuses empty text blocks


def _arguments(text: str) -> tuple[dict[str, Any], str]:
    """Arguments and an empty problem, or nothing and the problem."""
    try:
        parsed = json.loads(text or "{}", parse_constant=_no_number, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        why = error if isinstance(error, ValueError) else "nested too deep"
        return {}, f"the arguments are not valid JSON ({why}); the call was not run"
    if not isinstance(parsed, dict):
        return {}, "the arguments must be a JSON object; the call was not run"
    if _is_deeper(parsed, MOST_DEPTH):
        return {}, f"the arguments are nested more than {MOST_DEPTH} deep; the call was not run"
    return parsed, ""


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no JSON number")


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _no_number(text)


def _is_deeper(value: Any, most: int) -> bool:
    level = [value]
    for _ in range(most):
        level = [
            inner
            for each in level
            if isinstance(each, dict | list)
            for inner in (each.values() if isinstance(each, dict) else each)
        ]
    return any(isinstance(each, dict | list) for each in level)
