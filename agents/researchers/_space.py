"""The space that plain search walks through: recipes with their options, as Optuna knows and as rows remember them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import Trial

from experiments.models import Method
from experiments.offers import lacking

METHOD = "method"
# Chosen by cross-validation on weak labels, always: a penalty picked by dev scores would be picked by ground truth.
FIXED = frozenset({"l2"})
_LOG_RATIO = 50  # a range that spans more than this is searched by its logarithm


@dataclass(frozen=True, slots=True)
class Recipe:
    """One method and what may be varied in it. options: name -> Optuna's distribution."""

    name: str
    summary: str
    options: Mapping[str, BaseDistribution]
    defaults: Mapping[str, Any]


def recipe_of(method: Method, *, offers: Collection[str]) -> Recipe:
    """Read from the JSON schema of the method's options; what cannot be varied keeps its default.

    offers: what the benchmark lets methods draw on; a choice that needs more is left out.
    """
    options, defaults = {}, {}
    for option, described in method.options_schema.get("properties", {}).items():
        if described.get("default") is not None:
            defaults[option] = described["default"]
        distribution = None if option in FIXED else _distribution(_offered(option, described, offers))
        if distribution is not None:
            options[option] = distribution
    return Recipe(method.name, method.summary, options, defaults)


def _offered(option: str, described: Mapping[str, Any], offers: Collection[str]) -> Mapping[str, Any]:
    if "enum" not in described:
        return described
    schema = {"properties": {option: described}}
    return {
        **described,
        "enum": [each for each in described["enum"] if not lacking((), schema, {option: each}, offers)],
    }


def suggest(trial: Trial, recipes: Sequence[Recipe]) -> tuple[Recipe, dict[str, Any]]:
    """The recipe and options that a trial proposes."""
    by_name = {each.name: each for each in recipes}
    recipe = by_name[trial.suggest_categorical(METHOD, sorted(by_name))]
    values: dict[str, Any] = {}
    for option, distribution in recipe.options.items():
        key = f"{recipe.name}.{option}"
        if isinstance(distribution, CategoricalDistribution):
            values[option] = trial.suggest_categorical(key, distribution.choices)
        elif isinstance(distribution, IntDistribution):
            values[option] = trial.suggest_int(key, distribution.low, distribution.high, log=distribution.log)
        elif isinstance(distribution, FloatDistribution):
            # two digits suffice to tell options apart, and are what people would have typed
            raw = trial.suggest_float(key, distribution.low, distribution.high, log=distribution.log)
            values[option] = min(max(float(f"{raw:.2g}"), distribution.low), distribution.high)
    return recipe, values


def remembered(
    recipe: Recipe, options: Mapping[str, Any], recipes: Sequence[Recipe]
) -> tuple[dict[str, Any], dict[str, BaseDistribution]] | None:
    """Parameters and distributions of an experiment that has run; None if it lies outside the space."""
    params: dict[str, Any] = {METHOD: recipe.name}
    distributions: dict[str, BaseDistribution] = {METHOD: CategoricalDistribution(sorted(r.name for r in recipes))}
    if any(options.get(option, recipe.defaults.get(option)) != recipe.defaults.get(option) for option in FIXED):
        return None
    for option, distribution in recipe.options.items():
        value = options.get(option, recipe.defaults.get(option))
        if value is None or not distribution._contains(distribution.to_internal_repr(value)):
            return None
        params[f"{recipe.name}.{option}"], distributions[f"{recipe.name}.{option}"] = value, distribution
    return params, distributions


def _distribution(described: Mapping[str, Any]) -> BaseDistribution | None:
    if "enum" in described:
        return CategoricalDistribution(described["enum"]) if len(described["enum"]) > 1 else None
    kind = described.get("type")
    if kind == "boolean":
        return CategoricalDistribution([False, True])
    low = described.get("minimum", described.get("exclusiveMinimum"))
    high = described.get("maximum", described.get("exclusiveMaximum"))
    if kind not in ("integer", "number") or low is None or high is None or low >= high:
        return None
    if kind == "integer":
        return IntDistribution(int(low), int(high), log=low > 0 and high / low > _LOG_RATIO)
    margin = (high - low) * 0.01  # open ends stay out of reach
    low = low + margin if "minimum" not in described else low
    high = high - margin if "maximum" not in described else high
    return FloatDistribution(float(low), float(high), log=low > 0 and high / low > _LOG_RATIO)
