"""Recipes: what they are, what they use, how they did."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db.models import Count

from experiments.errors import NotFound
from experiments.models import Experiment, Method
from experiments.options import describe
from experiments.selectors.experiment_table import ExperimentRow, as_rows
from experiments.selectors.figures import best_per

if TYPE_CHECKING:
    from experiments.permissions import Actor


@dataclass(frozen=True, slots=True)
class OptionFact:
    """One option of a method, as its schema has it."""

    name: str
    default: Any
    allowed: str
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
    """Raises: NotFound."""
    method = Method.objects.filter(name=name).first()
    if method is None:
        raise NotFound(f"no method {name}")
    properties, definitions = (method.options_schema.get(key, {}) for key in ("properties", "$defs"))
    best = best_per(Experiment.objects.visible_to(user).filter(method=method), "benchmark")
    return MethodPage(
        method, [_fact(name, schema, definitions) for name, schema in properties.items()], as_rows(user, best)
    )


def _fact(name: str, schema: dict[str, Any], definitions: dict[str, Any]) -> OptionFact:
    return OptionFact(name, schema.get("default"), describe(schema, definitions), schema.get("description", ""))
