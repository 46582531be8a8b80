"""Design components: badges, times, numbers, scores with their interval, charts."""

from datetime import datetime
from typing import Any

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from experiments.looks import LOOKS
from experiments.selectors.scores import Score

register = template.Library()

# The interval glyph: PGR from -0.5 to 1.5 over 110 px; nearly every honest score lies inside.
_GLYPH_LOW, _GLYPH_HIGH, _GLYPH_WIDTH = -0.5, 1.5, 110
_GLYPH = (
    '<svg class="glyph" viewBox="0 0 110 16" aria-hidden="true"><line class="rail" x1="0" y1="8" x2="110" y2="8"/>'
    '<line class="mark" x1="27.5" y1="1" x2="27.5" y2="15"/><line class="mark" x1="82.5" y1="1" x2="82.5" y2="15"/>'
    '<line class="whisker" x1="{}" y1="8" x2="{}" y2="8"/>{}{}<circle class="dot" cx="{}" cy="8" r="3.5"/></svg>'
)
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


@register.simple_tag
def badge(value: str) -> SafeString:
    """A state, standing or class as glyph and word."""
    look = LOOKS[value]
    return format_html('<span class="badge {}" data-glyph="{}">{}</span>', look.tone, look.glyph, look.label)


@register.simple_tag
def when(moment: datetime | None) -> SafeString:
    """A relative time with the absolute one on hover."""
    if moment is None:
        return format_html("<span class='quiet'>{}</span>", "–")
    return format_html(
        '<time datetime="{}" title="{} UTC" data-when>{}</time>',
        moment.isoformat(timespec="seconds"),
        moment.strftime("%Y-%m-%d %H:%M:%S"),
        _relative(moment),
    )


@register.simple_tag
def waits(since: datetime) -> SafeString:
    """How long something has been waiting for somebody: waits 4 min; live.js keeps it true."""
    return format_html(
        '<time datetime="{}" title="since {} UTC" data-waits>{}</time>',
        since.isoformat(timespec="seconds"),
        since.strftime("%Y-%m-%d %H:%M:%S"),
        waits_text((timezone.now() - since).total_seconds()),
    )


def waits_text(seconds: float) -> str:
    """In whole units, so that nobody is hurried by tenths of a second."""
    whole = max(int(seconds), 0)
    size, unit = next(((size, unit) for size, unit in _UNITS if whole >= size), _UNITS[-1])
    return f"waits {whole // size} {unit}"


@register.simple_tag
def clock(moment: datetime | None, *, down: bool = False) -> SafeString:
    """How long something has gone on, or with `down` how long until it happens; live.js keeps it true."""
    if moment is None:
        return format_html("{}", "")
    seconds = (timezone.now() - moment).total_seconds() * (-1 if down else 1)
    return format_html(
        '<time class="num" datetime="{}" title="{} {} UTC" data-clock="{}">{}</time>',
        moment.isoformat(timespec="milliseconds"),
        "at" if down else "since",
        moment.strftime("%Y-%m-%d %H:%M:%S"),
        "down" if down else "up",
        clock_text(seconds),
    )


def clock_text(seconds: float) -> str:
    """Seconds as a clock shows them: 0:07, 12:30, 3:05:00; from two days on in days."""
    whole = max(int(seconds), 0)
    if whole >= 2 * 86_400:
        return f"{whole // 86_400} d"
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _relative(moment: datetime) -> str:
    seconds = (timezone.now() - moment).total_seconds()
    if abs(seconds) < 5:
        return "just now"
    text = duration(abs(seconds))
    return f"{text} ago" if seconds > 0 else f"in {text}"


@register.filter
def duration(seconds: float | None) -> str:
    """Seconds in their largest fitting unit: 0.4 s, 41 s, 12 min, 3 h, 2 d."""
    if seconds is None:
        return "–"
    if seconds < 10:
        return f"{seconds:.1f} s"
    size, unit = next((size, unit) for size, unit in _UNITS if seconds >= size)
    return f"{seconds / size:.0f} {unit}"


@register.filter
def fixed(value: float | str | None, digits: int = 3) -> str:
    """A number with that many decimals; a dash for none, also for a name that the template does not know."""
    return "–" if value is None or isinstance(value, str) else _with_minus(f"{value:.{digits}f}")


@register.filter
def p_value(value: float | None) -> str:
    """A p-value, which is never shown as zero: = 0.034, < 0.001."""
    if value is None:
        return "–"
    return "< 0.001" if value < 0.001 else f"= {value:.3f}"


@register.filter
def about(count: int) -> str:
    """A count to two significant digits, upwards: what is only estimated must not look exact."""
    step = 10 ** max(len(str(count)) - 2, 0)
    return f"{-(-count // step) * step:,}"


@register.filter
def signed(value: float | None, digits: int = 2) -> str:
    """A difference with its sign."""
    return "–" if value is None else _with_minus(f"{value:+.{digits}f}")


def _with_minus(text: str) -> str:
    """A true minus sign, and none before what rounds to zero."""
    return text.lstrip("+-") if float(text) == 0 else text.replace("-", "−")


@register.filter
def short_hash(value: str) -> str:
    """The first twelve characters of a digest."""
    return value[:12]


@register.filter
def seed_ranges(seeds: list[int]) -> str:
    """Ascending numbers, neighbours joined: 0–4, 7."""
    spans: list[list[int]] = []
    for seed in seeds:
        if spans and seed == spans[-1][1] + 1:
            spans[-1][1] = seed
        else:
            spans.append([seed, seed])
    return ", ".join(f"{low}" if low == high else f"{low}–{high}" for low, high in spans)


@register.simple_tag
def score(value: Score | None, *, glyph: bool = True, sign: bool = False) -> SafeString:
    """A score with interval and, unless told otherwise, its picture. No template of its own: a page has hundreds."""
    if value is None:
        return format_html('<span class="quiet">{}</span>', "–")
    if value.value is None:
        reason = format_html(' title="{}"', value.reason) if value.reason else ""
        return format_html('<span class="quiet"{}>no value</span>', reason)
    if value.bounded:
        interval = f"[{fixed(value.low, 2)}, {fixed(value.high, 2)}]"
    else:
        interval = format_html('<span title="{}">[unbounded]</span>', value.reason or "no bounded interval")
    return format_html(
        '<span class="score"><b>{}</b><span class="quiet">{}</span>{}</span>',
        signed(value.value) if sign else fixed(value.value, 2),
        interval,
        _glyph(value.value, value.low, value.high) if glyph else "",
    )


def _glyph(value: float, low: float | None, high: float | None) -> SafeString:
    """The interval as a line; an open end, or one that lies outside of the picture, is an arrow."""
    return format_html(
        _GLYPH,
        _x(low),
        _x(high) if high is not None else float(_GLYPH_WIDTH),
        _arrow("M0 8l5-4v8z") if low is None or low < _GLYPH_LOW else "",
        _arrow("M110 8l-5-4v8z") if high is None or high > _GLYPH_HIGH else "",
        _x(value),
    )


def _arrow(path: str) -> SafeString:
    return format_html('<path class="arrow" d="{}"/>', path)


def _x(value: float | None) -> float:
    share = 0.0 if value is None else (value - _GLYPH_LOW) / (_GLYPH_HIGH - _GLYPH_LOW)
    return round(min(max(share, 0.0), 1.0) * _GLYPH_WIDTH, 1)


@register.inclusion_tag("components/chart.html")
def chart(prepared: Any, *, live: str = "", short: bool = False) -> dict[str, Any]:
    """A figure drawn by charts.js, with its rows as a table and as CSV; `live` names the news that redraw it."""
    return {"chart": prepared, "short": short, "live": live}


@register.inclusion_tag("components/progress.html")
def progress(done: int, total: int, label: str, unit: str = "") -> dict[str, Any]:
    """A bar with its numbers; an unknown total shows as indeterminate."""
    return {"done": done, "total": total, "label": label, "unit": unit}
