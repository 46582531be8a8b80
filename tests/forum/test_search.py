"""Search: syntax, rank, highlighting that can do nothing, and what resembles what."""

import pytest

from forum.models import Finding
from forum.rendering import render
from forum.selectors.findings import findings
from forum.selectors.related import similar
from forum.selectors.search import search_query, snippets
from forum.selectors.shown import shown_findings
from forum.services.curation import hide
from tests.factories import make_experiment
from tests.forum.rows import make_finding, member

pytestmark = pytest.mark.django_db


@pytest.fixture
def texts() -> dict[str, Finding]:
    author = member(name="ann")
    written = {
        "filter": ("Confidence filtering works", "Dropping uncertain weak labels helps on geography."),
        "loss": ("The auxiliary loss", "A confidence loss, filtering nothing, beats vanilla training."),
        "ensemble": ("Ensembles of teachers", "Averaging five weak teachers calibrates the labels they give."),
        "long": ("Notes of a long day", "labels " * 40 + "and at the end one word on teachers"),
    }
    return {key: make_finding(author, title=title, body=body) for key, (title, body) in written.items()}


def found(texts: dict[str, Finding], search: str, **filters) -> list[str]:
    names = {row.pk: key for key, row in texts.items()}
    return [names[each.pk] for each in findings(member(), {"search": search, **filters}).rows]


@pytest.mark.parametrize(
    ("search", "keys"),
    [
        ("confidence", {"filter", "loss"}),
        ("CONFIDENCE", {"filter", "loss"}),
        ("labelled", {"filter", "ensemble", "long"}),  # another form of the word
        ("weak labels", {"filter", "ensemble"}),  # all words, anywhere
        ('"weak labels"', {"filter"}),  # side by side
        ('"labels weak"', set()),
        ("confidence -geography", {"loss"}),
        ('confidence -"weak labels"', {"loss"}),
        ("geography or calibrates", {"filter", "ensemble"}),
        ("-labels", {"loss"}),
        ("the and of", set()),  # only words that carry nothing
        ("zzz", set()),
        ("'; DROP TABLE forum_finding; --", set()),
        ('"unclosed', set()),
        ("((( & | ! :* <->", set()),
    ],
)
def test_syntax(texts: dict[str, Finding], search: str, keys: set[str]) -> None:
    assert set(found(texts, search)) == keys


def test_a_match_in_the_title_comes_first(texts: dict[str, Finding]) -> None:
    assert found(texts, "confidence filtering")[0] == "filter"
    assert found(texts, "teachers") == ["ensemble", "long"]


def test_search_combines_with_filters(texts: dict[str, Finding]) -> None:
    make_finding(member(name="bob"), title="Confidence elsewhere", kind="error")
    assert found(texts, "confidence", author="ann") == ["filter", "loss"]
    assert found(texts, "confidence", author="ann", after=texts["filter"].pk) == ["loss"]
    assert found(texts, "confidence", kind="result") == []


def test_hidden_findings_are_not_found(texts: dict[str, Finding]) -> None:
    hide(user=member("reviewer"), finding_id=texts["loss"].pk, reason="wrong place")
    assert found(texts, "confidence") == ["filter"]
    assert [each.pk for each in findings(member("reviewer"), {"search": "auxiliary"}).rows] == [texts["loss"].pk]


def test_of_very_many_matches_the_newest_are_ranked(monkeypatch) -> None:
    monkeypatch.setattr("forum.selectors.search.MOST_RANKED", 3)
    monkeypatch.setattr("forum.selectors.search.MOST_TITLED", 3)
    author = member()
    rows = [make_finding(author, title=f"kernel {n}") for n in range(5)]
    make_finding(author, title="not in the title", body="kernel")
    make_finding(author, title="not in the title", body="kernel")
    make_finding(author, title="not in the title", body="kernel")
    best = [each.pk for each in findings(member(), {"search": "kernel"}).rows]
    assert set(best[:3]) == {each.pk for each in rows[2:]}  # the newest of those with a match in the title
    assert len(best) == 6  # and the newest of all
    every = findings(member(), {"search": "kernel"}, order="-id").rows
    assert len(every) == 8  # in another order none is left out


def test_matches_are_marked_and_everything_else_is_escaped() -> None:
    finding = make_finding(title="<b>kernel</b> & co", body="kernel 'x' < 6 & **trick**")
    asked = findings(member(), {"search": "kernel"})
    title, body = snippets([finding.pk], asked.query)[finding.pk]
    assert title == "&lt;b&gt;<mark>kernel</mark>&lt;/b&gt; &amp; co"
    assert body == "<mark>kernel</mark> &#x27;x&#x27; &lt; 6 &amp; trick"


def test_a_snippet_shows_the_numbers_of_the_ledger() -> None:
    experiment = make_experiment(user=member(), state="scored", dev=0.62)
    reference = f"{{{{pgr exp:{experiment.pk}}}}}"
    body = f"Kernel at_least: _PGR_ {reference} and {reference} {{literally}} indeed."
    finding = make_finding(title="Kernel", body=body)
    for search in ("kernel", f"pgr {experiment.pk}"):  # where the words of a reference match, too
        asked = findings(member(), {"search": search})
        (shown,) = shown_findings(member(), asked.rows, query=asked.query)
        assert shown.finding == finding
        assert shown.excerpt.count('class="ledger"') == 2 and shown.excerpt.count("PGR 0.62") == 2
        assert "at_least" in shown.excerpt and "{literally}" in shown.excerpt and "_PGR_" not in shown.excerpt


def test_a_reference_that_a_snippet_cuts_in_two_is_left_out() -> None:
    text = render(["{{pgr exp:1}}"], member())[0]
    assert text.fill("exp:1}} kernel x}} y}} {{<mark>pgr</mark> exp:1 … 12}} z {{pgr … {{a}} {{<b}}") == (
        " kernel x}} y}}  …  z  … {{a}} {{<b}}"
    )


def test_an_author_cannot_mark_by_hand() -> None:
    finding = make_finding(title="kernel <mark>not a match</mark>")
    asked = findings(member(), {"search": "kernel"})
    assert snippets([finding.pk], asked.query)[finding.pk][0].count("<mark>") == 1


def test_what_shares_rare_words_is_similar() -> None:
    author = member()
    base = make_finding(
        author, title="Temperature scaling of weak labels", body="Scaling logits by two calibrates them."
    )
    twin = make_finding(author, title="Scaling temperature for weak labels", body="Calibrated logits, scaled by two.")
    make_finding(author, title="Ensembles of teachers", body="Averaging helps.")
    near = similar(author, title=base.title, body=base.body, without=base.pk)
    assert [each.finding.pk for each in near] == [twin.pk]
    assert 0.8 < near[0].similarity <= 1
    assert similar(author, title="entirely different", body="nothing shared") == []


@pytest.mark.parametrize(
    "text", ["it's a 'quoted' \\ word", "a & b | c ! d", "", "12 34", "\N{SNOWMAN}", "https://e.org/a'b?c=d"]
)
def test_any_text_may_be_compared(text: str) -> None:
    make_finding(title=f"x {text}", body=f"{text} quoted word")
    assert isinstance(similar(member(), title=text, body=text), list)


def test_similarity_does_not_show_what_is_hidden() -> None:
    author = member()
    base = make_finding(author, title="Temperature scaling of weak labels")
    twin = make_finding(author, title="Temperature scaling of weak labels")
    hide(user=member("reviewer"), finding_id=twin.pk, reason="a duplicate")
    assert similar(author, title=base.title, body=base.body, without=base.pk) == []


@pytest.mark.parametrize(
    ("text", "phrase", "loosened"),
    [
        ('"weak labels" teacher', True, "'weak' & 'label' & 'teacher'"),
        ('"weak labels" or kernel', True, "'weak' & 'label' | 'kernel'"),
        ('"one of the labels"', True, "'one' & 'label'"),
        ("weak labels", False, "'weak' & 'label'"),
        ('labels -"weak teacher"', False, None),
    ],
)
def test_a_phrase_is_looked_for_where_all_its_words_are(text: str, phrase: bool, loosened: str | None) -> None:
    query = search_query(text)
    assert query.has_phrase is phrase
    assert loosened is None or query.loosened.text == loosened


def test_a_phrase_is_found_among_many_findings_with_its_words(monkeypatch) -> None:
    monkeypatch.setattr("forum.selectors.search.MOST_PHRASE_CHECKED", 4)
    author = member()
    kept = make_finding(author, title="kernel width")
    for n in range(3):
        make_finding(author, title=f"width {n} of a kernel")
    assert [each.pk for each in findings(member(), {"search": '"kernel width"'}).rows] == [kept.pk]
