"""What JSON values of an archive look like, as types that pydantic checks: what pages read of them is there."""

from functools import cache
from typing import Annotated, Any, Literal, NotRequired

from pydantic import AfterValidator, ConfigDict, StringConstraints, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict

_OPEN = ConfigDict(extra="allow")

OBJECT = dict[str, Any]
OBJECTS = list[dict[str, Any]]
TEXTS = list[str]
NUMBERS = list[float]
COUNTS = dict[str, int]
SPLIT = Literal["teacher_train", "student_train", "dev", "holdout"]
DIGEST = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


@with_config(_OPEN)
class _Difference(TypedDict, total=False):
    value: float | None
    low: float | None
    high: float | None
    se: float | None
    bounded: bool
    n_items: int | None
    n_seeds: int | None
    level: float
    reason: str


class SCORE(_Difference, total=False):
    """What `dev_score` and `holdout_score` hold."""

    vanilla: _Difference | None


@with_config(_OPEN)
class _Curve(TypedDict):
    name: str
    x_label: NotRequired[str]
    x: list[float]
    y: list[float]


def _paired(curve: Any) -> Any:
    if len(curve["x"]) != len(curve["y"]):
        raise ValueError(f"{len(curve['x'])} x and {len(curve['y'])} y")
    return curve


CURVES = list[Annotated[_Curve, AfterValidator(_paired)]]


@with_config(_OPEN)
class SCHEMA(TypedDict, total=False):
    """The options of a method."""

    properties: dict[str, dict[str, Any]]


@with_config(_OPEN)
class _Block(TypedDict, total=False):
    text: str
    thinking: str
    name: str
    id: str


_NEEDED = {"text": ("text",), "tool_use": ("id", "name", "input")}


def _whole(block: Any) -> Any:
    missing = [name for name in _NEEDED.get(block.get("type"), ()) if name not in block]
    if missing:
        raise ValueError(f"a block of type {block['type']} without {missing[0]}")
    return block


CONTENT = list[Annotated[_Block, AfterValidator(_whole)]]


def form_problem(form: Any, value: Any) -> str:
    """Where and how a value differs from its form; empty if it does not."""
    try:
        _adapter(form).validate_python(value, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = "".join(f"[{each!r}]" if isinstance(each, int) else f".{each}"[:60] for each in first["loc"])
        return f"{place}: {first['msg']}"
    return ""


@cache
def _adapter(form: Any) -> TypeAdapter[Any]:
    return TypeAdapter(form)
