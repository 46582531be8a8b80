"""The states of experiments, runs and benchmarks, and which may follow which."""

from django.db import models


class ExperimentState(models.TextChoices):
    """Derived from its runs, except CANCELLED, which people and submitters ask for."""

    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    SCORED = "scored", "Scored"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"


class RunState(models.TextChoices):
    """One seed: waiting, being trained, predictions waiting for their score, done."""

    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    EVALUATING = "evaluating", "Evaluating"
    SCORED = "scored", "Scored"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"


class BenchmarkState(models.TextChoices):
    """REGISTERED waits until somebody needs it; REFERENCE has published figures and no items."""

    REGISTERED = "registered", "Registered"
    PREPARING = "preparing", "Preparing"
    READY = "ready", "Ready"
    FAILED = "failed", "Failed"
    REFERENCE = "reference", "Reference"


class Standing(models.TextChoices):
    """What an experiment's score counts for on the leaderboard."""

    COUNTED = "counted", "Counted"
    UNVERIFIED = "unverified", "Unverified"
    UNDER_REVIEW = "under_review", "Under review"
    POLICY_GRAY = "policy_gray", "Policy-gray"
    DISQUALIFIED = "disqualified", "Disqualified"


RANKED = [Standing.COUNTED, Standing.POLICY_GRAY]
"""What is ranked, studied, and counts in studies: nothing is held against it."""

TAINTING = [Standing.DISQUALIFIED, Standing.UNDER_REVIEW]
"""What descends from results of these standings is to be verified again."""


class ProbeKind(models.TextChoices):
    """What is changed when seeds are run again."""

    REPLAY = "replay", "Nothing: the same again"
    BATCH = "batch", "Half of the test items, alone"
    PERMUTED = "permuted", "Weak labels dealt out at random"
    NOISE15 = "noise15", "15% of the weak labels turned round"
    NOISE30 = "noise30", "30% of the weak labels turned round"
    INVERTED = "inverted", "All weak labels turned round"


SAME_ANSWERS = frozenset({ProbeKind.REPLAY, ProbeKind.BATCH})  # the stored answers are what these must give again


class ProbeState(models.TextChoices):
    """QUEUED waits for a gpu worker, EVALUATING for the scorer."""

    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    EVALUATING = "evaluating", "Evaluating"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"


class StudyState(models.TextChoices):
    """DONE when every cell is judged; CANCELLED stops what has not ended, and those cells did not run."""

    RUNNING = "running", "Running"
    DONE = "done", "Done"
    CANCELLED = "cancelled", "Cancelled"


class Verdict(models.TextChoices):
    """What one cell says of transfer, in the order in which it is asked; NOT_RUN has no predictions to ask."""

    NOT_MEASURABLE = "not_measurable", "Not measurable"
    TRANSFERS = "transfers", "Transfers"
    HARMS = "harms", "Harms"
    DOES_NOT_TRANSFER = "does_not_transfer", "Does not transfer"
    INCONCLUSIVE = "inconclusive", "Inconclusive"
    NOT_RUN = "not_run", "Did not run"


class MethodClass(models.TextChoices):
    """Which contest a method takes part in."""

    WEAK_TO_STRONG = "weak_to_strong", "Weak-to-strong"
    POLICY_GRAY = "policy_gray", "Policy-gray"
    REFERENCE = "reference", "Reference"


EXPERIMENT_TRANSITIONS: dict[str, set[str]] = {
    ExperimentState.QUEUED: {ExperimentState.RUNNING, ExperimentState.FAILED, ExperimentState.CANCELLED},
    # back to QUEUED: its worker died before any run was scored, and the reaper put the runs back
    ExperimentState.RUNNING: {
        ExperimentState.QUEUED,
        ExperimentState.SCORED,
        ExperimentState.FAILED,
        ExperimentState.CANCELLED,
    },
    ExperimentState.SCORED: set(),
    ExperimentState.FAILED: set(),
    ExperimentState.CANCELLED: set(),
}

RUN_TRANSITIONS: dict[str, set[str]] = {
    RunState.QUEUED: {RunState.RUNNING, RunState.FAILED, RunState.CANCELLED},
    RunState.RUNNING: {RunState.QUEUED, RunState.EVALUATING, RunState.FAILED, RunState.CANCELLED},
    RunState.EVALUATING: {RunState.SCORED, RunState.FAILED, RunState.CANCELLED},
    RunState.SCORED: set(),
    RunState.FAILED: set(),
    RunState.CANCELLED: set(),
}

BENCHMARK_TRANSITIONS: dict[str, set[str]] = {
    BenchmarkState.REGISTERED: {BenchmarkState.PREPARING},
    BenchmarkState.PREPARING: {BenchmarkState.REGISTERED, BenchmarkState.READY, BenchmarkState.FAILED},
    BenchmarkState.FAILED: {BenchmarkState.REGISTERED, BenchmarkState.PREPARING},
    BenchmarkState.READY: set(),
    BenchmarkState.REFERENCE: set(),
}


def sources(transitions: dict[str, set[str]], to: str) -> list[str]:
    """The states from which `to` may be reached."""
    return [state for state, targets in transitions.items() if to in targets]


def terminal(transitions: dict[str, set[str]]) -> list[str]:
    """The states that nothing leaves."""
    return [state for state, targets in transitions.items() if not targets]


EXPERIMENT_TERMINAL = terminal(EXPERIMENT_TRANSITIONS)
RUN_TERMINAL = terminal(RUN_TRANSITIONS)
