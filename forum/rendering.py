"""Many texts to HTML at once: compiled once and cached, their ledger numbers always fresh."""

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.core.cache import cache
from django.utils.safestring import SafeString, mark_safe
from redis import RedisError

from forum.markdown import VERSION, Compiled, compile_markdown, placeholders
from forum.models import Finding
from forum.references import Ledger, badge, ledger_of

if TYPE_CHECKING:
    import re

    from experiments.permissions import Actor

logger = logging.getLogger(__name__)

_KEEP_SECONDS = 7 * 86_400


@dataclass(frozen=True, slots=True)
class Rendered:
    """One text for one reader, now."""

    html: SafeString
    excerpt: SafeString


def render(texts: Sequence[str], user: "Actor", *, base: str = "") -> list[Rendered]:
    """Each text as HTML for this reader. base: prefix of the badges' addresses, for feeds.

    At most three queries, however many texts and references.
    """
    compiled = _compiled(texts)
    references = [reference for each in compiled for reference in each.references]
    ledger = ledger_of(references, user, Finding.objects.visible_to(user)) if references else Ledger()
    return [_filled(each, ledger, base) for each in compiled]


def _filled(compiled: Compiled, ledger: Ledger, base: str) -> Rendered:
    def fill(match: "re.Match[str]") -> str:
        return badge(compiled.references[int(match[1])], ledger, base)

    pattern = placeholders(compiled.nonce)
    # safe: the sanitiser's output with format_html's in place of numbers that no author knew
    html, excerpt = (mark_safe(pattern.sub(fill, part)) for part in (compiled.html, compiled.excerpt))  # noqa: S308
    return Rendered(html=html, excerpt=excerpt)


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
