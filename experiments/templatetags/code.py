"""Code and differences as pages show them: highlighted, numbered, never as markup of their author's."""

from django import template
from django.utils.html import escape, format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from pygments import highlight
from pygments.formatters.html import HtmlFormatter
from pygments.lexers import get_lexer_by_name

register = template.Library()

MOST_HIGHLIGHTED = 200_000  # characters of one file; a longer one is shown plain
# By ending; every lexer of Pygments would be 500 modules to trust with hostile input.
_LEXERS = {
    "py": "python", "pyi": "python", "json": "json", "toml": "toml", "yaml": "yaml", "yml": "yaml", "ini": "ini",
    "cfg": "ini", "sh": "bash", "sql": "sql", "c": "c", "h": "c", "cpp": "cpp",
}  # fmt: skip
_TONES = {"+": "added", "-": "removed", "@": "place"}


@register.simple_tag
def code(text: str, path: str) -> SafeString:
    """A file with numbered lines, highlighted by the ending of its name."""
    ending = path.rsplit("/", 1)[-1].rpartition(".")[2].lower()
    if ending in _LEXERS and len(text) <= MOST_HIGHLIGHTED:
        formatter: HtmlFormatter[str] = HtmlFormatter(nowrap=True, classprefix="hl-")
        lexer = get_lexer_by_name(_LEXERS[ending], stripnl=False, ensurenl=False)
        body = highlight(text, lexer, formatter)  # no token goes on over the end of a line
    else:
        body = str(escape(text))
    lines = body.removesuffix("\n").split("\n")
    numbered = "".join(f'<span class="line">{line}</span>' for line in lines)
    # escaped above: by Pygments, or by escape()
    return format_html('<pre class="lines" tabindex="0" aria-label="{}">{}</pre>', path, mark_safe(numbered))  # noqa: S308


@register.simple_tag
def diff(unified: str | None) -> SafeString:
    """A unified difference, its signs told by tone as well."""
    if unified is None:
        return format_html('<p class="quiet">{}</p>', "Differs; it is too long to say how.")
    lines = unified.removesuffix("\n").split("\n")[2:]  # the two headers repeat the file's name
    spans = format_html_join(
        "", '<span class="line {}">{}</span>', ((_TONES.get(line[:1], ""), line) for line in lines)
    )
    return format_html('<pre class="lines diff" tabindex="0" aria-label="Difference">{}</pre>', spans)
