"""Form fields made from JSON schemas, as pydantic writes them."""

import pytest
from django import forms

from experiments.option_fields import option_field

NUMBER_OR_CV = {
    "anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"const": "cv", "type": "string"}],
    "default": "cv",
}


@pytest.mark.parametrize(
    ("schema", "text", "value"),
    [
        ({"type": "integer", "minimum": 1, "default": 3}, "7", 7),
        ({"type": "integer", "default": 3}, "", None),
        ({"type": "number", "maximum": 1, "default": 0.5}, "1", 1.0),
        ({"type": "number", "default": 0.5}, "1e-3", 0.001),
        (NUMBER_OR_CV, "cv", "cv"),
        (NUMBER_OR_CV, " 0.25 ", 0.25),
        ({"enum": ["a", "b"], "default": "a"}, "b", "b"),
        ({"enum": [1, 2], "default": 1}, "2", 2),
        ({"$ref": "#/$defs/Kind", "default": "a"}, "b", "b"),
        ({"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}], "default": None}, "", None),
        ({"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}], "default": None}, "4", 4),
        ({"type": ["number", "null"]}, "", None),
        ({"type": "string", "default": "x"}, "hello", "hello"),
    ],
)
def test_a_right_text_becomes_the_value(schema, text, value):
    field = option_field("option", schema, {"Kind": {"enum": ["a", "b"], "type": "string"}})
    got = field.clean(text)
    assert got == value and type(got) is type(value)


@pytest.mark.parametrize(
    ("schema", "text", "said"),
    [
        ({"type": "integer", "minimum": 1, "maximum": 5, "default": 3}, "6", "Expected a whole number from 1 to 5."),
        ({"type": "integer", "default": 3}, "2.5", "Expected a whole number."),
        ({"type": "number", "exclusiveMinimum": 0, "default": 1}, "0", "Expected a number above 0."),
        ({"type": "number", "exclusiveMaximum": 1, "default": 0}, "1", "Expected a number below 1."),
        ({"type": "number", "default": 0}, "inf", "Expected a number."),
        ({"type": "number"}, "", "This field is required."),
        (NUMBER_OR_CV, "auto", 'Expected a number above 0 or "cv".'),
        ({"enum": ["a"], "default": "a"}, "z", "Select a valid choice. z is not one of the available choices."),
    ],
)
def test_a_wrong_text_is_told_what_is_allowed(schema, text, said):
    with pytest.raises(forms.ValidationError) as caught:
        option_field("option", schema, {}).clean(text)
    assert caught.value.messages == [said]


def test_a_boolean_is_a_box_that_may_stay_empty():
    field = option_field("hard", {"type": "boolean", "default": True, "description": "Harden first."}, {})
    assert isinstance(field, forms.BooleanField)
    assert field.clean("") is False and field.initial is True and field.help_text == "Harden first"


def test_names_and_help_come_from_the_schema():
    field = option_field("keep_share", {"type": "number", "minimum": 0, "default": 0.5, "description": "How many."}, {})
    assert field.label == "Keep share"
    assert field.help_text == "How many. A number from 0; default 0.5"
