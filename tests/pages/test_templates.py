"""What the strict policy and screen readers need of every template."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = sorted(
    path for app in ("aarweb", "experiments", "forum", "agents", "oversight") for path in (ROOT / app).rglob("*.html")
)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_template_has_no_inline_code_and_no_foreign_source(path):
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"<style|\sstyle=|<script(?![^>]*\ssrc=)|\son\w+=|hx-on|javascript:", text)
    assert not re.search(r"""(?:src|href)=["']https?://""", text)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_template_names_what_a_screen_reader_reads(path):
    text = path.read_text(encoding="utf-8")
    for table in re.findall(r"<div class=\"table-box\"[^>]*>", text):
        assert 'role="region"' in table and 'tabindex="0"' in table and "aria-label=" in table
    for heading in re.findall(r"<th(?![a-z])[^>]*>", text):
        assert "scope=" in heading
    for image in re.findall(r"<img[^>]*>", text):
        assert "alt=" in image


def palette(dark: bool) -> dict[str, str]:
    css = (ROOT / "aarweb/static/site.css").read_text(encoding="utf-8")
    light, _, rest = css.partition("@media (prefers-color-scheme: dark)")
    source = rest.partition("\n}\n")[0] if dark else light
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", source))


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_text_has_the_contrast_of_wcag_aa(dark):
    from tests.pages.test_charts import contrast

    ink = palette(dark)
    pairs = [(text, ground) for text in ("text", "quiet") for ground in ("page", "surface", "sunken")]
    pairs += [(tone, ground) for tone in ("good", "warn", "bad", "accent") for ground in ("surface", f"{tone}-soft")]
    pairs += [
        ("accent", "page"),
        ("accent", "sunken"),
        ("accent-text", "accent"),
        ("text", "warn-soft"),
        ("text", "bad-soft"),
    ]
    weak = {
        pair: round(contrast(ink[pair[0]], ink[pair[1]]), 2)
        for pair in pairs
        if contrast(ink[pair[0]], ink[pair[1]]) < 4.5
    }
    assert not weak
    for mark in ("line-strong", "focus"):  # borders of controls, the focus ring
        assert all(contrast(ink[mark], ink[ground]) >= 3 for ground in ("page", "surface", "sunken")), mark
