"""Payloads of public cheat sheets in a real Chromium: none runs, behind one wall, behind both, and on the pages."""

import pytest

from forum.markdown import compile_markdown, sanitise
from forum.models import Finding
from forum.services.posting import comment, post_finding
from tests.forum.payloads import BADGES, HTML, MARKDOWN, MUTATION
from tests.forum.rows import member

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db(transaction=True)]

ALL = [*HTML, *MARKDOWN, *MUTATION, *BADGES]

# Whatever runs calls one of these; the page's own scripts call none.
TRAPS = """
window.__fired = [];
for (const name of ["alert", "confirm", "prompt", "print"]) {
  Object.defineProperty(window, name, { value: (...given) => { window.__fired.push(name); }, writable: false });
}
"""
# What must not stand in a text: what runs, loads, posts, restyles, or means something to our scripts.
ODDITIES = """
(root) => [...root.querySelectorAll("*")].flatMap((each) => {
  const found = [];
  const name = each.localName;
  const known = "a,blockquote,br,code,del,em,h3,h4,h5,h6,hr,li,ol,p,pre,s,span,strong,table,tbody,td,th,thead,tr,ul";
  if (!known.split(",").includes(name)) found.push(`<${name}>`);
  for (const attribute of each.attributes) {
    if (!["href", "title", "rel", "class", "start"].includes(attribute.name)) found.push(`${name}[${attribute.name}]`);
  }
  for (const word of each.classList) if (!/^(hl-[a-z0-9]+|code|n)$/.test(word)) found.push(`.${word}`);
  const safe = ["http:", "https:", "mailto:"].includes(each.protocol) || !each.hasAttribute("href");
  if (name === "a" && !safe) found.push(each.href);
  if (name === "a" && each.rel !== "nofollow noopener noreferrer") found.push(`rel=${each.rel}`);
  return found;
})
"""


def test_there_are_enough_of_them() -> None:
    assert len(set(ALL)) == len(ALL) >= 100


class Trap:
    """A page of its own, without any policy that would stop a script."""

    def __init__(self, browser) -> None:
        self._context = browser.new_context(bypass_csp=True)
        self._page = self._context.new_page()
        self._page.add_init_script(TRAPS)
        self._asked: list[str] = []
        self._page.route("**/*", self._refuse)

    def _refuse(self, route) -> None:
        if not route.request.url.startswith("http://trap.invalid/home"):
            self._asked.append(route.request.url)
            route.abort()
        else:
            route.fulfill(body="<!doctype html><main></main>", content_type="text/html")

    def show(self, html: str, wanted: str = "") -> dict:
        """What the HTML does while everything in it is pointed at: calls, addresses asked for, oddities in its tree.

        wanted: which of them is waited for, on a machine that is slow to do it.
        """
        self._asked.clear()
        self._page.goto("http://trap.invalid/home")
        # parsed by the parser of a page, not by innerHTML, which runs no scripts
        self._page.evaluate(
            "(html) => { document.open(); document.write(`<!doctype html><main>${html}</main>`); document.close(); }",
            html,
        )
        self._page.wait_for_timeout(25)
        odd = self._page.evaluate(f"() => ({ODDITIES})(document.querySelector('main') || document.body)")
        self._page.evaluate(
            "() => document.querySelectorAll('main *').forEach((each) => {"
            " each.dispatchEvent(new MouseEvent('mouseover', { bubbles: true })); each.focus && each.focus(); })"
        )
        for _ in range(600):
            self._page.wait_for_timeout(5)
            seen = {"fired": self._page.evaluate("() => window.__fired"), "asked": list(self._asked), "odd": odd}
            if not wanted or seen[wanted]:
                break
        return seen

    def close(self) -> None:
        self._context.close()


@pytest.fixture
def trap(chromium):
    made = Trap(chromium)
    yield made
    made.close()


NOTHING = {"fired": [], "asked": [], "odd": []}


@pytest.mark.parametrize(
    ("html", "caught"),
    [
        ("<script>alert(1)</script>", "fired"),
        ("<img src=x onerror=alert(1)>", "fired"),
        ("<svg onload=alert(1)>", "fired"),
        ("<a onmouseover=alert(1) href=https://a>x</a>", "fired"),
        ("<img src=https://evil.example/x.png>", "asked"),
        ("<a href=javascript:alert(1)>x</a>", "odd"),
        ("<span class=ledger>PGR 1.00</span>", "odd"),
        ("<p style='color:red'>x</p>", "odd"),
    ],
)
def test_the_trap_catches_what_is_not_sanitised(trap: Trap, html: str, caught: str) -> None:
    assert trap.show(html, caught)[caught]


def test_no_payload_gets_through_the_sanitiser_alone(trap: Trap) -> None:
    """As if the parser let raw HTML through."""
    assert {payload: done for payload in ALL if (done := trap.show(sanitise(payload))) != NOTHING} == {}


def test_no_payload_gets_through_parser_and_sanitiser(trap: Trap) -> None:
    assert {payload: done for payload in ALL if (done := trap.show(compile_markdown(payload).html)) != NOTHING} == {}


def test_no_payload_runs_on_the_real_pages(surf) -> None:
    author, reviewer = member(), member("reviewer")
    surfer = surf(reviewer)
    surfer.context.add_init_script(TRAPS)
    asked: list[str] = []
    surfer.page.on("request", lambda request: asked.append(request.url))
    for start in range(0, len(ALL), 12):  # several in one thread: a page for each would take minutes
        few = ALL[start : start + 12]
        finding = post_finding(user=author, kind="insight", title=few[0][:200], body="\n\n".join(few)[:20_000])
        for payload in few:
            comment(user=author, finding_id=finding.pk, body=payload)
        page = surfer.open(f"/forum/{finding.pk}/")
        odd = page.evaluate(f"() => [...document.querySelectorAll('.prose')].flatMap({ODDITIES})")
        assert odd == []
        assert page.locator(".prose").count() == len(few) + 1
        assert page.locator(".prose .ledger").count() == 0
        assert page.evaluate("() => window.__fired") == []
    for path in ("/forum/", "/forum/?order=id", "/forum/?search=alert", "/forum/?search=img+onerror", "/"):
        page = surfer.open(path)
        page.wait_for_timeout(200)
        assert page.evaluate("() => window.__fired") == []
    assert page.title()
    foreign = [url for url in asked if not url.startswith((surfer.url, "data:image/svg"))]
    assert foreign == []
    assert Finding.objects.count() == -(-len(ALL) // 12)


def test_the_preview_runs_nothing_either(surf) -> None:
    surfer = surf(member("researcher"))
    surfer.context.add_init_script(TRAPS)
    page = surfer.open("/forum/new/")
    page.fill("#new_title", "x")
    page.fill("#new_body", "\n\n".join(HTML + MARKDOWN)[:20_000])
    page.get_by_role("button", name="Preview").click()
    page.wait_for_selector("#preview .prose")
    assert page.evaluate("() => window.__fired") == []
    assert page.evaluate(f"() => [...document.querySelectorAll('.prose')].flatMap({ODDITIES})") == []
