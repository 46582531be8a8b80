"""Many texts to HTML at once: compiled once and cached, their ledger numbers always fresh."""

import hashlib
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from django.core.cache import cache
from django.utils.safestring import SafeString, mark_safe
from redis import RedisError

from forum.markdown import VERSION, Compiled, compile_markdown, placeholders
from forum.models import Finding
from forum.references import PATTERN, Ledger, Reference, badge, ledger_of, read_reference
from forum.selectors.search import BETWEEN

if TYPE_CHECKING:
    from experiments.permissions import Actor

logger = logging.getLogger(__name__)

_KEEP_SECONDS = 7 * 86_400
# In a snippet words of a reference may be marked, and a fragment may end or begin within one.
_MARK = re.compile(r"</?mark>")
_WRITTEN = re.compile(rf"\{{\{{(?:{_MARK.pattern}|[^{{}}<])*\}}\}}")
_PART = rf"(?:{_MARK.pattern}|[a-z_ :#0-9])*"
_CUT = re.compile(rf"\{{\{{{_PART}(?={BETWEEN}|\Z)|(?:\A|(?<={BETWEEN})){_PART}\}}\}}")


@dataclass(frozen=True, slots=True)
class Rendered:
    """One text for one reader, now."""

    html: SafeString
    excerpt: SafeString
    badges: Mapping[Reference, SafeString] = field(default_factory=dict)

    def fill(self, snippet: SafeString) -> SafeString:
        """A snippet of this text, escaped and marked, with badges in place of its references."""

        def badge_of(match: re.Match[str]) -> str:
            written = PATTERN.fullmatch(_MARK.sub("", match[0]))
            return self.badges.get(read_reference(written), match[0]) if written else match[0]

        return mark_safe(_CUT.sub("", _WRITTEN.sub(badge_of, snippet)))  # noqa: S308 - safe parts in a safe text


def render(texts: Sequence[str], user: "Actor", *, base: str = "") -> list[Rendered]:
    """Each text as HTML for this reader. base: prefix of the badges' addresses, for feeds.

    At most three queries, however many texts and references.
    """
    compiled = _compiled(texts)
    references = [reference for each in compiled for reference in each.references]
    ledger = ledger_of(references, user, Finding.objects.visible_to(user)) if references else Ledger()
    return [_filled(each, ledger, base) for each in compiled]


def _filled(compiled: Compiled, ledger: Ledger, base: str) -> Rendered:
    badges = {each: badge(each, ledger, base) for each in compiled.references}

    def fill(match: re.Match[str]) -> str:
        return badges[compiled.references[int(match[1])]]

    pattern = placeholders(compiled.nonce)
    # safe: the sanitiser's output with format_html's in place of numbers that no author knew
    html, excerpt = (mark_safe(pattern.sub(fill, part)) for part in (compiled.html, compiled.excerpt))  # noqa: S308
    return Rendered(html=html, excerpt=excerpt, badges=badges)


def _compiled(texts: Sequence[str]) -> list[Compiled]:
    keys = [f"forum:markdown:{VERSION}:{hashlib.sha256(text.encode()).hexdigest()}" for text in texts]
    known = _cached(keys)
    made = {}
    for key, text in zip(keys, texts, strict=True):
        if key not in known:
            known[key] = made[key] = compile_markdown(text)
    if made:
        _keep(made)
    return [known[key] for key in keys]


def _cached(keys: Sequence[str]) -> dict[str, Compiled]:
    """What the cache has; without a cache the texts are compiled each time."""
    try:
        return cache.get_many(set(keys)) if keys else {}
    except RedisError as error:
        logger.warning("the cache of rendered texts cannot be read: %s", error)
        return {}


def _keep(made: dict[str, Compiled]) -> None:
    try:
        cache.set_many(made, _KEEP_SECONDS)
    except RedisError as error:
        logger.warning("rendered texts cannot be cached: %s", error)
