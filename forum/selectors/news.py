"""The newest findings in a line each, for pages that point to the forum."""

from typing import TYPE_CHECKING

from forum.models import Finding

if TYPE_CHECKING:
    from experiments.permissions import Actor


def latest_findings(user: "Actor", *, campaign: int = 0, limit: int = 6) -> list[Finding]:
    """The newest first, with their authors; of one campaign, or of the whole lab with 0."""
    found = Finding.objects.visible_to(user).select_related("author").order_by("-pk")
    return list((found.filter(campaign=campaign) if campaign else found).defer("body")[:limit])
