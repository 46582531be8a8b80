"""Building blocks of the serializers: strict inputs, choices that name what is allowed, pages, scores."""

from collections.abc import Mapping
from typing import Any, NoReturn

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from experiments.texts import LONGEST_REASON

LARGEST_PAGE = 200
LARGEST_NUMBER = 2**63 - 1  # of a bigint column
USUAL_PAGE = 50
MOST_PREDICTIONS = 1_000_000


class Input(serializers.Serializer[Any]):
    """An input that refuses fields it does not know: a misspelt one would silently not count."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            unknown = [str(name) for name in data if name not in self.fields]
            if unknown:
                known = ", ".join(self.fields)
                raise serializers.ValidationError(
                    dict.fromkeys(unknown, f"there is no such field; known: {known}"), code="unknown"
                )
        return super().to_internal_value(data)


class Choice(serializers.ChoiceField):
    """A choice whose error names the allowed values."""

    def fail(self, key: str, **kwargs: Any) -> NoReturn:
        if key == "invalid_choice":
            allowed = ", ".join(map(str, self.choices))
            raise serializers.ValidationError(f"{kwargs['input']!r} is not one of: {allowed}", code=key)
        super().fail(key, **kwargs)


class ReasonInput(Input):
    """Why."""

    reason = serializers.CharField(max_length=LONGEST_REASON)


class PageQuery(Input):
    """What every list takes."""

    cursor = serializers.CharField(required=False, max_length=300, help_text="From `next` or `previous` of an answer")
    page_size = serializers.IntegerField(
        required=False, default=USUAL_PAGE, min_value=1, max_value=LARGEST_PAGE, help_text="Rows per page"
    )


@extend_schema_field(
    {
        "type": "array",
        "items": {"type": "integer", "enum": [0, 1]},
        "minItems": 1,
        "description": "One per dev item, in the order of the data endpoint: 1 if the first response is better"
        " (pairs) or the response is right (claims)",
    }
)
class BinaryVector(serializers.Field[Any, Any, Any, Any]):
    """A list of the integers 0 and 1, checked at C speed: a thousand child fields would take longer than scoring."""

    def to_internal_value(self, data: Any) -> list[int]:
        if not isinstance(data, list):
            raise serializers.ValidationError("expected a list of 0 and 1", code="not_a_list")
        if not data:
            raise serializers.ValidationError("the list is empty", code="empty")
        if len(data) > MOST_PREDICTIONS:
            raise serializers.ValidationError(f"more than {MOST_PREDICTIONS} values", code="max_length")
        if set(map(type, data)) == {int} and set(data) <= {0, 1}:
            return data
        place, value = next((i, v) for i, v in enumerate(data) if type(v) is not int or v not in (0, 1))
        raise serializers.ValidationError({str(place): f"expected 0 or 1, got {_short(value)}"}, code="not_binary")

    def to_representation(self, value: Any) -> Any:
        return value


class Score(serializers.Serializer[Any]):
    """A PGR, or a difference of two, with its interval."""

    value = serializers.FloatField(allow_null=True, help_text="Null where it cannot be said; `reason` says why")
    low = serializers.FloatField(allow_null=True, help_text="Lower end of the interval; null if unbounded")
    high = serializers.FloatField(allow_null=True)
    se = serializers.FloatField(allow_null=True, help_text="Standard error from seeds and items together")
    level = serializers.FloatField(help_text="Of the two-sided interval")
    bounded = serializers.BooleanField()
    n_items = serializers.IntegerField(allow_null=True)
    n_seeds = serializers.IntegerField(allow_null=True)
    reason = serializers.CharField(allow_blank=True)


def page_of(row: type[serializers.Serializer[Any]], name: str) -> type[serializers.Serializer[Any]]:
    """The schema of one page of such rows; `name` is the schema's name."""
    fields: dict[str, Any] = {
        "__doc__": "One page of a list.",
        "__module__": __name__,
        "results": row(many=True),
        "next": serializers.URLField(allow_null=True, help_text="The next page, if there is one"),
        "previous": serializers.URLField(allow_null=True),
    }
    return type(name, (serializers.Serializer,), fields)


def _short(value: Any, limit: int = 40) -> str:
    text = repr(value)
    return text if len(text) <= limit else f"{text[:limit]}…"
