"""Forms of the pages: what may be asked of a list, and an experiment built from its method's option schema."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django import forms

from experiments.lifecycle import ExperimentState, MethodClass, Standing
from experiments.models import Benchmark, Method
from experiments.permissions import can_see_holdout
from experiments.selectors.experiment_table import HOLDOUT_ORDERS, ORDERS

if TYPE_CHECKING:
    from experiments.permissions import Actor

MOST_SEEDS = 100
_OPTION = "option_"


class ExperimentFilters(forms.Form):
    """Filters, search and order of the experiments table."""

    search = forms.CharField(required=False, max_length=200, label="Search", widget=forms.TextInput(attrs={"type": "search"}))
    benchmark = forms.ChoiceField(required=False)
    method = forms.ChoiceField(required=False)
    submitter = forms.CharField(required=False, max_length=150, widget=forms.TextInput(attrs={"list": "submitters"}))
    state = forms.ChoiceField(required=False, choices=[("", "Any"), *ExperimentState.choices])
    standing = forms.ChoiceField(required=False, choices=[("", "Any"), *Standing.choices])
    order = forms.ChoiceField(required=False, label="Sort by")

    def __init__(self, *args: Any, user: "Actor", **kwargs: Any) -> None:
        super().__init__(*args, auto_id="filter_%s", **kwargs)
        # "class" is a word of Python's, so it cannot be an attribute
        self.fields["class"] = forms.ChoiceField(required=False, choices=[("", "Any"), *MethodClass.choices], label="Class")
        slugs = Benchmark.objects.visible_to(user).values_list("slug", "title")
        self.fields["benchmark"].choices = [("", "Any"), *slugs]  # type: ignore[attr-defined]
        self.fields["method"].choices = [("", "Any"), *Method.objects.values_list("name", "title")]  # type: ignore[attr-defined]
        orders = {**ORDERS, **(HOLDOUT_ORDERS if can_see_holdout(user) else {})}
        self.fields["order"].choices = [("", "Newest first"), *list(orders.items())[1:]]  # type: ignore[attr-defined]
        self.order_fields(["search", "benchmark", "method", "submitter", "state", "standing", "class", "order"])

    def chosen(self) -> dict[str, str]:
        """What was asked for and is allowed; a refused field does not filter, and says so beside it."""
        self.is_valid()
        return {name: str(value) for name, value in self.cleaned_data.items() if value}


class NewExperiment(forms.Form):
    """An experiment by hand; one field per option of the chosen method, with its range, default and help."""

    benchmark = forms.ChoiceField()
    title = forms.CharField(max_length=200, help_text="What people will see in lists")
    hypothesis = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 4}),
        required=False,
        max_length=10_000,
        help_text="What you expect, and why: written before the result, it is worth more after it",
    )
    seeds = forms.IntegerField(min_value=1, max_value=MOST_SEEDS, help_text="How many runs; the server draws the seeds")

    def __init__(self, *args: Any, method: Method, benchmarks: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(*args, auto_id="new_%s", **kwargs)
        self.fields["benchmark"].choices = list(benchmarks.items())  # type: ignore[attr-defined]
        self.method = method
        required = method.options_schema.get("required", [])
        for name, schema in _properties(method).items():
            self.fields[_OPTION + name] = option_field(name, schema, required=name in required)

    @property
    def option_fields(self) -> list[forms.BoundField]:
        """The fields of the method's options."""
        return [self[name] for name in self.fields if name.startswith(_OPTION)]

    @property
    def plain_fields(self) -> list[forms.BoundField]:
        """The fields that every method has."""
        return [self[name] for name in self.fields if not name.startswith(_OPTION)]

    def options(self) -> dict[str, Any]:
        """The method's options as its schema names them; empty optional ones are left to their default."""
        chosen = {name: self.cleaned_data.get(_OPTION + name) for name in _properties(self.method)}
        return {name: value for name, value in chosen.items() if value not in (None, "")}

    def blame(self, pointer: str | None, message: str) -> None:
        """Put a service's objection beside the field its JSON pointer names; else above the form."""
        leaf = (pointer or "").rpartition("/")[2]
        field = next((name for name in (_OPTION + leaf, leaf) if name in self.fields), None)
        self.add_error(field, message)


def option_field(name: str, schema: Mapping[str, Any], *, required: bool) -> forms.Field:
    """One form field for one property of a JSON schema.

    Knows: enum, boolean, integer, number (with minimum, maximum and their exclusive kin), else text.
    """
    label = schema.get("title") or name.replace("_", " ").capitalize()
    common = {"label": label, "required": False, "initial": schema.get("default"), "help_text": _help(schema)}
    if "enum" in schema:
        return forms.TypedChoiceField(
            choices=[(value, str(value)) for value in schema["enum"]], coerce=_coerce_to(schema["enum"]), **common
        )
    kind = _kind(schema)
    if kind == "boolean":
        return forms.BooleanField(**common)
    if kind in ("integer", "number"):
        made = forms.IntegerField if kind == "integer" else forms.FloatField
        common["required"] = required and schema.get("default") is None
        field = made(min_value=schema.get("minimum"), max_value=schema.get("maximum"), **common)
        if kind == "number":
            field.widget.attrs["step"] = "any"
        return field
    return forms.CharField(max_length=500, **common)


def _kind(schema: Mapping[str, Any]) -> str:
    """The JSON type; of an optional one, which is written ["number", "null"] or anyOf, the type that is not null."""
    kinds = schema.get("type") or [each.get("type") for each in schema.get("anyOf", [])]
    kinds = [kinds] if isinstance(kinds, str) else kinds
    return next((str(kind) for kind in kinds if kind not in ("null", None)), "string")


def _help(schema: Mapping[str, Any]) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    bounds = [
        f"{word} {value:g}"
        for word, value in (("from", low), ("above", above), ("to", high), ("below", below))
        if value is not None
    ]
    default = schema.get("default")
    parts = [schema.get("description", "").rstrip(".")]
    if bounds:
        parts.append(" ".join(bounds))
    if default is not None and _kind(schema) != "boolean":
        parts.append(f"default {default}")
    return "; ".join(part for part in parts if part)


def _coerce_to(allowed: list[Any]) -> Any:
    """Form values are text; the schema's may be numbers."""
    by_text = {str(value): value for value in allowed}
    return lambda text: by_text.get(str(text), text)


def _properties(method: Method) -> dict[str, Any]:
    return dict(method.options_schema.get("properties", {}))
