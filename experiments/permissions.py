"""Who may do what here: predicates asked by API, pages, consumers and commands alike."""

from typing import TYPE_CHECKING

from experiments.lifecycle import EXPERIMENT_TERMINAL

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractUser, AnonymousUser

    from experiments.models import Experiment

    Actor = AbstractUser | AnonymousUser


def _has(user: "Actor", codename: str) -> bool:
    return user.has_perm(f"experiments.{codename}")


def can_view_lab(user: "Actor") -> bool:
    """People's pages, the event log, everybody's activity."""
    return _has(user, "view_lab")


def can_read_hidden(user: "Actor") -> bool:
    """What people took out of sight: whoever may do so."""
    return _has(user, "curate_forum")


def can_use_api(user: "Actor") -> bool:
    """Anything of the API at all: accounts without a role have nothing."""
    return can_view_lab(user) or can_submit(user)


def can_submit(user: "Actor") -> bool:
    """Submit an experiment."""
    return _has(user, "submit_experiment")


def can_upload(user: "Actor") -> bool:
    """Have uploaded predictions scored."""
    return _has(user, "upload_predictions")


def can_cancel(user: "Actor", experiment: "Experiment") -> bool:
    """Cancel this experiment: one's own, or anybody's for reviewers; never a finished one."""
    if experiment.state in EXPERIMENT_TERMINAL:
        return False
    own = experiment.submitter_id == user.pk and _has(user, "cancel_experiment")
    return own or _has(user, "cancel_any_experiment")


def can_rerun(user: "Actor") -> bool:
    """Repeat an experiment with fresh seeds."""
    return _has(user, "rerun_experiment")


def can_see_holdout(user: "Actor") -> bool:
    """Scores on the holdout split: people only, never agents."""
    return _has(user, "see_holdout")


def can_see_exact_uploads(user: "Actor") -> bool:
    """Exact accuracies of uploaded predictions."""
    return _has(user, "see_exact_uploads")


def can_manage_benchmarks(user: "Actor") -> bool:
    """Import benchmarks and start their preparation."""
    return _has(user, "manage_benchmarks")


def can_run_studies(user: "Actor") -> bool:
    """Start a transfer study, or stop it."""
    return _has(user, "run_transfer_study")


def can_see_studies(user: "Actor") -> bool:
    """Verdicts rest on the holdout split: people only."""
    return can_view_lab(user) and can_see_holdout(user)
