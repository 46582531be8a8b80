"""The five roles and what each may do: the one place where permissions are given out."""

from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.db import transaction

_VIEW = {"view_lab"}
_RUN = {
    "submit_experiment",
    "cancel_experiment",
    "upload_predictions",
    "rerun_experiment",
    "run_campaign",
    "run_transfer_study",
    "see_holdout",
    "write_forum",
}
_REVIEW = {"review", "cancel_any_experiment", "see_exact_uploads", "curate_forum"}

ROLES: dict[str, set[str]] = {
    "viewer": _VIEW | {"see_holdout"},
    "researcher": _VIEW | _RUN,
    "reviewer": _VIEW | _RUN | _REVIEW,
    "admin": _VIEW | _RUN | _REVIEW | {"administer", "manage_benchmarks"},
    # an agent reads the lab through its own API, submits, and never sees a holdout score
    "agent": {"submit_experiment", "cancel_experiment", "upload_predictions", "write_forum"},
}

PERMISSIONS: dict[str, str] = {
    "view_lab": "See pages, events and everybody's activity",
    "submit_experiment": "Submit experiments",
    "cancel_experiment": "Cancel one's own experiments",
    "cancel_any_experiment": "Cancel anybody's experiments",
    "rerun_experiment": "Rerun an experiment with fresh seeds",
    "upload_predictions": "Have uploaded predictions scored",
    "see_holdout": "See scores on the holdout split",
    "see_exact_uploads": "See exact scores of uploaded predictions",
    "run_campaign": "Make and run campaigns",
    "run_transfer_study": "Start and stop transfer studies",
    "review": "Judge flags and approvals",
    "write_forum": "Post findings, comment and vote",
    "curate_forum": "Hide and pin findings",
    "manage_benchmarks": "Import and prepare benchmarks",
    "administer": "Manage users, roles and tokens",
}


@transaction.atomic
def sync_roles() -> None:
    """Brings groups and permissions in the database to what this file says; safe to repeat."""
    lab, _ = ContentType.objects.get_or_create(app_label="experiments", model="lab")
    permissions = {
        codename: Permission.objects.update_or_create(codename=codename, content_type=lab, defaults={"name": name})[0]
        for codename, name in PERMISSIONS.items()
    }
    for role, codenames in ROLES.items():
        group, _ = Group.objects.get_or_create(name=role)
        group.permissions.set([permissions[codename] for codename in sorted(codenames)])
