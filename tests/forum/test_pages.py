"""The forum's pages: what they show to whom, forms, the feed, what is unread."""

import xml.etree.ElementTree as ElementTree

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from forum.feeds import feed_address
from forum.models import Comment, Finding, Hide, Pin, ReadMark, Vote
from forum.services.curation import hide, pin
from tests.factories import make_experiment
from tests.forum.rows import make_comment, make_finding, member

pytestmark = pytest.mark.django_db
ATOM = "{http://www.w3.org/2005/Atom}"


@pytest.fixture
def browse(roles):
    """browse("viewer"): the site as a person of that role sees it; `.user` is who that is."""

    def make(role: str = "researcher") -> Client:
        client = Client()
        client.user = member(role)
        client.force_login(client.user)
        return client

    return make


def text(response, status: int = 200) -> str:
    assert response.status_code == status
    return response.content.decode()


def test_the_list_shows_newest_first_with_what_hangs_on_each(browse) -> None:
    experiment = make_experiment(user=member(), state="scored", dev=0.5)
    first = make_finding(
        title="The first", body=f"It has {{{{pgr exp:{experiment.pk}}}}}.", experiments=[experiment.pk]
    )
    make_finding(title="The second", kind="error", parents=[first.pk])
    make_comment(first)
    page = text(browse("viewer").get("/forum/"))
    assert page.index("The second") < page.index("The first")
    assert "1 comment<" in page
    assert 'class="ledger"' in page
    assert f'href="/experiments/{experiment.pk}/">#{experiment.pk}' in page
    assert "builds on" in page
    assert 'href="/forum/" aria-current="page"' in page
    assert "New finding" not in page  # a viewer reads


def test_an_empty_forum_says_what_to_do(browse) -> None:
    assert "Post a hypothesis" in text(browse().get("/forum/"))
    assert "No finding matches" in text(browse().get("/forum/?search=nothing"))


def test_htmx_gets_the_list_alone(browse) -> None:
    make_finding()
    part = text(browse().get("/forum/", headers={"HX-Request": "true"}))
    assert part.lstrip().startswith('<div id="finding-list"')
    assert "<html" not in part


def test_filters_and_search(browse) -> None:
    make_finding(title="Kernel width", kind="result")
    make_finding(title="Something else", kind="error")
    client = browse()
    assert "Something else" not in text(client.get("/forum/?kind=result"))
    assert "<mark>Kernel</mark> width" in text(client.get("/forum/?search=kernels"))
    page = text(client.get("/forum/?kind=rumour&experiment=x"))
    assert "Kernel width" in page  # a refused field does not filter
    assert "Enter a whole number" in page


def test_the_findings_of_one_campaign(browse) -> None:
    texts = {"kind": "insight", "title": "Within the campaign", "body": "Text."}
    finding = Finding.objects.create(author=member(), campaign=4, experiment_count=0, parent_count=0, **texts)
    make_finding(title="Outside of it")
    client = browse()
    page = text(client.get("/forum/?campaign=4"))
    assert "Within the campaign" in page
    assert "Outside of it" not in page
    assert "/forum/?campaign=4" in text(client.get(f"/forum/{finding.pk}/"))


def test_pages_of_the_list(browse) -> None:
    author = member()
    for number in range(27):
        make_finding(author, title=f"Note {number:02}")
    client = browse()
    page = text(client.get("/forum/"))
    assert "Note 26" in page
    assert "Note 01" not in page
    following = page.split('rel="next" href="')[1].split('"')[0].replace("&amp;", "&")
    assert "Note 01" in text(client.get("/forum/" + following))
    assert client.get("/forum/?cursor=nonsense").status_code == 400


def test_pinned_findings_stand_on_top_of_the_first_page_only(browse) -> None:
    old = make_finding(title="An old one")
    make_finding(title="A newer one")
    pin(user=member("reviewer"), finding_id=old.pk)
    client = browse()
    page = text(client.get("/forum/"))
    assert page.index("Pinned") < page.index("An old one") < page.index("A newer one")
    assert "Pinned</h2>" not in text(client.get("/forum/?kind=insight"))


def test_a_thread_shows_where_it_stands(browse) -> None:
    experiment = make_experiment(user=member(), state="scored", dev=0.5, title="Confidence loss")
    parent = make_finding(title="What it builds on")
    finding = make_finding(title="The finding", experiments=[experiment.pk], parents=[parent.pk])
    make_finding(title="What builds on it", parents=[finding.pk])
    make_comment(finding, body="I *doubt* it")
    page = text(browse("viewer").get(f"/forum/{finding.pk}/"))
    for shown in ("What it builds on", "What builds on it", "Confidence loss", "<em>doubt</em>", "[0.40, 0.60]"):
        assert shown in page
    assert f'data-live="finding:{finding.pk}"' in page
    assert "Post comment" not in page
    part = text(browse().get(f"/forum/{finding.pk}/", headers={"HX-Request": "true"}))
    assert part.lstrip().startswith('<div id="thread"')


def test_long_threads_come_in_pages(browse, monkeypatch) -> None:
    monkeypatch.setattr("forum.selectors.finding_page.COMMENTS_SHOWN", 2)
    finding = make_finding()
    comments = [make_comment(finding, body=f"comment number {n}") for n in range(3)]
    client = browse()
    page = text(client.get(f"/forum/{finding.pk}/"))
    assert "comment number 2" not in page
    assert f"?after={comments[1].pk}" in page
    assert "comment number 2" in text(client.get(f"/forum/{finding.pk}/?after={comments[1].pk}"))
    assert client.get(f"/forum/{finding.pk}/?after=x").status_code == 200


@pytest.mark.parametrize("path", ["/forum/", "/forum/1/", "/forum/new/", "/forum/feed.atom"])
def test_pages_are_for_people_who_may_view_the_lab(browse, path: str) -> None:
    assert Client().get(path).headers["Location"].startswith("/login/")
    assert browse("agent").get(path).status_code == 403


def test_an_absent_finding_is_not_found(browse) -> None:
    for path in ("/forum/999/", f"/forum/{2**70}/"):
        assert browse().get(path).status_code == 404


def test_posting_by_page(browse) -> None:
    client = browse()
    parent, experiment = make_finding(), make_experiment(user=member())
    form = text(client.get(f"/forum/new/?kind=result&parents={parent.pk}"))
    assert f'value="{parent.pk}"' in form
    answer = client.post(
        "/forum/new/",
        {
            "kind": "result",
            "title": "By page",
            "body": "**Bold**",
            "experiments": f"#{experiment.pk}",
            "parents": parent.pk,
        },
    )
    finding = Finding.objects.latest("pk")
    assert answer.headers["Location"] == f"/forum/{finding.pk}/"
    assert (finding.author, finding.title, list(finding.experiments.all())) == (client.user, "By page", [experiment])
    assert list(finding.parents.all()) == [parent]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"title": ""}, "This field is required."),
        ({"body": "a\x08b"}, "U+0008"),
        ({"kind": "rumour"}, "Select a valid choice"),
        ({"experiments": "twelve"}, "is not an id"),
        ({"experiments": "999999"}, "no experiment 999999"),
        ({"parents": "7, 999999"}, "no finding 7"),
        ({"body": "x" * 20_001}, "at most 20000"),
    ],
)
def test_a_refused_finding_comes_back_with_what_is_wrong_beside_its_field(browse, change: dict, said: str) -> None:
    given = {"kind": "result", "title": "Kept title", "body": "Kept body", "experiments": "", "parents": "", **change}
    page = text(browse().post("/forum/new/", given), status=422)
    assert said in page
    assert 'aria-invalid="true"' in page
    assert "title" in change or "Kept title" in page
    assert not Finding.objects.exists()


def test_the_preview_shows_html_and_what_has_been_said(browse) -> None:
    make_finding(title="Temperature scaling of weak labels", body="Scaling helps.")
    client = browse()
    given = {"title": "Temperature scaling weak labels", "body": "Scaling **helps**", "kind": "insight"}
    part = text(client.post("/forum/preview/", given))
    assert "<strong>helps</strong>" in part
    assert "Temperature scaling of weak labels" in part
    assert "must not be empty" in text(client.post("/forum/preview/", {"body": " "}))
    whole = text(client.post("/forum/new/", {**given, "preview": "1"}))  # without JavaScript
    assert "<strong>helps</strong>" in whole
    assert Finding.objects.count() == 1


def test_comments_and_votes_by_page(browse) -> None:
    finding, client = make_finding(), browse()
    answer = client.post(f"/forum/{finding.pk}/comment/", {"body": "Seen here, too"})
    made = Comment.objects.get()
    assert answer.headers["Location"] == f"/forum/{finding.pk}/#comment-{made.pk}"
    kept = text(client.post(f"/forum/{finding.pk}/comment/", {"body": "x" * 10_001}), status=422)
    assert "at most 10000" in kept
    assert "x" * 10_001 in kept
    client.post(f"/forum/{finding.pk}/vote/", {"value": "1"})
    part = text(client.post(f"/forum/{finding.pk}/vote/", {"value": "-1"}, headers={"HX-Request": "true"}))
    assert part.count('aria-pressed="true"') == 1
    assert "−1" in part
    client.post(f"/forum/{finding.pk}/vote/", {"value": "7"})
    assert Vote.objects.get().value == -1


def test_the_author_sees_the_count_and_no_buttons_to_vote(browse) -> None:
    client, other = browse(), browse()
    finding = make_finding(client.user)
    other.post(f"/forum/{finding.pk}/vote/", {"value": "1"})
    page = text(client.get(f"/forum/{finding.pk}/"))
    assert 'name="value"' not in page
    assert '<b class="num big">1</b>' in page
    part = text(client.post(f"/forum/{finding.pk}/vote/", {"value": "1"}, headers={"HX-Request": "true"}))
    assert 'name="value"' not in part
    assert '<b class="num big">1</b>' in part
    assert Vote.objects.count() == 1
    assert 'name="value"' in text(other.get(f"/forum/{finding.pk}/"))


@pytest.mark.parametrize("path", ["comment/", "vote/", "hide/", "pin/", "unpin/"])
def test_buttons_refuse_who_may_not(browse, path: str) -> None:
    finding = make_finding()
    given = {"body": "x", "value": "1", "reason": "x"}
    assert browse("viewer").post(f"/forum/{finding.pk}/{path}", given).status_code == 403
    assert browse("viewer").get(f"/forum/{finding.pk}/{path}").status_code == 405
    assert not (Comment.objects.exists() or Vote.objects.exists() or Hide.objects.exists() or Pin.objects.exists())


def test_buttons_need_a_token_against_forgery(browse) -> None:
    finding, person = make_finding(), member()
    client = Client(enforce_csrf_checks=True)
    client.force_login(person)
    for path in (f"{finding.pk}/comment/", f"{finding.pk}/vote/", "new/", "preview/", "read/"):
        assert client.post(f"/forum/{path}", {"body": "x"}).status_code == 403


def test_hiding_and_showing_by_page(browse) -> None:
    finding = make_finding(title="A hidden thing")
    comment = make_comment(finding, body="a hidden word")
    reviewer, reader = browse("reviewer"), browse()
    reviewer.post(f"/forum/comments/{comment.pk}/hide/", {"reason": "labels"})
    assert "a hidden word" not in text(reader.get(f"/forum/{finding.pk}/"))
    assert "a hidden word" in text(reviewer.get(f"/forum/{finding.pk}/"))
    reviewer.post(f"/forum/{finding.pk}/hide/", {"reason": "  "})
    assert "A hidden thing" in text(reader.get("/forum/"))
    reviewer.post(f"/forum/{finding.pk}/hide/", {"reason": "off topic"})
    assert "A hidden thing" not in text(reader.get("/forum/"))
    assert reader.get(f"/forum/{finding.pk}/").status_code == 404
    assert "off topic" in text(reviewer.get(f"/forum/{finding.pk}/"))
    reviewer.post(f"/forum/{finding.pk}/unhide/", {"reason": "a mistake"})
    assert "A hidden thing" in text(reader.get("/forum/"))
    assert reviewer.post(f"/forum/{finding.pk}/delete/").status_code == 404


def test_unread_findings_and_comments_are_marked(browse) -> None:
    author, client = member(), browse()
    old = make_finding(author, title="Before the first visit")
    assert "nothing unread" in text(client.get("/forum/"))  # nobody starts with a backlog
    new = make_finding(author, title="After it")
    make_finding(client.user, title="One's own")
    page = text(client.get("/forum/"))
    assert page.count(">unread</span>") == 1
    assert '<span class="num">1</span> unread' in page
    client.get(f"/forum/{new.pk}/")
    assert ">unread</span>" not in text(client.get("/forum/"))
    make_comment(new, author)
    make_comment(old, author)
    assert text(client.get("/forum/")).count(">new comments</span>") == 2
    client.get(f"/forum/{new.pk}/")
    assert text(client.get("/forum/")).count(">new comments</span>") == 1
    client.post("/forum/read/")
    assert ">new comments</span>" not in text(client.get("/forum/"))
    assert not ReadMark.objects.exists()


def test_looking_at_an_earlier_page_of_a_thread_does_not_make_its_comments_new_again(browse) -> None:
    client, finding = browse(), make_finding(title="Long")
    client.get("/forum/")
    author = member()
    for number in range(101):
        make_comment(finding, author, body=f"No. {number}")
    last = Comment.objects.order_by("pk").last()
    client.get(f"/forum/{finding.pk}/")
    assert ">new comments</span>" in text(client.get("/forum/"))  # the 101st is on the next page
    client.get(f"/forum/{finding.pk}/?after={last.pk - 1}")
    assert ">new comments</span>" not in text(client.get("/forum/"))
    for earlier in (f"/forum/{finding.pk}/", f"/forum/{finding.pk}/?after={last.pk}"):
        client.get(earlier)
        assert ">new comments</span>" not in text(client.get("/forum/"))


@pytest.mark.parametrize("sign", ["\uffff", "\ufffe", "\x0b", "\x1b"])
def test_no_text_makes_the_feed_unreadable(browse, sign: str) -> None:
    """XML holds fewer characters than a database; what came with an archive was not checked by this lab's forms."""
    Finding.objects.create(
        kind="insight", title=f"Odd{sign} title", body=f"Odd{sign} body {{{{exp:1}}}}", author=member()
    )
    root = ElementTree.fromstring(browse("viewer").get("/forum/feed.atom").content)
    entry = root.find(f"{ATOM}entry")
    assert entry.findtext(f"{ATOM}title") == "Insight: Odd\ufffd title"
    assert "body" in entry.findtext(f"{ATOM}summary")


def test_the_feed_is_atom_with_whole_texts_and_absolute_links(browse) -> None:
    experiment = make_experiment(user=member(), state="scored", dev=0.5)
    make_finding(title="Old & <b>odd</b>", body=f"It has {{{{pgr exp:{experiment.pk}}}}} <script>alert(1)</script>")
    finding = make_finding(title="New", kind="error")
    answer = browse("viewer").get("/forum/feed.atom")
    assert answer.headers["Content-Type"].startswith("application/atom+xml")
    root = ElementTree.fromstring(answer.content)
    entries = root.findall(f"{ATOM}entry")
    assert [each.findtext(f"{ATOM}title") for each in entries] == ["Error: New", "Insight: Old & <b>odd</b>"]
    assert entries[0].find(f"{ATOM}link").get("href") == f"http://testserver/forum/{finding.pk}/"
    body = entries[1].findtext(f"{ATOM}summary")
    assert f'href="http://testserver/experiments/{experiment.pk}/"' in body
    assert "<script" not in body


def test_a_feed_reader_needs_the_persons_own_address(browse, roles) -> None:
    hidden = make_finding(title="Hidden from readers")
    make_finding(title="Shown")
    hide(user=member("reviewer"), finding_id=hidden.pk, reason="off topic")
    person = member("viewer")
    address = feed_address(person)
    feed = text(Client().get(address))
    assert "Shown" in feed
    assert "Hidden from readers" not in feed
    assert "Shown" not in text(Client().get(address + "?kind=error"))
    for wrong in (address[:-8] + "x.atom", "/forum/feed/x.atom", address.replace("feed/", "feed/a")):
        assert Client().get(wrong).status_code == 404
    person.set_password("another")
    person.save()
    assert Client().get(address).status_code == 404


def test_the_feed_of_somebody_who_may_no_longer_read_is_gone(roles) -> None:
    person = member("viewer")
    address = feed_address(person)
    person.groups.clear()
    assert Client().get(address).status_code == 404
    person = member("viewer")
    address = feed_address(person)
    person.is_active = False
    person.save()
    assert Client().get(address).status_code == 404


def test_pages_ask_a_bounded_number_of_queries(browse) -> None:
    client, author = browse("reviewer"), member()
    experiment = make_experiment(user=author, state="scored", dev=0.5)
    parent = make_finding(author)

    def queries(path: str) -> int:
        client.get(path)
        with CaptureQueriesContext(connection) as captured:
            text(client.get(path))
        return len(captured)

    def grow() -> Finding:
        for _ in range(5):
            finding = make_finding(
                author, body=f"{{{{pgr exp:{experiment.pk}}}}}", experiments=[experiment.pk], parents=[parent.pk]
            )
            make_comment(parent, author)
        return finding

    grow()
    paths = {"/forum/": 26, "/forum/?search=doubt": 26, f"/forum/{parent.pk}/": 26}
    before = {path: queries(path) for path in paths}
    grow()
    for path, most in paths.items():
        assert queries(path) <= before[path] <= most, path
