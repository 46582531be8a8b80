"""Many texts to HTML at once: compiled once and cached, their ledger numbers always fresh."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.core.cache import cache
from django.utils.safestring import SafeString, mark_safe

from forum.markdown import VERSION, Compiled, compile_markdown, placeholders
from forum.models import Finding
from forum.references import Ledger, badge, ledger_of

if TYPE_CHECKING:
    import re

    from experiments.permissions import Actor

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
    known = cache.get_many(set(keys)) if keys else {}
    made = {}
    for key, text in zip(keys, texts, strict=True):
        if key not in known:
            known[key] = made[key] = compile_markdown(text)
    if made:
        cache.set_many(made, _KEEP_SECONDS)
    return [known[key] for key in keys]
