"""Design components of the forum."""

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from forum.looks import KIND_LOOKS

register = template.Library()


@register.simple_tag
def kind_badge(kind: str) -> SafeString:
    """What a finding claims to be, as glyph and word."""
    look = KIND_LOOKS[kind]
    return format_html('<span class="badge {}" data-glyph="{}">{}</span>', look.tone, look.glyph, look.label)
