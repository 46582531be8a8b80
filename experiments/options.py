"""A method's options: checked against its schema without torch, completed, and written in one canonical form."""

import hashlib
import json
import math
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from experiments.errors import InvalidInput

POINTER = "#/method/options"
_BOUNDS = (("minimum", "from"), ("exclusiveMinimum", "above"), ("maximum", "to"), ("exclusiveMaximum", "below"))
_KINDS = {"number": "a number", "integer": "a whole number", "boolean": "true or false", "string": "text"}


def complete_options(schema: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The options with every default filled in.

    schema: the method's JSON schema. Raises: InvalidInput, whose pointer names the option.
    """
    if not isinstance(given, Mapping):
        raise InvalidInput("options must be an object", pointer=POINTER)
    _refuse_non_finite(given)
    properties: Mapping[str, Any] = schema.get("properties", {})
    unknown = sorted(set(given) - set(properties))
    if unknown:
        known = ", ".join(sorted(properties)) or "none"
        raise InvalidInput(f"no option {unknown[0]!r}; options: {known}", pointer=_pointer(unknown[0]))
    filled = {name: each["default"] for name, each in properties.items() if "default" in each} | dict(given)
    missing = sorted(set(schema.get("required", [])) - set(filled))
    if missing:
        raise InvalidInput(f"the option {missing[0]!r} is required", pointer=_pointer(missing[0]))
    errors = sorted(Draft202012Validator(schema).iter_errors(filled), key=lambda each: list(map(str, each.path)))
    if errors:
        raise _refusal(errors[0], schema)
    return filled


def plain_options(schema: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The options in their one spelling: completed, 1.0 written as 1. What the schema refuses is left incomplete."""
    with suppress(InvalidInput):
        given = complete_options(schema, given)
    return {name: _plain(value) for name, value in given.items()}


def digest_of(code_digest: str, options: Mapping[str, Any]) -> str:
    """SHA-256 of a method's code, or of what seeds are drawn from of it, and its completed options."""
    return hashlib.sha256(f"{code_digest}\n{canonical(options)}".encode()).hexdigest()


def canonical(options: Mapping[str, Any]) -> str:
    """One text per meaning: keys sorted, 1.0 written as 1, so that spelling cannot change a digest."""
    return json.dumps(_plain(dict(options)), sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def _plain(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return value


def _refusal(error: ValidationError, schema: Mapping[str, Any]) -> InvalidInput:
    path = [str(part) for part in error.absolute_path]
    if not path:
        return InvalidInput(error.message, pointer=POINTER)
    allowed = describe(schema.get("properties", {}).get(path[0], {}), schema.get("$defs", {}))
    said = json.dumps(error.instance)[:100]
    expected = f"expected {allowed}" if allowed else error.message
    return InvalidInput(f"{path[0]}: {said} is not allowed; {expected}", pointer=_pointer(*path))


def describe(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    """The allowed form of one option in words; empty where the schema says more than words can."""
    if "$ref" in schema:
        return describe(definitions.get(str(schema["$ref"]).rpartition("/")[2], {}), definitions)
    if "const" in schema:
        return json.dumps(schema["const"])
    if "enum" in schema:
        return " or ".join(json.dumps(each) for each in schema["enum"])
    if "anyOf" in schema:
        parts = [describe(each, definitions) for each in schema["anyOf"]]
        return " or ".join(parts) if all(parts) else ""
    if schema.get("type") == "null":
        return "null"
    kind = _KINDS.get(str(schema.get("type")), "")
    bounds = [f"{word} {schema[name]:g}" for name, word in _BOUNDS if name in schema]
    return " ".join([kind, *bounds]) if kind else ""


def _refuse_non_finite(value: Any, *path: str) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise InvalidInput(f"{'.'.join(path)}: numbers must be finite", pointer=_pointer(*path))
    if isinstance(value, Mapping):
        for key, each in value.items():
            _refuse_non_finite(each, *path, str(key))
    if isinstance(value, (list, tuple)):
        for index, each in enumerate(value):
            _refuse_non_finite(each, *path, str(index))


def _pointer(*path: str) -> str:
    """JSON pointer (RFC 6901) below the options."""
    return "/".join([POINTER, *(part.replace("~", "~0").replace("/", "~1") for part in path)])
