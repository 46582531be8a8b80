"""How states, standings and classes look: one glyph and one tone each, derived from lifecycle."""

from dataclasses import dataclass

from experiments.lifecycle import (
    BENCHMARK_TRANSITIONS,
    EXPERIMENT_TRANSITIONS,
    RUN_TRANSITIONS,
    BenchmarkState,
    ExperimentState,
    MethodClass,
    RunState,
    Standing,
    StudyState,
    Verdict,
)


@dataclass(frozen=True, slots=True)
class Look:
    """What a badge shows: the word carries the meaning; glyph and tone repeat it.

    tone: "", "active", "good", "warn" or "bad": a class of site.css.
    """

    label: str
    glyph: str
    tone: str = ""


_TONES = {
    RunState.RUNNING.value: ("◐", "active"),
    RunState.EVALUATING.value: ("◑", "active"),
    BenchmarkState.PREPARING.value: ("◐", "active"),
    RunState.SCORED.value: ("●", "good"),
    BenchmarkState.READY.value: ("●", "good"),
    RunState.FAILED.value: ("✕", "bad"),
    RunState.CANCELLED.value: ("–", ""),
    RunState.QUEUED.value: ("○", ""),
    BenchmarkState.REGISTERED.value: ("○", ""),
    BenchmarkState.REFERENCE.value: ("◇", ""),
    Standing.COUNTED.value: ("✓", "good"),
    Standing.UNVERIFIED.value: ("?", "warn"),
    Standing.UNDER_REVIEW.value: ("!", "warn"),
    Standing.POLICY_GRAY.value: ("◇", ""),
    Standing.DISQUALIFIED.value: ("✕", "bad"),
    MethodClass.WEAK_TO_STRONG.value: ("↗", ""),
    MethodClass.REFERENCE.value: ("▪", ""),
    StudyState.DONE.value: ("●", "good"),
    Verdict.TRANSFERS.value: ("✓", "good"),
    Verdict.DOES_NOT_TRANSFER.value: ("✕", "bad"),
    Verdict.HARMS.value: ("▼", "bad"),
    Verdict.INCONCLUSIVE.value: ("?", "warn"),
    Verdict.NOT_MEASURABLE.value: ("∅", ""),
    Verdict.NOT_RUN.value: ("–", ""),
}

LOOKS: dict[str, Look] = {
    str(value): Look(str(label), *_TONES[str(value)])
    for choices in (ExperimentState, RunState, BenchmarkState, Standing, MethodClass, StudyState, Verdict)
    for value, label in choices.choices
}

# States that still move: their pages refresh by themselves.
MOVING = {
    state for machine in (EXPERIMENT_TRANSITIONS, RUN_TRANSITIONS) for state, targets in machine.items() if targets
} | {state for state, targets in BENCHMARK_TRANSITIONS.items() if BenchmarkState.READY in targets}
