"""The OpenAPI description; aarweb/openapi.py."""

import json
import re

import pytest
from django.core.management import call_command
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.validation import validate_schema

from tests.api.conftest import Caller

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def schema():
    return SchemaGenerator().get_schema(request=None, public=True)


def test_it_is_valid_and_made_without_a_warning(tmp_path):
    GENERATOR_STATS.reset()
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(tmp_path / "schema.yml"))
    assert not GENERATOR_STATS


def test_it_is_openapi_3_1(schema):
    assert schema["openapi"].startswith("3.1")
    validate_schema(schema)


def test_every_operation_has_a_typed_answer_and_may_be_a_problem(schema):
    operations = [(path, verb, op) for path, verbs in schema["paths"].items() for verb, op in verbs.items()]
    assert len(operations) > 15
    for path, verb, operation in operations:
        assert operation["summary"], (path, verb)
        good = {status: answer for status, answer in operation["responses"].items() if status.startswith("2")}
        assert good, (path, verb)
        for status, answer in good.items():
            shapes = [media["schema"] for media in answer.get("content", {}).values()]
            assert shapes or status == "204", (path, verb)
            assert all("$ref" in shape or shape["type"] == "string" for shape in shapes), (path, verb)
        assert "application/problem+json" in operation["responses"]["default"]["content"]
        for media in operation.get("requestBody", {"content": {}})["content"].values():
            assert media["schema"]["$ref"], (path, verb)


@pytest.mark.parametrize("path", ["experiments/", "evaluations/"])
def test_creating_calls_say_what_they_take(schema, path):
    assert schema["paths"][f"/api/v1/{path}"]["post"]["requestBody"]["content"]["application/json"]["schema"]["$ref"]


def test_creating_calls_take_an_idempotency_key(schema):
    for path in ("/api/v1/experiments/", "/api/v1/evaluations/", "/api/v1/experiments/{experiment_id}/rerun/"):
        names = [each["name"] for each in schema["paths"][path]["post"]["parameters"]]
        assert "Idempotency-Key" in names


def test_it_is_served_to_everybody_as_json_and_yaml():
    answer = Caller().get("/api/schema/", HTTP_ACCEPT="application/json")
    assert answer.status_code == 200
    assert "/api/v1/experiments/" in json.loads(answer.content)["paths"]
    assert Caller().get("/api/schema/").content.startswith(b"openapi: 3.1")


@pytest.mark.usefixtures("plain_static")
def test_the_documentation_needs_no_inline_script_or_style():
    answer = Caller().get("/api/docs/")
    text = answer.content.decode()
    assert answer.status_code == 200
    assert not re.search(r"<script(?![^>]*\bsrc=)", text)
    assert "<style" not in text
    assert " style=" not in text
    assert Caller().get("/api/docs/?script=").status_code == 200
