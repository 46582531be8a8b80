"""Recipes: what they are, what they use, how they did."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db.models import Count
from django.http import Http404

from experiments.models import Experiment, Method
from experiments.selectors.experiment_table import ExperimentRow, as_rows
from experiments.selectors.figures import best_per

if TYPE_CHECKING:
    from experiments.permissions import Actor


@dataclass(frozen=True, slots=True)
class OptionFact:
    """One option of a method, as its schema has it."""

    name: str
    kind: str
    default: Any
    bounds: str
    help: str


@dataclass(frozen=True, slots=True)
class MethodPage:
    """What the page of one method shows."""

    method: Method
    options: list[OptionFact]
    results: list[ExperimentRow]


def method_list() -> list[Method]:
    """Every recipe with how often it was tried (`tried`)."""
    return list(Method.objects.annotate(tried=Count("experiments")))


def method_page_of(user: "Actor", name: str) -> MethodPage:
    """Raises: Http404."""
    method = Method.objects.filter(name=name).first()
    if method is None:
        raise Http404(f"no method {name}")
    properties = method.options_schema.get("properties", {})
    best = best_per(Experiment.objects.visible_to(user).filter(method=method), "benchmark")
    return MethodPage(method, [_fact(name, schema) for name, schema in properties.items()], as_rows(user, best))


def _fact(name: str, schema: dict[str, Any]) -> OptionFact:
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    bounds = [f"{sign} {schema[key]:g}" for key, sign in signs.items() if schema.get(key) is not None]
    if "enum" in schema:
        bounds = [", ".join(map(str, schema["enum"]))]
    kinds = schema.get("type") or " or ".join(str(each.get("type")) for each in schema.get("anyOf", []))
    kind = kinds if isinstance(kinds, str) else " or ".join(kinds)
    return OptionFact(name, kind, schema.get("default"), ", ".join(bounds), schema.get("description", ""))
