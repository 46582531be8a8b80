"""Full-text search: phrases, exclusion, ranking, and snippets that are safe to show.

Syntax is PostgreSQL's `websearch_to_tsquery`: words (all must occur, in any form), "a phrase", or, -without.
"""

import re
from html import escape
from typing import Any

from django.contrib.postgres.search import SearchHeadline, SearchQuery, SearchRank
from django.db.models import F, FloatField, QuerySet, Value
from django.db.models.functions import Cast
from django.utils.safestring import SafeString, mark_safe

from forum.models import SEARCH_CONFIG, Finding

MOST_SEARCH = 300  # characters of a query
# Ranking reads the text vector of every row it ranks; beyond this many matches only the newest are ranked.
MOST_RANKED = 1000
_WEIGHTS = [0.1, 0.2, 0.4, 1.0]  # of D, C, B (the body) and A (the title)
_BY_LENGTH = 1  # ts_rank_cd divides by 1 + log(length): long texts match everything
# Control characters, which no finding holds, mark matches until the text is escaped.
_OPEN, _CLOSE = "\x02", "\x03"
_MARKUP = re.compile(r"[*_`#>|~]{1,}|\[(?=[^\]]*\]\()|\]\([^)\s]*\)?")


def search_query(text: str) -> SearchQuery:
    """What the text asks for."""
    return SearchQuery(text, config=SEARCH_CONFIG, search_type="websearch")


def ranks(findings: QuerySet[Any], query: SearchQuery) -> list[tuple[float, int]]:
    """(rank, id) of those that match; of more than MOST_RANKED only the newest.

    rank: cover density, a match in the title counting 2.5 times one in the body, over 1 + log(length).
    """
    rank = SearchRank(F("search"), query, weights=_WEIGHTS, normalization=Value(_BY_LENGTH), cover_density=True)
    # float8: a cursor carries the rank, and float4 would not survive the way there and back
    found = findings.filter(search=query).annotate(rank=Cast(rank, FloatField()))
    return list(found.order_by("-pk").values_list("rank", "pk")[:MOST_RANKED])


def snippets(ids: list[int], query: SearchQuery) -> dict[int, tuple[SafeString, SafeString]]:
    """Title and the best fragments of the body of each finding, matches in <mark>, everything else escaped."""
    title = SearchHeadline("title", query, config=SEARCH_CONFIG, start_sel=_OPEN, stop_sel=_CLOSE, highlight_all=True)
    body = SearchHeadline(
        "body", query, config=SEARCH_CONFIG, start_sel=_OPEN, stop_sel=_CLOSE,
        max_fragments=2, max_words=30, min_words=12, fragment_delimiter=" … ",
    )  # fmt: skip
    found = Finding.objects.filter(pk__in=ids).annotate(marked_title=title, marked_body=body)
    return {
        pk: (_safe(marked_title), _safe(_MARKUP.sub("", marked_body)))
        for pk, marked_title, marked_body in found.values_list("pk", "marked_title", "marked_body")
    }


def _safe(marked: str) -> SafeString:
    shown = escape(marked).replace(_OPEN, "<mark>").replace(_CLOSE, "</mark>")
    return mark_safe(shown)  # noqa: S308 - escaped above
