"""A column of a table of an archive: its kind, its name here, the form of its values."""

from dataclasses import dataclass
from typing import Any

from experiments.errors import InvalidInput

Row = dict[str, Any]
TYPES: dict[str, tuple[type, ...]] = {
    "int": (int,), "float": (float, int), "text": (str,), "bool": (bool,), "time": (str,), "ref": (int,), "id": (int,),
    "refs": (list,), "json": (object,),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    kind: id, int, float, text, bool, time (ISO 8601, UTC), json, ref (id of a row of `to`) or refs (a list of them).
    attr: the model's attribute, where it is called otherwise. null: whether None is allowed.
    form: what values may look like beyond their kind, as a type; every json column of this lab has one. It is not part
    of the format.
    """

    name: str
    kind: str = "text"
    to: str = ""
    attr: str = ""
    null: bool = False
    form: Any = None


def attr_of(column: Column) -> str:
    """The model's attribute of a column."""
    return column.attr or (f"{column.name}_id" if column.kind == "ref" else column.name)


def column_of(table: str, facts: Any) -> Column:
    """A column by what a manifest says of it. Raises: InvalidInput."""
    good = (
        isinstance(facts, dict)
        and isinstance(facts.get("name"), str)
        and isinstance(facts.get("to"), str)
        and isinstance(facts.get("null"), bool)
        and isinstance(facts.get("kind"), str)
        and facts["kind"] in TYPES
    )
    if not good:
        raise InvalidInput(f"table {table[:60]!r} has a column of an unknown form")
    return Column(facts["name"], facts["kind"], facts["to"], null=facts["null"])
