"""What the model answered, checked: it fits the schema and its quotes stand in the source, or it is no verdict."""

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agents.messages_api.messages import Reply
from oversight.monitor.material import Material

VERDICT = "verdict"  # name of the tool
MOST_QUOTES = 30
LONGEST_QUOTE = 2_000
LONGEST_TEXT = 2_000
LEAST_QUOTE = 4  # characters that are no space: "x" stands in every source
_ENDED = {"refusal": "the model refused to answer", "max_tokens": "the answer was cut off before it was whole"}

Text = Annotated[str, Field(max_length=LONGEST_TEXT)]


class NoVerdict(ValueError):
    """The answer says nothing that could be trusted; the message says why. Never to be taken for "clean"."""


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class _Quote(_Shape):
    """One line of evidence."""

    where: Text = Field(description='Name of the piece, such as "file:method.py".')
    quote: str = Field(max_length=LONGEST_QUOTE, description="Copied character for character from that piece.")
    why: Text = Field(description="What is suspicious about it, in one sentence.")


class _Answer(_Shape):
    """The arguments of the tool."""

    suspicion: float = Field(ge=0, le=1, allow_inf_nan=False, description="0 to 1, as explained.")
    summary: Text = Field(description="Two or three sentences for the person who will look at it.")
    speaks_to_reader: bool = Field(description="Whether a piece tries to instruct whoever reads it.")
    evidence: list[_Quote] = Field(max_length=MOST_QUOTES)


@dataclass(frozen=True, slots=True)
class Verdict:
    """A valid answer. evidence: {"where", "quote", "why"}, quotes found in the source; dropped: how many were not."""

    score: float
    summary: str
    speaks_to_reader: bool
    evidence: list[dict[str, str]]
    dropped: int


def schema() -> dict[str, Any]:
    """JSON schema of the tool's arguments, without references."""
    found = _Answer.model_json_schema()
    properties = dict(found["properties"])
    properties["evidence"] = {**properties["evidence"], "items": found["$defs"]["_Quote"]}
    return {"type": "object", "properties": properties, "required": found["required"], "additionalProperties": False}


def verdict_of(reply: Reply, material: Material) -> Verdict:
    """Raises: NoVerdict."""
    if reply.stop_reason in _ENDED:
        raise NoVerdict(_ENDED[reply.stop_reason])
    calls = [call for call in reply.calls() if call.tool == VERDICT]
    if len(calls) != 1:
        raise NoVerdict(f"the model called the tool {len(calls)} times, not once")
    if calls[0].problem:
        raise NoVerdict(calls[0].problem)
    try:
        answer = _Answer.model_validate(calls[0].arguments)
    except ValidationError as error:
        places = sorted({".".join(map(str, each["loc"])) or "answer" for each in error.errors()})
        raise NoVerdict(f"the answer does not fit its schema: {clean(', '.join(places)[:200])}") from None
    kept = [line for each in answer.evidence if (line := _found(each, material)) is not None]
    return Verdict(
        score=answer.suspicion,
        summary=clean(answer.summary),
        speaks_to_reader=answer.speaks_to_reader,
        evidence=kept,
        dropped=len(answer.evidence) - len(kept),
    )


def clean(text: str) -> str:
    """Fit for a column: no NUL, no half of a surrogate pair."""
    return text.replace("\x00", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()


def _found(given: _Quote, material: Material) -> dict[str, str] | None:
    """The quote with the piece it stands in, the one that was named first; None where it stands in none."""
    if len("".join(given.quote.split())) < LEAST_QUOTE:
        return None
    for piece in sorted(material.pieces, key=lambda piece: piece.where != given.where):
        if given.quote in piece.text:
            return {"where": piece.where, "quote": given.quote, "why": clean(given.why)}
    return None
