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
            "Capitals, continents, currencies, and the countries of cities. Methods get hidden states only: the "
            "model's likelihoods would be a way past the teacher."
        ),
        dataset="geography",
        weak=_weak(4),
        strong=_STRONG,
    ),
    BenchmarkSpec(
        slug="geography-prior",
        title="Geography, with the model's own likelihoods",
        description="The same questions, but methods may also ask the strong model how likely each answer is.",
        dataset="geography",
        weak=_weak(4),
        strong=_STRONG,
        offers=(_HIDDEN, _LIKELIHOOD),
    ),
    BenchmarkSpec(
        slug="city-size",
        title="City size",
        description="Which of two cities has more inhabitants? One of them is large.",
        dataset="city-size",
        weak=_weak(4),
        strong=_STRONG,
    ),
    BenchmarkSpec(
        slug="latitude",
        title="Latitude",
        description="Which of two cities is further north, by twelve degrees or more? Names alone say much of it.",
        dataset="latitude",
        weak=_weak(4),
        strong=_STRONG,
    ),
    BenchmarkSpec(
        slug="elements",
        title="Chemical elements",
        description="Symbols, atomic numbers, masses and periods: facts that a small model half knows.",
        dataset="elements",
        weak=_weak(6),  # after four layers teachers are at chance
        strong=_STRONG,
    ),
    BenchmarkSpec(
        slug="grammar",
        title="Grammar",
        description="Which of two sentences is correct? Agreement, tense, articles and pronouns; a wide gap.",
        dataset="grammar",
        weak=_weak(3),  # after two layers teachers are near chance, after four the gap is narrow
        strong=_STRONG,
    ),
    BenchmarkSpec(
        slug="geography-lora",
        title="Geography, by fine-tuning",
        description="The same questions; teachers and students are the models themselves, fine-tuned by LoRA adapters.",
        dataset="geography",
        weak=_weak(4),
        strong=_STRONG,
        student="lora",
        teachers=5,
        seeds=5,
        on_demand=True,
    ),
)


def builtin(slug: str) -> BenchmarkSpec:
    """The built-in benchmark of this name. Raises: UnknownName, which lists them."""
    for spec in BUILTIN:
        if spec.slug == slug:
            return spec
    raise UnknownName(f"unknown benchmark {slug!r}; known: {', '.join(spec.slug for spec in BUILTIN)}")
