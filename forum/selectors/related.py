"""Findings that resemble another, or a text not yet posted: by the rare words they share.

Similarity of B to A: of A's most telling words (title words twice), weighted by rarity, the share that B has too; in
[0, 1]. It sees words, not meaning: a paraphrase escapes it, and two texts on the same rare thing may contradict each
other. Rarity is log(1 / share of findings that hold the word), from PostgreSQL's own statistics of the column.
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db import connection

from forum.models import SEARCH_CONFIG, Finding

if TYPE_CHECKING:
    from experiments.permissions import Actor

MOST_TERMS = 16
MOST_CANDIDATES = 250  # rows whose similarity is computed
MOST_EXPECTED = 1000  # rows that the chosen words may match together, so that a common word costs nothing
LEAST_SIMILARITY = 0.3
_TITLE_WEIGHT = 2.0
_LONGEST_TERM = 60  # characters; longer ones are addresses and hashes


@dataclass(frozen=True, slots=True)
class Similar:
    """A finding and how much of the asked one's telling words it has."""

    finding: Finding
    similarity: float

    @property
    def percent(self) -> int:
        """The similarity in percent."""
        return round(self.similarity * 100)


def similar(user: "Actor", *, title: str, body: str, without: int = 0, limit: int = 5) -> list[Similar]:
    """Visible findings that resemble the text, most similar first. without: the finding whose text it is."""
    terms = _telling_terms(title, body)
    if not terms:
        return []
    total = sum(terms.values())
    queries = [_quoted(term) for term in terms]
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH candidates AS MATERIALIZED (
                SELECT id, search FROM forum_finding
                WHERE search @@ %s::tsquery AND id <> %s
                ORDER BY id DESC LIMIT %s
            )
            SELECT candidates.id, sum(terms.weight) / %s
            FROM candidates
            JOIN unnest(%s::text[], %s::float8[]) AS terms (query, weight) ON candidates.search @@ terms.query::tsquery
            GROUP BY candidates.id HAVING sum(terms.weight) / %s >= %s
            ORDER BY 2 DESC, 1 DESC LIMIT %s
            """,
            [
                " | ".join(queries), without, MOST_CANDIDATES, total, queries, list(terms.values()), total,
                LEAST_SIMILARITY, limit * 2,  # some may be hidden
            ],
        )  # fmt: skip
        found = dict(cursor.fetchall())
    rows = (
        Finding.objects.visible_to(user)
        .filter(pk__in=found)
        .select_related("author", "tally")
        .defer("search", "title_search", "body")
    )
    by_id = {each.pk: each for each in rows}
    return [Similar(by_id[key], share) for key, share in found.items() if key in by_id][:limit]


def _telling_terms(title: str, body: str) -> dict[str, float]:
    """The text's rarest words with their weights, as many as keep the number of matches bounded."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT lexeme, 'A' = ANY(weights) FROM unnest("
            "setweight(to_tsvector(%s::regconfig, %s), 'A') || setweight(to_tsvector(%s::regconfig, %s), 'B'))",
            [SEARCH_CONFIG, title, SEARCH_CONFIG, body],
        )
        words = {word: in_title for word, in_title in cursor.fetchall() if _tells(word)}
        cursor.execute(
            "SELECT words.word, words.frequency FROM pg_stats,"
            " unnest(most_common_elems::text::text[], most_common_elem_freqs) AS words (word, frequency)"
            " WHERE schemaname = current_schema() AND tablename = 'forum_finding' AND attname = 'search'"
            " AND words.word = ANY(%s)",
            [list(words)],
        )
        frequencies = dict(cursor.fetchall())
        cursor.execute("SELECT greatest(reltuples, 0) FROM pg_class WHERE oid = 'forum_finding'::regclass")
        (rows,) = cursor.fetchone()
    # a word that the statistics leave out is rarer than those they list; it counts as occurring in about 1 of 10,000
    weights = {
        word: math.log(1 / min(max(frequencies.get(word, 0.0), 1e-4), 0.9)) * (_TITLE_WEIGHT if in_title else 1.0)
        for word, in_title in words.items()
    }
    chosen: dict[str, float] = {}
    expected = 0.0
    for word in sorted(weights, key=lambda word: (-weights[word], word)):
        expected += frequencies.get(word, 0.0) * rows
        if len(chosen) >= MOST_TERMS or (chosen and expected > MOST_EXPECTED):
            break
        chosen[word] = weights[word]
    return chosen


def _tells(word: str) -> bool:
    return len(word) <= _LONGEST_TERM and any(sign.isalpha() for sign in word)


def _quoted(word: str) -> str:
    """The word as one lexeme of a tsquery."""
    escaped = word.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"
