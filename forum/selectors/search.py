"""Full-text search: phrases, exclusion, ranking within a bounded time, and snippets that are safe to show.

Syntax is PostgreSQL's `websearch_to_tsquery`: words (all must occur, in any form), "a phrase", or, -without.
"""

import re
from html import escape
from typing import Any

from django.contrib.postgres.search import SearchHeadline, SearchQuery
from django.db import connection
from django.db.models import QuerySet
from django.utils.safestring import SafeString, mark_safe

from forum.models import SEARCH_CONFIG, Finding

MOST_SEARCH = 300  # characters of a query
# Ranking reads the text vector of every row it ranks. Of more matches than this only the newest are ranked, and beside
# them the newest whose title matches: where thousands match, those are the better ones of the older.
MOST_RANKED = 300
MOST_TITLED = 50
# A phrase is looked for in the newest so many findings that hold all its words: reading places of words is slow.
MOST_PHRASE_CHECKED = 3_000
_RANK = "ts_rank_cd('{0.1, 0.2, 0.4, 1.0}', %s, %s::tsquery, 1)"  # D, C, B (body), A (title); 1: over 1 + log(length)
_OPERATORS = frozenset("|(<!")  # in a tsquery's text, beside &
_ADJACENT = re.compile(r" <(?:-|[0-9]+)> ")  # in a tsquery's text; lexemes hold no spaces
# Control characters, which no finding holds, mark matches until the text is escaped.
_OPEN, _CLOSE = "\x02", "\x03"
_MARKUP = re.compile(r"[*`#>|~]+|(?<![^\W_])_+|_+(?![^\W_])|\[(?=[^\]]*\]\()|\]\([^)\s]*\)?")  # at_least keeps its _
BETWEEN = " … "  # fragments


class ParsedQuery(SearchQuery):
    """A tsquery that has been parsed already, as its text: parsing it again would stem its words twice."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def as_sql(self, *_: Any, **__: Any) -> Any:
        """The text as a constant, so that the planner knows how rare it is."""
        return "%s::tsquery", [self.text]

    @property
    def has_phrase(self) -> bool:
        """Whether words must stand side by side. Not where something is excluded: loosening that would lose matches."""
        return bool(_ADJACENT.search(self.text)) and not self.excludes

    @property
    def excludes(self) -> bool:
        """Whether some word must be absent."""
        return "!" in self.text

    @property
    def loosened(self) -> "ParsedQuery":
        """The same words, side by side or not."""
        return ParsedQuery(_ADJACENT.sub(" & ", self.text))


def search_query(text: str) -> ParsedQuery:
    """What the text asks for; an empty one, which nothing matches, if it holds only words that carry nothing."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT websearch_to_tsquery(%s::regconfig, %s)::text", [SEARCH_CONFIG, text])
        (parsed,) = cursor.fetchone()
    if _OPERATORS.isdisjoint(parsed):
        # a word asked for twice, in whatever form, would pass for two independent ones when rows are estimated
        parsed = " & ".join(dict.fromkeys(parsed.split(" & ")))
    return ParsedQuery(parsed)


def ranks(findings: QuerySet[Any], query: ParsedQuery) -> list[tuple[float, int]]:
    """(rank, id) of those that match, in no order; of very many only some, see MOST_RANKED.

    rank: cover density, a match in the title counting 2.5 times one in the body, over 1 + log(length).
    """
    matching = findings.filter(search=query.loosened if query.has_phrase else query)
    found = _ranked(matching, query, MOST_RANKED, MOST_PHRASE_CHECKED if query.has_phrase else MOST_RANKED)
    if len(found) == MOST_RANKED:
        # What matches in its title matches, unless it is the body that holds an excluded word; asking for both would
        # read the whole list of each word once more.
        titled = (matching if query.excludes else findings).filter(title_search=query)
        found |= _ranked(titled, query, MOST_TITLED, MOST_TITLED)
    return [(rank, key) for key, rank in found.items()]


def _ranked(candidates: QuerySet[Any], query: ParsedQuery, most: int, most_checked: int) -> dict[int, float]:
    """Rank by id of the newest `most` that match among the newest `most_checked` candidates."""
    inner, values = candidates.order_by("-pk").values_list("pk", "search").query.sql_with_params()
    rank = _RANK % ("found.search", "%s")
    with connection.cursor() as cursor:
        # float8: a cursor of a page carries the rank, and float4 would not survive the way there and back
        cursor.execute(
            f"SELECT found.id, {rank}::float8 FROM ({inner} LIMIT %s) AS found (id, search)"  # noqa: S608 - Django's SQL
            " WHERE found.search @@ %s::tsquery ORDER BY found.id DESC LIMIT %s",
            [query.text, *values, most_checked, query.text, most],
        )
        return dict(cursor.fetchall())


def snippets(ids: list[int], query: SearchQuery) -> dict[int, tuple[SafeString, SafeString]]:
    """Title and the best fragments of the body of each finding, matches in <mark>, everything else escaped."""
    title = SearchHeadline("title", query, config=SEARCH_CONFIG, start_sel=_OPEN, stop_sel=_CLOSE, highlight_all=True)
    body = SearchHeadline(
        "body", query, config=SEARCH_CONFIG, start_sel=_OPEN, stop_sel=_CLOSE,
        max_fragments=2, max_words=30, min_words=12, fragment_delimiter=BETWEEN,
    )  # fmt: skip
    found = Finding.objects.filter(pk__in=ids).annotate(marked_title=title, marked_body=body)
    return {
        pk: (_safe(marked_title), _safe(_MARKUP.sub("", marked_body)))
        for pk, marked_title, marked_body in found.values_list("pk", "marked_title", "marked_body")
    }


def _safe(marked: str) -> SafeString:
    shown = escape(marked).replace(_OPEN, "<mark>").replace(_CLOSE, "</mark>")
    return mark_safe(shown)  # noqa: S308 - escaped above
