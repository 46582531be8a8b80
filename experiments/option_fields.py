"""Form fields for a method's options, made from the JSON schema that its worker announced."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from django import forms

from experiments.options import describe

_LONGEST_TEXT = 500
_NUMBERS = ("integer", "number")


def option_field(name: str, schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> forms.Field:
    """One form field for one property of a JSON schema.

    Knows enum and const, boolean, integer and number with their bounds, and unions of them ("a number, or cv"); the
    rest is text, which the service's own check against the schema judges. An empty field leaves the option to its
    default; an option that has none, and may not be null, is required.
    definitions: the schema's "$defs", to which "$ref" points.
    """
    kinds = list(_alternatives(schema, definitions))
    nullable = any(kind.get("type") == "null" for kind in kinds)
    kinds = [kind for kind in kinds if kind.get("type") != "null"]
    words = [word for kind in kinds for word in _words(kind)]
    numbers = [kind for kind in kinds if kind.get("type") in _NUMBERS and not _words(kind)]
    allowed = describe(schema, definitions)
    common: dict[str, Any] = {
        "label": schema.get("title") or name.replace("_", " ").capitalize(),
        "required": not (nullable or "default" in schema),
        "initial": schema.get("default"),
    }
    if words and not numbers:
        return _choice(words, nullable, help_text=_help(schema), **common)
    if [kind.get("type") for kind in kinds] == ["boolean"]:
        return forms.BooleanField(help_text=_help(schema), **{**common, "required": False})
    common["help_text"] = _help(schema, allowed)
    if numbers:
        return _NumberField(numbers[0], words, allowed, **common)
    return forms.CharField(max_length=_LONGEST_TEXT, **common)


class _NumberField(forms.Field):
    """A number within bounds, or one of a few words."""

    def __init__(self, number: Mapping[str, Any], words: list[Any], allowed: str, **common: Any) -> None:
        self.number, self.allowed = number, allowed or "a number"
        self.words = {str(word): word for word in words}
        # not <input type=number>: browsers hand over nothing at all where they cannot read what was typed
        widget = forms.TextInput(attrs={"inputmode": "text" if words else "decimal", "autocomplete": "off"})
        super().__init__(widget=widget, **common)

    def to_python(self, value: Any) -> Any:
        """Raises: ValidationError that says what is allowed."""
        text = "" if value is None else str(value).strip()
        if not text:
            return None
        if text in self.words:
            return self.words[text]
        try:
            number = int(text) if self.number.get("type") == "integer" else float(text)
        except ValueError:
            number = math.nan
        if not self._within(number):
            raise forms.ValidationError(f"Expected {self.allowed}.")
        return number

    def _within(self, value: float) -> bool:
        bound = self.number.get
        return (
            math.isfinite(value)
            and value >= bound("minimum", -math.inf)
            and value <= bound("maximum", math.inf)
            and value > bound("exclusiveMinimum", -math.inf)
            and value < bound("exclusiveMaximum", math.inf)
        )


def _choice(words: list[Any], nullable: bool, **common: Any) -> forms.Field:
    by_text = {str(word): word for word in words}
    choices = [("", "none")] if nullable else []
    choices += [(text, text) for text in by_text]
    return forms.TypedChoiceField(choices=choices, coerce=by_text.__getitem__, empty_value=None, **common)


def _alternatives(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The schema's simple kinds: "$ref", "anyOf" and lists of types taken apart."""
    if "$ref" in schema:
        yield from _alternatives(definitions.get(str(schema["$ref"]).rpartition("/")[2], {}), definitions)
    elif "anyOf" in schema:
        for each in schema["anyOf"]:
            yield from _alternatives(each, definitions)
    elif isinstance(schema.get("type"), list):
        for kind in schema["type"]:
            yield {**schema, "type": kind}
    else:
        yield schema


def _words(kind: Mapping[str, Any]) -> list[Any]:
    return [kind["const"]] if "const" in kind else list(kind.get("enum", []))


def _help(schema: Mapping[str, Any], allowed: str = "") -> str:
    described = str(schema.get("description", "")).rstrip(".")
    default = f"default {schema['default']}" if allowed and schema.get("default") is not None else ""
    form = "; ".join(part for part in (allowed and allowed[0].upper() + allowed[1:], default) if part)
    return ". ".join(part for part in (described, form) if part)
