"""The benchmarks that come with the lab: one small real model, cut off early as the teacher, on real facts."""

from registry import UnknownName
from workers.w2s.spec import BenchmarkSpec, ModelSpec

_STRONG = ModelSpec.parse("wheel:smollm2-135m")
_HIDDEN, _LIKELIHOOD = "hidden_states", "likelihood"


def _weak(layers: int) -> ModelSpec:
    return ModelSpec.parse(f"wheel:smollm2-135m@layers={layers}")


BUILTIN: tuple[BenchmarkSpec, ...] = (
    BenchmarkSpec(
        slug="geography",
        title="Geography",
        description=(
            "Which answer is right? Capitals, continents, currencies, and the countries of cities. "
            "Methods get hidden states only: the model's likelihoods would be a shortcut past the teacher."
        ),
        dataset="geography",
        weak=_weak(4),
        strong=_STRONG,
    ),
    BenchmarkSpec(
        slug="geography-prior",
        title="Geography, with the model's own likelihoods",
        description="The same questions, and methods may also ask the strong model how likely each answer is.",
        dataset="geography",
        weak=_weak(4),
        strong=_STRONG,
        offers=(_HIDDEN, _LIKELIHOOD),
    ),
)


def builtin(slug: str) -> BenchmarkSpec:
    """The built-in benchmark of this name. Raises: UnknownName, which lists them."""
    for spec in BUILTIN:
        if spec.slug == slug:
            return spec
    raise UnknownName(f"unknown benchmark {slug!r}; known: {', '.join(spec.slug for spec in BUILTIN)}")
