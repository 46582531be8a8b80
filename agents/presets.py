"""Policies to choose by name: where the lab's rules let a call run, a preset asks a person first. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from agents.lifecycle import BudgetKind, Effect

COSTLY_GPU_SECONDS = 60  # a linear probe is held at 1 a seed, a fine-tuned student at 120
COSTLY = "costly"  # the one that takes an amount
MOST_SECONDS = 2**31  # GPU seconds that it may let pass


@dataclass(frozen=True, slots=True)
class Preset:
    """One choice. ask: the rule that it puts before what is allowed; None: nothing is added."""

    name: str
    title: str
    ask: Mapping[str, Any] | None


PRESETS = {
    each.name: each
    for each in (
        Preset("default", "What the lab's rules say", None),
        Preset(
            "first-code",
            "An agent's first own code",
            {"tool": "submit_experiment", "first_code": True, "note": "the agent's first own code"},
        ),
        Preset(
            COSTLY,
            "Costly calls",
            {"cost_above": {BudgetKind.GPU_SECONDS.value: COSTLY_GPU_SECONDS}, "note": "costly"},
        ),
        Preset(
            "every-experiment", "Every experiment", {"tool": "submit_experiment", "note": "people see every experiment"}
        ),
    )
}
LABS_OWN = {"preset": "default", "ask_above": None}
"""Chosen for a new campaign it means no policy of its own: it follows the lab's, also when that changes."""
PRESET_CHOICES = [(each.name, each.title) for each in PRESETS.values()]


def preset_rules(
    name: str, rules: Sequence[Mapping[str, Any]], *, ask_above: int | None = None
) -> list[dict[str, Any]]:
    """The rules with the preset's question before each that allows; whatever they deny or ask about stays as it is.

    name: of a preset. ask_above: GPU seconds, for `costly`.
    """
    ask = PRESETS[name].ask
    if ask is None:
        return [dict(rule) for rule in rules]
    if ask_above is not None and "cost_above" in ask:
        ask = {**ask, "cost_above": {BudgetKind.GPU_SECONDS.value: ask_above}}
    found = []
    for rule in rules:
        if rule["effect"] == Effect.ALLOW and _meet(rule, ask):
            found.append(_both(rule, ask))
        found.append(dict(rule))
    return found


def _meet(rule: Mapping[str, Any], ask: Mapping[str, Any]) -> bool:
    """Whether some call may fit both; a preset names a tool, never a pattern."""
    return "tool" not in ask or fnmatchcase(ask["tool"], rule.get("tool", "*"))


def _both(rule: Mapping[str, Any], ask: Mapping[str, Any]) -> dict[str, Any]:
    """Asks about a call that fits the rule and the preset's question alike."""
    costs = dict(rule.get("cost_above", {}))
    for kind, amount in ask.get("cost_above", {}).items():
        costs[kind] = max(amount, costs.get(kind, 0))
    made = {**rule, **ask, "effect": Effect.ASK.value}
    if costs:
        made["cost_above"] = costs
    if rule.get("first_code"):
        made["first_code"] = True
    return made
