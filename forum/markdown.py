"""From what an author typed to HTML that is safe to show: parsed without raw HTML, then sanitised all the same.

Two walls. The parser knows no raw HTML, so `<script>` becomes text; the sanitiser behind it lets through a short list
of elements and no class that the pages give a meaning to. References to the ledger leave this module as place
holders that nobody can type: they hold a number drawn for each text.
"""

import io
import re
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html import escape
from time import thread_time

import nh3
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from pygments.formatters.html import HtmlFormatter
from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name
from pygments.token import STANDARD_TYPES, _TokenType

from forum.references import PATTERN, Reference, read_reference

VERSION = 1  # of the HTML made here; a cache keyed to it forgets what an older one made
MOST_EXCERPT = 280  # characters of plain text in lists

# What researchers write; every lexer of Pygments would be 500 modules to trust with hostile input.
LANGUAGES = {
    "bash", "c", "console", "cpp", "css", "diff", "html", "ini", "javascript", "js", "json", "julia", "latex", "py",
    "pycon", "python", "r", "rust", "sh", "sql", "tex", "toml", "ts", "typescript", "xml", "yaml", "yml",
}  # fmt: skip
_LEXERS = {"yml": "yaml"}  # that Pygments knows by another name
# Some lexers are quadratic in what nobody writes in earnest: over many lines, which a clock between tokens cuts short,
MOST_HIGHLIGHTING = 0.25  # seconds of CPU for one text
MOST_LINE = 2_000  # characters; and within a line, in one match of a pattern that no clock interrupts
_CODE_CLASS, _TOKEN_PREFIX = "code", "hl-"
_TAGS = {
    "a", "blockquote", "br", "code", "del", "em", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "s", "span",
    "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
_CLASSES = {
    "span": {_TOKEN_PREFIX + name for name in STANDARD_TYPES.values() if name},
    "pre": {_CODE_CLASS},
    "td": {"n"},
    "th": {"n"},
}
_SHIFT = 2  # the page itself owns h1 and h2
_ENV_KEY = "ledger"


class _TooSlow(Exception):
    """Highlighting takes longer than a reader should wait for."""


@dataclass(slots=True)
class _Compiling:
    """One text on its way. left: seconds of CPU that its code may still take."""

    nonce: str
    found: list[Reference] = field(default_factory=list)
    left: float = MOST_HIGHLIGHTING


@dataclass(frozen=True, slots=True)
class Compiled:
    """A text as HTML with place holders; `references[i]` belongs to the place holder of number i.

    excerpt: the beginning as escaped plain text, with place holders as well.
    """

    html: str
    excerpt: str
    nonce: str
    references: Sequence[Reference]


def compile_markdown(text: str) -> Compiled:
    """Parse, highlight, sanitise. The same text gives the same HTML but for the number in its place holders, and for
    colours where its code takes MOST_HIGHLIGHTING or about as long.
    """
    doing = _Compiling(secrets.token_hex(12))
    html = sanitise(_MARKDOWN.render(text, {_ENV_KEY: doing}))
    return Compiled(html=html, excerpt=_excerpt(html, doing.nonce), nonce=doing.nonce, references=tuple(doing.found))


def sanitise(html: str) -> str:
    """Lets through a short list of elements: no style, image, frame, form, script, id, handler or foreign class."""
    return nh3.clean(
        html,
        tags=_TAGS,
        attributes={"a": {"href", "title"}, "ol": {"start"}},
        allowed_classes=_CLASSES,
        url_schemes={"http", "https", "mailto"},
        link_rel="nofollow noopener noreferrer",
        strip_comments=True,
    )


def placeholders(nonce: str) -> re.Pattern[str]:
    """Matches the place holders of one text; group 1 is the reference's number."""
    return re.compile(rf"{nonce}x(\d+)x")


def _excerpt(html: str, nonce: str) -> str:
    # a text's first code block or table says little in one line
    prose = re.sub(r"<(pre|table)\b.*?</\1>", " ", html, flags=re.DOTALL)
    words = nh3.clean(re.sub(r"</(?:p|li|h\d|blockquote|tr)>", " ", prose), tags=set()).split()
    shown: list[str] = []
    length = 0
    for word in words:
        length += 1 + (12 if nonce in word else len(word))
        if length > MOST_EXCERPT:
            return " ".join(shown) + "…" if shown else ""
        shown.append(word)
    return " ".join(shown)


def _ledger_rule(state: StateInline, silent: bool) -> bool:
    """`{{pgr exp:12}}`, outside code and outside links."""
    if state.linkLevel or not state.src.startswith("{{", state.pos):
        return False
    match = PATTERN.match(state.src, state.pos)
    if match is None or match.end() > state.posMax:
        return False
    if not silent:
        state.push("ledger", "", 0).meta = {"reference": read_reference(match)}
    state.pos = match.end()
    return True


def _render_ledger(self: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
    doing: _Compiling = env[_ENV_KEY]
    doing.found.append(tokens[index].meta["reference"])
    return f"{doing.nonce}x{len(doing.found) - 1}x"


def _render_image(self: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
    """An image is a link to it: a picture from elsewhere would tell its server who reads this."""
    token = tokens[index]
    alt = self.renderInlineAsText(token.children, options, env) if token.children else ""
    link = Token("link_open", "a", 1, attrs={"href": token.attrs.get("src", "")})
    return f"<a{self.renderAttrs(link)}>[image: {escape(alt) or 'no description'}]</a>"


def _render_cell(self: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
    """Alignment as a class: inline styles are forbidden on every page."""
    token = tokens[index]
    right = "right" in str(token.attrs.get("style", ""))
    return f'<{token.tag} class="n">' if right else f"<{token.tag}>"


def _render_fence(self: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
    token = tokens[index]
    words = token.info.split()
    code = _code(token.content, words[0].lower() if words else "", env[_ENV_KEY])
    return f'<pre class="{_CODE_CLASS}"><code>{code}</code></pre>\n'


def _code(text: str, language: str, doing: _Compiling) -> str:
    if language not in LANGUAGES or len(max(text.split("\n"), key=len)) > MOST_LINE:
        return escape(text)
    lexer = get_lexer_by_name(_LEXERS.get(language, language), stripnl=False)
    formatter: HtmlFormatter[str] = HtmlFormatter(nowrap=True, classprefix=_TOKEN_PREFIX)
    out = io.StringIO()
    try:
        formatter.format(_tokens(lexer, text, doing), out)
    except _TooSlow:
        return escape(text)
    return out.getvalue()


def _tokens(lexer: Lexer, text: str, doing: _Compiling) -> Iterator[tuple[_TokenType, str]]:
    """Raises: _TooSlow once the text's code has taken all of its time."""
    begun = thread_time()
    for token in lexer.get_tokens(text):
        if thread_time() - begun > doing.left:
            doing.left = 0
            raise _TooSlow
        yield token
    doing.left -= thread_time() - begun


def _lower_headings(tokens: Sequence[Token]) -> None:
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(int(token.tag[1]) + _SHIFT, 6)}"


def _make_parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": 20}).enable(["table", "strikethrough"])
    parser.inline.ruler.before("escape", "ledger", _ledger_rule)
    parser.core.ruler.push("lower_headings", lambda state: _lower_headings(state.tokens))
    parser.add_render_rule("ledger", _render_ledger)
    parser.add_render_rule("image", _render_image)
    parser.add_render_rule("fence", _render_fence)
    for cell in ("th_open", "td_open"):
        parser.add_render_rule(cell, _render_cell)
    return parser


_MARKDOWN = _make_parser()
