"""How levels, verdicts and the states of flags and probes look: one glyph and one tone each, derived from lifecycle."""

from experiments.lifecycle import ProbeState
from experiments.looks import Look
from oversight.lifecycle import REOPENED, FlagState, Level, Verdict
from oversight.models.readings import ReadingState

_TONES = {
    Level.INFO.value: ("i", ""),
    Level.FLAG.value: ("⚑", "warn"),
    Level.HOLD.value: ("‖", "bad"),
    FlagState.OPEN.value: ("○", ""),
    FlagState.CLAIMED.value: ("◐", "active"),
    FlagState.DECIDED.value: ("●", "good"),
    Verdict.CLEAN.value: ("✓", "good"),
    Verdict.POLICY_GRAY.value: ("◇", ""),
    Verdict.EFFECT_REMOVED.value: ("✕", "bad"),
    Verdict.DISQUALIFIED.value: ("✕", "bad"),
    Verdict.EVALUATOR_BUG.value: ("!", "warn"),
    ReadingState.WAITING.value: ("○", ""),
    ReadingState.CALLING.value: ("◐", "active"),
    ReadingState.DONE.value: ("●", ""),
    ReadingState.NO_VERDICT.value: ("?", "warn"),
    ProbeState.QUEUED.value: ("○", ""),
    ProbeState.RUNNING.value: ("◐", "active"),
    ProbeState.EVALUATING.value: ("◑", "active"),
    ProbeState.DONE.value: ("●", "good"),
    ProbeState.FAILED.value: ("✕", "bad"),
}

LOOKS: dict[str, Look] = {
    str(value): Look(str(label), *_TONES[str(value)])
    for choices in (Level, FlagState, Verdict, ProbeState, ReadingState)
    for value, label in choices.choices
} | {REOPENED: Look("Reopened", "↺", "warn")}
