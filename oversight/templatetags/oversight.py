"""Badges of oversight, and the parts of a call as pages show them."""

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from oversight.looks import LOOKS

register = template.Library()


@register.simple_tag
def mark(value: str) -> SafeString:
    """A level, state or verdict as glyph and word."""
    look = LOOKS[value]
    return format_html('<span class="badge {}" data-glyph="{}">{}</span>', look.tone, look.glyph, look.label)


@register.filter
def percent(share: float | None) -> str:
    """A share in whole percent."""
    return "–" if share is None else f"{share:.0%}"


@register.filter
def rate(share: float | None) -> str:
    """A small share in percent, to a tenth."""
    return "–" if share is None else f"{share:.1%}"


@register.filter
def measured(number: float | None) -> str:
    """A statistic with four significant digits."""
    return "–" if number is None else f"{number:.4g}"
