"""Exports a campaign as one file: who may, with what in it, and under which name."""

from typing import IO, TYPE_CHECKING, Any

from agents.permissions import can_view_lab
from agents.selectors.campaigns import campaign_of
from experiments.archives.tables import Scope
from experiments.archives.writing import write_campaign
from experiments.errors import Forbidden
from experiments.permissions import can_see_holdout

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def export_campaign(*, user: "User", campaign_id: int, out: IO[bytes], holdout: bool = False) -> dict[str, Any]:
    """Write the archive to `out`. holdout: with scores on the holdout split, for people who may see them.

    Returns: the manifest. Raises: NotFound, Forbidden.
    """
    campaign = campaign_of(user, campaign_id)
    if not can_view_lab(user):
        raise Forbidden("agents may not export a campaign")
    if holdout and not can_see_holdout(user):
        raise Forbidden("you may not see holdout scores, so you may not export them")
    return write_campaign(out, scope=Scope(campaign=campaign_id, holdout=holdout), name=campaign.name)


def archive_name(campaign_id: int) -> str:
    """The name of the file."""
    return f"campaign-{campaign_id}.tar.gz"
