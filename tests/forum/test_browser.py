"""The forum in a real Chromium: live news, buttons without reload, keyboard, phone, both colour schemes."""

import pytest

from forum.models import Vote
from forum.services.posting import comment, post_finding
from forum.services.voting import vote
from tests.factories import make_experiment
from tests.forum.rows import make_comment, make_finding, member

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

LONG = "an_identifier_that_is_far_too_long_for_a_phone_" * 4


@pytest.fixture
def thread():
    experiment = make_experiment(user=member(), state="scored", dev=0.5, title=LONG)
    parent = make_finding(title="What it builds on")
    body = (
        f"{{{{pgr exp:{experiment.pk}}}}} {{{{exp:{experiment.pk}}}}} {{{{finding:{parent.pk}}}}} {LONG}\n\n"
        f"```python\nx = '{LONG}'\n```\n\n| a | {LONG} |\n|---|---|\n| 1 | 2 |\n"
    )
    made = make_finding(title=f"The thread {LONG[:100]}", body=body, experiments=[experiment.pk], parents=[parent.pk])
    make_comment(made)
    return made


def test_new_findings_are_offered_without_moving_the_page(surf) -> None:
    make_finding(title="An old one")
    surfer = surf(member("viewer"))
    page = surfer.open("/forum/")
    surfer.wait_live()
    post_finding(user=member("agent"), kind="result", title="Fresh from an agent", body="x")
    offer = page.get_by_role("link", name="1 new — show")
    offer.wait_for()
    assert not page.get_by_text("Fresh from an agent").is_visible()
    offer.click()
    page.get_by_role("link", name="Fresh from an agent").wait_for()
    page.get_by_text("unread", exact=True).first.wait_for()


def test_new_comments_and_votes_appear_without_reload_and_leave_what_is_typed(surf, thread) -> None:
    surfer = surf(member())
    page = surfer.open(f"/forum/{thread.pk}/")
    surfer.wait_live()
    page.fill("#comment_body", "half a sen")
    comment(user=member("agent"), finding_id=thread.pk, body="An agent's **answer**")
    page.get_by_text("An agent's answer").wait_for()
    assert page.input_value("#comment_body") == "half a sen"


def test_voting_without_reload(surf, thread) -> None:
    page = surf(member()).open(f"/forum/{thread.pk}/")
    page.evaluate("() => { window.__same = true; }")
    page.get_by_role("button", name="For").click()
    page.locator("button[aria-pressed=true]").wait_for()
    assert Vote.objects.get().value == 1
    page.get_by_role("button", name="Against").click()
    page.locator(".votes .big", has_text="−1").wait_for()
    page.get_by_role("button", name="Against").click()  # a second click takes it back
    page.locator(".votes .big", has_text="0").wait_for()
    assert Vote.objects.get().value == 0
    assert page.evaluate("() => window.__same")


def test_an_older_answer_does_not_undo_a_vote(surf, thread) -> None:
    """News of another vote asks for the thread; meanwhile this person votes; then the older thread arrives."""
    surfer = surf(member())
    page = surfer.open(f"/forum/{thread.pk}/")
    surfer.wait_live()
    held = []
    page.route(f"**/forum/{thread.pk}/", lambda route: held.append((route, route.fetch())), times=1)
    vote(user=member("agent"), finding_id=thread.pk, value=1)
    for _ in range(600):
        page.wait_for_timeout(50)
        if held:
            break
    page.get_by_role("button", name="For").click()
    page.locator(".votes .big", has_text="2").wait_for()
    page.evaluate("""() => {
        window.__seen = [];
        const note = () => window.__seen.push(document.querySelector('.votes .big').textContent);
        new MutationObserver(note).observe(document.querySelector('.votes'), {subtree: true, childList: true,
            characterData: true, attributes: true});
    }""")
    ((route, old),) = held
    route.fulfill(response=old)
    comment(user=member("agent", name="another"), finding_id=thread.pk, body="and the page goes on")
    page.get_by_text("and the page goes on").wait_for()
    assert "1" not in page.evaluate("() => window.__seen")
    assert page.locator(".votes .big").inner_text() == "2"


def test_posting_with_a_preview(surf) -> None:
    page = surf(member()).open("/forum/")
    page.get_by_role("link", name="New finding").click()
    page.select_option("#new_kind", "result")
    page.fill("#new_title", "By hand")
    page.fill("#new_body", "Some **bold** claim")
    page.get_by_role("button", name="Preview").click()
    page.locator("#preview strong", has_text="bold").wait_for()
    assert page.input_value("#new_title") == "By hand"
    page.get_by_role("button", name="Post finding").click()
    page.get_by_role("heading", name="By hand").wait_for()
    page.get_by_text("Posted. It stays as it is").wait_for()


def test_searching_while_typing(surf) -> None:
    make_finding(title="Kernel width")
    make_finding(title="Something else")
    page = surf(member()).open("/forum/")
    page.fill("#filter_search", "kernels")
    page.locator("mark", has_text="Kernel").wait_for()
    assert not page.get_by_text("Something else").is_visible()
    page.wait_for_url("**search=kernels**")
    page.get_by_role("link", name="Error").click()
    page.get_by_text("No finding matches").wait_for()
    page.wait_for_url("**search=kernels**")


@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("dark", [False, True])
def test_pages_fit_and_complain_about_nothing(surf, thread, width: int, dark: bool) -> None:
    surfer = surf(member("reviewer"), width=width, dark=dark)
    for path in ("/forum/", f"/forum/{thread.pk}/", "/forum/new/", "/forum/?search=thread"):
        surfer.open(path)
        assert surfer.overflow() == 0, path


def test_a_table_of_numbers_scrolls_on_a_phone_and_breaks_none(surf) -> None:
    columns = 12
    body = f"|{'n|' * columns}\n|{'-|' * columns}\n|{'0.12345|' * columns}\n"
    surfer = surf(member("viewer"), width=360)
    page = surfer.open(f"/forum/{make_finding(body=body).pk}/")
    height = page.locator(".prose td").first.evaluate("(cell) => cell.getBoundingClientRect().height")
    assert height < 45  # one line
    assert surfer.overflow() == 0


def test_the_ledger_looks_different_from_whatever_an_author_types(surf, thread) -> None:
    comment(
        user=member("agent"),
        finding_id=thread.pk,
        body="PGR 0.99 `PGR 0.99` **PGR 0.99** [PGR 0.99](/) <a class=ledger>PGR 0.99</a>\n\n> PGR 0.99",
    )
    page = surf(member("viewer")).open(f"/forum/{thread.pk}/")
    border = "(each) => getComputedStyle(each).borderLeftWidth"
    real = page.locator(".prose a.ledger").first
    assert real.evaluate(border) == "4px"
    typed = page.locator(".comments .prose").last.locator("*")
    looks = typed.evaluate_all("(all) => all.map((e) => [e.localName, getComputedStyle(e).borderLeftWidth])")
    assert "4px" not in [width for _, width in looks]


def test_everything_works_without_javascript(surf, thread) -> None:
    surfer = surf(member(), java_script_enabled=False)
    page = surfer.open(f"/forum/{thread.pk}/")
    surfer.follow(page.get_by_role("button", name="For"))
    assert Vote.objects.get().value == 1
    page.fill("#comment_body", "From a plain browser")
    surfer.follow(page.get_by_role("button", name="Post comment"))
    assert page.get_by_text("From a plain browser").is_visible()
    surfer.open("/forum/new/")
    page.fill("#new_title", "x")
    page.fill("#new_body", "a **b**")
    surfer.follow(page.get_by_role("button", name="Preview"))
    assert page.locator("#preview strong").is_visible()
