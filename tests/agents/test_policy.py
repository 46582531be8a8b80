"""Rules: which one decides, what they may say, and that silence asks."""

import pytest

from agents.policy import CallFacts, call_digest, checked_rules, rule_on
from experiments.errors import InvalidInput


def call(tool="submit_experiment", *, first_code=False, cost=None, **arguments) -> CallFacts:
    return CallFacts(tool, arguments, cost or {}, first_code)


@pytest.mark.parametrize(
    ("rule", "fits", "misses"),
    [
        ({"tool": "submit_*"}, call(), call("comment")),
        ({"arguments": {"benchmark": "geo*"}}, call(benchmark="geography"), call(benchmark="math")),
        ({"arguments": {"options.l2": "0.1"}}, call(options={"l2": 0.1}), call(options={})),
        ({"cost_above": {"gpu_seconds": 100}}, call(cost={"gpu_seconds": 101}), call(cost={"gpu_seconds": 100})),
        ({"first_code": True}, call(first_code=True), call()),
        ({"tool": "*"}, call("anything"), None),
    ],
)
def test_a_rule_fits_by_tool_argument_cost_first_code_or_any(rule, fits, misses):
    rules = checked_rules([{"effect": "deny", **rule}, {"effect": "allow"}])
    assert rule_on(rules, fits).effect == "deny"
    if misses is not None:
        assert (rule_on(rules, misses).effect, rule_on(rules, misses).rule) == ("allow", 2)


def test_the_first_rule_that_fits_decides_and_a_call_that_none_fits_is_asked_about():
    rules = [{"effect": "allow", "tool": "comment"}, {"effect": "deny", "tool": "c*", "note": "quiet"}]
    assert rule_on(rules, call("comment")).effect == "allow"
    assert rule_on(rules, call("count")).note == "quiet"
    assert (rule_on(rules, call("vote")).effect, rule_on(rules, call("vote")).rule) == ("ask", 0)


@pytest.mark.parametrize(
    ("rules", "pointer"),
    [
        ([], "#/rules"),
        ("allow", "#/rules"),
        ([{"effect": "permit"}], "#/rules/0/effect"),
        ([{"effect": "allow"}, {"effect": "ask", "colour": "red"}], "#/rules/1/colour"),
        ([{"effect": "ask", "cost_above": {"euros": 3}}], "#/rules/0/cost_above"),
        ([{"effect": "ask", "cost_above": {"money": -3}}], "#/rules/0/cost_above"),
        ([{"effect": "ask", "arguments": {"seeds": 3}}], "#/rules/0/arguments"),
        ([{"effect": "ask", "first_code": "yes"}], "#/rules/0/first_code"),
        (["ask"], "#/rules/0"),
    ],
)
def test_a_rule_that_says_something_else_is_refused_with_its_place(rules, pointer):
    with pytest.raises(InvalidInput) as caught:
        checked_rules(rules)
    assert caught.value.pointer == pointer


def test_the_digest_binds_tool_arguments_agent_and_policy_and_not_the_order_of_names():
    bound = {"tool": "comment", "arguments": {"a": 1, "b": [2]}, "agent": 3, "policy": 4}
    digest = call_digest(**bound)
    assert digest == call_digest(**{**bound, "arguments": {"b": [2], "a": 1}})
    for change in ({"tool": "vote"}, {"arguments": {"a": 1, "b": [3]}}, {"agent": 5}, {"policy": 5}):
        assert call_digest(**{**bound, **change}) != digest
