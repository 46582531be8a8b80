"""Badges of agents, and amounts of budgets in words."""

from django import template
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from agents.drawn_cards import Drawn, drawn
from agents.lifecycle import BudgetKind
from agents.looks import LOOKS
from agents.rule_texts import rule_text
from agents.selectors.cards import Card, Doing
from agents.services.budgets import Left, amount_text
from experiments.templatetags.lab import clock

register = template.Library()
register.filter(rule_text)


@register.simple_tag
def state_badge(value: str) -> SafeString:
    """A state or latch as glyph and word."""
    look = LOOKS[value]
    return format_html('<span class="badge {}" data-glyph="{}">{}</span>', look.tone, look.glyph, look.label)


@register.simple_tag
def draw(card: Card) -> Drawn:
    """What of an agent's card needs no clock."""
    return drawn(card)


@register.simple_tag
def doing(now: Doing) -> SafeString:
    """What an agent does, with its clock."""
    text = now.text
    if now.experiment:
        text = format_html('<a href="{}">{}</a>', reverse("experiment", args=[now.experiment]), text)
    return format_html("{} {}", text, clock(now.until, down=True) if now.until else clock(now.since))


@register.simple_tag
def spent_of(budget: Left) -> str:
    """What is spent and held, of the limit."""
    return f"{amount_text(budget.kind, budget.spent + budget.reserved)} of {amount_text(budget.kind, budget.limit)}"


@register.simple_tag
def budget_label(budget: Left) -> str:
    """What kind of budget it is, in words."""
    return str(BudgetKind(budget.kind).label)


@register.simple_tag
def amount(kind: str, value: int) -> str:
    """An amount of a budget with its unit."""
    return amount_text(kind, value)


@register.filter
def dollars(micro: int) -> str:
    """Micro-dollars as dollars."""
    return amount_text("money", micro)
