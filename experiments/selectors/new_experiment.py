"""What the page of a new experiment offers: methods that may be submitted, benchmarks that can take them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from experiments.lifecycle import BenchmarkState
from experiments.models import Benchmark, Experiment, Method
from experiments.offers import lacking
from experiments.services.code import CODE

if TYPE_CHECKING:
    from experiments.permissions import Actor

FIRST_CHOICE = "vanilla"  # the reference every method is compared with


@dataclass(frozen=True, slots=True)
class BenchmarkChoice:
    """A benchmark that can take the method, and how many runs it asks for by default."""

    slug: str
    title: str
    default_seeds: int


def submittable_methods() -> list[Method]:
    """Recipes that are switched on; code comes as a snapshot, by the API."""
    return list(Method.objects.filter(enabled=True).exclude(name=CODE))


def chosen_method(methods: list[Method], name: str) -> Method | None:
    """The one asked for, else vanilla, else the first; None without any."""
    by_name = {each.name: each for each in methods}
    return by_name.get(name) or by_name.get(FIRST_CHOICE) or next(iter(methods), None)


def benchmarks_for(user: "Actor", method: Method) -> list[BenchmarkChoice]:
    """Ready benchmarks that offer all that the method uses; an option may ask for more."""
    ready = Benchmark.objects.visible_to(user).filter(state=BenchmarkState.READY)
    return [
        BenchmarkChoice(each.slug, each.title, each.default_seeds)
        for each in ready.only("slug", "title", "default_seeds", "offers")
        if not lacking(method.uses, {}, {}, each.offers)
    ]


def benchmarks_for_code(user: "Actor") -> list[BenchmarkChoice]:
    """Ready benchmarks whose student is a probe: a sandbox holds no model to tune."""
    ready = Benchmark.objects.visible_to(user).filter(state=BenchmarkState.READY, student="probe")
    return [BenchmarkChoice(each.slug, each.title, each.default_seeds) for each in ready]


def copied_values(user: "Actor", experiment_id: str) -> dict[str, Any]:
    """What a form starts with that varies an experiment; nothing for an unknown one.

    Returns: benchmark, method, seeds, title, and options as {name: value}.
    """
    if not (experiment_id.isdecimal() and len(experiment_id) < 10):
        return {}
    found = (
        Experiment.objects.visible_to(user).select_related("benchmark", "method").filter(pk=int(experiment_id)).first()
    )
    if found is None:
        return {}
    return {
        "benchmark": found.benchmark.slug,
        "method": found.method.name,
        "title": found.title,
        "seeds": found.seeds,
        "options": found.options,
    }
