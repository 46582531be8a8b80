"""What agents may do without being asked about: rules of a policy, and which of them decides a call. Pure."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from agents.lifecycle import BudgetKind, Effect
from experiments.errors import InvalidInput

DEFAULT_RULES: list[dict[str, Any]] = [
    {"effect": "allow", "tool": "*", "note": "The lab's sandbox, budgets and gates hold whatever agents try"}
]
MOST_RULES = 100
_FIELDS = {"effect", "tool", "arguments", "cost_above", "first_code", "note"}


@dataclass(frozen=True, slots=True)
class CallFacts:
    """What a rule may look at. cost: an upper estimate by kind of budget; first_code: the agent's first own code."""

    tool: str
    arguments: Mapping[str, Any]
    cost: Mapping[str, int]
    first_code: bool


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a policy says of a call. rule: its place in the list, from 1; 0 if no rule fits."""

    effect: str
    rule: int
    note: str


def rule_on(rules: Sequence[Mapping[str, Any]], call: CallFacts) -> Ruling:
    """The first rule that fits decides; a call that none fits is asked about."""
    for number, rule in enumerate(rules, start=1):
        if _fits(rule, call):
            return Ruling(Effect(rule["effect"]), number, str(rule.get("note", "")))
    return Ruling(Effect.ASK, 0, "no rule of the policy fits this call")


def checked_rules(given: Any) -> list[dict[str, Any]]:
    """Rules as they are stored. Raises: InvalidInput with a pointer to what is wrong."""
    if not isinstance(given, list) or not 1 <= len(given) <= MOST_RULES:
        raise InvalidInput(f"expected a list of 1 to {MOST_RULES} rules", pointer="#/rules")
    return [_checked(rule, f"#/rules/{index}") for index, rule in enumerate(given)]


def call_digest(*, tool: str, arguments: Mapping[str, Any], agent: int, policy: int) -> str:
    """SHA-256 of tool, canonical arguments, agent and policy version: what an approval is bound to."""
    canonical = json.dumps([tool, arguments, agent, policy], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _fits(rule: Mapping[str, Any], call: CallFacts) -> bool:
    if not fnmatchcase(call.tool, rule.get("tool", "*")):
        return False
    for path, pattern in rule.get("arguments", {}).items():
        value = _at(call.arguments, path)
        if value is None or not fnmatchcase(_text(value), pattern):
            return False
    for kind, amount in rule.get("cost_above", {}).items():
        if call.cost.get(kind, 0) <= amount:
            return False
    return call.first_code or not rule.get("first_code", False)


def _at(arguments: Mapping[str, Any], path: str) -> Any:
    value: Any = arguments
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def _checked(rule: Any, pointer: str) -> dict[str, Any]:
    if not isinstance(rule, Mapping):
        raise InvalidInput("expected an object", pointer=pointer)
    unknown = sorted(set(rule) - _FIELDS)
    if unknown:
        known = ", ".join(sorted(_FIELDS))
        raise InvalidInput(f"{unknown[0]!r}: a rule has {known}", pointer=f"{pointer}/{unknown[0]}")
    if rule.get("effect") not in Effect.values:
        allowed = ", ".join(Effect.values)
        raise InvalidInput(f"{rule.get('effect')!r}: expected one of {allowed}", pointer=f"{pointer}/effect")
    for name in ("tool", "note"):
        text = rule.get(name, "")
        if not isinstance(text, str) or len(text) > 500 or "\x00" in text:
            raise InvalidInput("expected up to 500 characters", pointer=f"{pointer}/{name}")
    patterns = rule.get("arguments", {})
    if not isinstance(patterns, Mapping) or not all(isinstance(each, str) for each in patterns.values()):
        raise InvalidInput('expected {"path.to.argument": "pattern"}', pointer=f"{pointer}/arguments")
    costs = rule.get("cost_above", {})
    kinds_known = isinstance(costs, Mapping) and set(costs) <= set(BudgetKind.values)
    if not kinds_known or not all(type(amount) is int and amount >= 0 for amount in costs.values()):
        kinds = ", ".join(BudgetKind.values)
        raise InvalidInput(f"expected {{kind: whole number}}, kinds: {kinds}", pointer=f"{pointer}/cost_above")
    if not isinstance(rule.get("first_code", False), bool):
        raise InvalidInput("expected true or false", pointer=f"{pointer}/first_code")
    return dict(rule)
