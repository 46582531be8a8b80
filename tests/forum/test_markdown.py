"""What authors type becomes HTML that can do nothing."""

import re
from time import thread_time

import pytest

from forum.markdown import LANGUAGES, MOST_EXCERPT, compile_markdown, sanitise
from forum.models import MOST_BODY


def html(text: str) -> str:
    return compile_markdown(text).html


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("**bold** and *slant*", "<p><strong>bold</strong> and <em>slant</em></p>"),
        ("~~gone~~", "<s>gone</s>"),
        ("- a\n- b", "<ul>"),
        ("3. c", '<ol start="3">'),
        ("> said", "<blockquote>"),
        ("`x < y`", "<code>x &lt; y</code>"),
        ("| a | b |\n|---|--:|\n| 1 | 2 |", '<td class="n">2</td>'),
        ("# Top", "<h3>Top</h3>"),
        ("###### Deep", "<h6>Deep</h6>"),
        ("[x](/experiments/12/)", '<a href="/experiments/12/"'),
    ],
)
def test_what_markdown_becomes(text: str, shown: str) -> None:
    assert shown in html(text)


def test_links_vouch_for_nothing_and_tell_nothing() -> None:
    assert 'rel="nofollow noopener noreferrer"' in html("[x](https://example.org)")
    assert 'rel="nofollow noopener noreferrer"' in html("<https://example.org>")


@pytest.mark.parametrize(
    "text",
    ["![p](https://example.org/p.png)", "![p](data:image/png;base64,AAAA)", '<img src="x">', "![p](/static/a.png)"],
)
def test_there_are_no_images(text: str) -> None:
    assert "<img" not in html(text)


def test_an_image_becomes_a_link_with_its_description() -> None:
    assert '<a href="https://example.org/p.png" rel="nofollow noopener noreferrer">[image: a plot]</a>' in html(
        "![a plot](https://example.org/p.png)"
    )


def test_code_is_highlighted_by_classes_without_styles() -> None:
    shown = html("```python\ndef f():\n    return 1\n```")
    assert '<span class="hl-k">def</span>' in shown
    assert "style" not in shown


@pytest.mark.parametrize("language", ["brainfudge", "", "python' onload='x", "html><script>", "../../etc/passwd"])
def test_an_unknown_language_is_plain_code(language: str) -> None:
    assert '<pre class="code"><code>&lt;b&gt;x\n</code></pre>' in html(f"```{language}\n<b>x\n```")


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_every_language_that_is_offered_is_highlighted(language: str) -> None:
    assert 'class="hl-' in html(f"```{language}\n<p class='x'>1</p> # a = 'b' : 2\n$ ls -l\n>>> f(1)\n-old\n```")


@pytest.mark.parametrize(
    ("language", "sign"), [("c", "\n"), ("cpp", "\n"), ("console", "a"), ("yaml", "&"), ("ini", "=")]
)
def test_code_that_a_lexer_takes_long_over_is_shown_plain(language: str, sign: str) -> None:
    """The lexer for C looks at each of n empty lines n times: nine seconds for a text full of them."""
    begin = thread_time()
    shown = html(f"```{language}\n{sign * (MOST_BODY - 30)}\n```")
    assert thread_time() - begin < 1
    assert sign * 1000 in shown.replace("&amp;", "&")


def test_raw_html_is_text() -> None:
    assert html('<b class="ledger">PGR 1.00</b>') == ('<p>&lt;b class="ledger"&gt;PGR 1.00&lt;/b&gt;</p>\n')


@pytest.mark.parametrize(
    "raw",
    [
        '<a class="ledger" href="/">PGR 1.00</a>',
        '<span class="ledger">PGR 1.00</span>',
        '<span class="ledger missing hl-k">PGR 1.00</span>',
        '<span class="badge good">counted</span>',
        '<p class="notice bad">x</p>',
        '<span style="border:1px solid">PGR 1.00</span>',
        '<span id="votes" data-live="*" hx-get="/logout/" hx-trigger="load">x</span>',
    ],
)
def test_the_second_wall_takes_out_every_class_and_attribute_that_pages_give_a_meaning(raw: str) -> None:
    shown = sanitise(raw)
    classes = " ".join(re.findall(r'class="([^"]*)"', shown)).split()
    assert all(name.startswith("hl-") for name in classes)
    assert not re.search(r"style=|id=|data-|hx-", shown)


def test_place_holders_cannot_be_typed() -> None:
    first = compile_markdown("{{pgr exp:1}}")
    again = compile_markdown(f"{first.nonce}x0x")
    assert again.nonce != first.nonce
    assert not again.references


@pytest.mark.parametrize("text", ["`{{pgr exp:1}}`", "```\n{{pgr exp:1}}\n```", "[{{pgr exp:1}}](https://example.org)"])
def test_code_and_links_hold_no_references(text: str) -> None:
    made = compile_markdown(text)
    assert not made.references
    assert "{{pgr exp:1}}" in made.html


def test_excerpts_are_short_escaped_and_without_code() -> None:
    made = compile_markdown("# Head\n\n<b> & `x`\n\n```\nsecret code\n```\n\n" + "word " * 200)
    assert made.excerpt.startswith("Head &lt;b&gt; &amp; x word word")
    assert "secret code" not in made.excerpt
    assert len(made.excerpt) <= MOST_EXCERPT + 1
    assert made.excerpt.endswith("…")


NASTY = [
    "[" * 20_000, "*" * 20_000, "*a " * 6_000, "`" * 20_000, ">" * 20_000, "- " * 10_000, "{{" * 10_000, "![[" * 6_000,
    "_a*" * 6_000, "a|b\n-|-\n" + "x|y\n" * 4_900, "&#" * 10_000, "[x]: <" * 3_000, "```python\n" + "((" * 9_000,
    "```html\n" + "<a " * 6_000, "```cpp\n" + "a<" * 9_000, "```yaml\n" + "- " * 9_000, "<" * 20_000, "\\" * 20_000,
]  # fmt: skip


@pytest.mark.parametrize("text", NASTY, ids=lambda text: repr(text[:12]))
def test_no_text_takes_long_to_render(text: str) -> None:
    """A quadratic parser would take minutes for these; the bound is wide because the machine is shared."""
    import time

    started = time.process_time()
    compile_markdown(text[:20_000])
    assert time.process_time() - started < 5
