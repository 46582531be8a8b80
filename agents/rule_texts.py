"""Rules of a policy in words, for pages and terminals."""

from collections.abc import Mapping
from typing import Any

from agents.lifecycle import BudgetKind, Effect
from agents.services.budgets import amount_text


def rule_text(rule: Mapping[str, Any]) -> str:
    """A policy's rule in words: ask about submit_experiment, if it may cost more than 60 s of gpu seconds."""
    tool = rule.get("tool", "*")
    conditions = [f"{path} is {pattern}" for path, pattern in rule.get("arguments", {}).items()]
    conditions += [
        f"it may cost more than {amount_text(kind, limit)} ({BudgetKind(kind).label})"
        for kind, limit in rule.get("cost_above", {}).items()
    ]
    conditions += ["it is the agent's first code of its own"] if rule.get("first_code") else []
    verb = {Effect.ASK: "ask about"}.get(rule["effect"], rule["effect"])
    text = f"{verb} {'every call' if tool == '*' else tool}"
    return f"{text}, if {' and '.join(conditions)}" if conditions else text
