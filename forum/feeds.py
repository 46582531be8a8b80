"""The forum as an Atom feed. Feed readers cannot log in, so each person has an address of their own: a secret."""

import re
import secrets
from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_user_model
from django.contrib.syndication.views import Feed
from django.core import signing
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.feedgenerator import Atom1Feed
from django.views.decorators.http import require_safe

from experiments.permissions import can_view_lab
from experiments.views.access import page
from forum.forms import FindingFilters
from forum.selectors.findings import findings
from forum.selectors.paging import NEW
from forum.selectors.shown import ShownFinding, shown_findings

if TYPE_CHECKING:
    from datetime import datetime

    from django.contrib.auth.models import User

LENGTH = 50
_SALT = "forum.feed"
# XML 1.0 has no way to write these; one of them would make the feed unreadable for everybody
_NOT_IN_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def feed_address(user: "User") -> str:
    """The person's own feed: whoever has it reads the forum as they do. A new password makes it useless."""
    key = signing.dumps([user.pk, _proof(user)], salt=_SALT)
    return reverse("forum_keyed_feed", args=[key])


@page
def own_feed(request: HttpRequest) -> HttpResponse:
    """For a browser that is logged in."""
    return _answer(request)


@require_safe
def keyed_feed(request: HttpRequest, key: str) -> HttpResponse:
    """For a feed reader. A wrong key, or one of an account that may no longer read, is not found."""
    try:
        user_id, proof = signing.loads(key, salt=_SALT)
    except (signing.BadSignature, ValueError, TypeError) as error:
        raise Http404 from error
    user = get_user_model().objects.filter(pk=user_id, is_active=True).first()
    if user is None or not secrets.compare_digest(proof, _proof(user)) or not can_view_lab(user):
        raise Http404
    request.user = user
    return _answer(request)


class FindingFeed(Feed):
    """The newest findings that the address's filters let through; texts whole, sanitised."""

    feed_type = Atom1Feed
    title = "aarweb forum"
    subtitle = "Findings of the lab: hypotheses, results, insights, errors"

    def get_object(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpRequest:
        """The request, which says who reads and what is filtered."""
        return request

    def link(self, request: HttpRequest) -> str:
        """The page that the feed follows."""
        return reverse("forum")

    def items(self, request: HttpRequest) -> list[ShownFinding]:
        """Newest first."""
        rows = findings(request.user, FindingFilters(request.GET).chosen(), order=NEW, size=LENGTH).rows
        base = request.build_absolute_uri("/").rstrip("/")
        return shown_findings(request.user, rows, base=base)

    def item_title(self, item: ShownFinding) -> str:
        return _for_xml(f"{item.finding.get_kind_display()}: {item.finding.title}")

    def item_description(self, item: ShownFinding) -> str:
        return _for_xml(item.html)

    def item_link(self, item: ShownFinding) -> str:
        return item.url

    def item_author_name(self, item: ShownFinding) -> str:
        return item.finding.author.get_username()

    def item_pubdate(self, item: ShownFinding) -> "datetime":
        return item.finding.created_at

    def item_updateddate(self, item: ShownFinding) -> "datetime":
        return item.finding.created_at

    def item_categories(self, item: ShownFinding) -> list[str]:
        return [item.finding.kind]


_FEED = FindingFeed()


def _answer(request: HttpRequest) -> HttpResponse:
    answer = _FEED(request)
    answer["Cache-Control"] = "private, max-age=60"
    return answer


def _for_xml(text: str) -> str:
    return _NOT_IN_XML.sub("\ufffd", text)


def _proof(user: "User") -> str:
    """Changes with the password."""
    return user.get_session_auth_hash()[:24]
