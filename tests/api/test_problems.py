"""Every error of the API is a problem; aarweb/problems.py."""

import inspect
import re
from pathlib import Path

import pytest
from django.core.exceptions import ValidationError
from django.urls import path
from rest_framework.views import APIView

from aarweb import problems
from aarweb.urls import urlpatterns as ours
from experiments import errors
from tests.api.conftest import Caller, problem

pytestmark = pytest.mark.django_db


class Breaks(APIView):
    authentication_classes = ()
    permission_classes = ()

    def get(self, request, what):
        if what == "bug":
            raise RuntimeError("the password is swordfish")
        if what == "django":
            raise ValidationError({"seeds": ["too many"], "__all__": ["together they are wrong"]})
        raise getattr(errors, what)("said to the caller")


urlpatterns = [path("api/v1/breaks/<str:what>/", Breaks.as_view()), *ours]
handler400, handler404, handler500 = problems.bad_request, problems.page_not_found, problems.server_error


def test_every_exception_of_the_services_is_in_the_table():
    raised = [each for _, each in inspect.getmembers(errors, inspect.isclass) if issubclass(each, errors.LabError)]
    assert len(raised) > 8
    assert set(raised) <= set(problems.PROBLEMS)
    statuses = {each: problems.PROBLEMS[each].status for each in raised if each is not errors.LabError}
    assert all(400 <= status < 600 and status != 500 for status in statuses.values())


def test_every_slug_is_documented():
    page = (Path(problems.__file__).parents[1] / "docs" / "api.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| `([a-z-]+)` \|", page, flags=re.MULTILINE))
    assert {each.slug for each in problems.PROBLEMS.values()} == documented


@pytest.mark.urls("tests.api.test_problems")
@pytest.mark.parametrize(
    ("raised", "status", "slug"),
    [
        ("InvalidInput", 400, "invalid"),
        ("NotFound", 404, "not-found"),
        ("Forbidden", 403, "forbidden"),
        ("IllegalTransition", 409, "illegal-transition"),
        ("NotReady", 409, "not-ready"),
        ("Refused", 422, "refused"),
        ("TooLarge", 413, "too-large"),
        ("ScorerUnavailable", 503, "scorer-unavailable"),
    ],
)
def test_a_service_exception_keeps_its_words(raised, status, slug):
    assert problem(Caller().get(f"breaks/{raised}/"), status, slug)["detail"] == "said to the caller"


@pytest.mark.urls("tests.api.test_problems")
def test_an_unhandled_exception_tells_nothing(caplog):
    body = problem(Caller(raise_request_exception=False).get("breaks/bug/"), 500, "internal")
    assert "swordfish" not in str(body)
    assert "swordfish" in caplog.text


@pytest.mark.urls("tests.api.test_problems")
def test_djangos_validation_error_names_the_fields():
    body = problem(Caller().get("breaks/django/"), 400, "invalid")
    assert {(each["pointer"], each["detail"]) for each in body["errors"]} == {
        ("#/seeds", "too many"),
        ("#", "together they are wrong"),
    }


@pytest.mark.parametrize("method", ["get", "post", "put", "delete", "patch"])
def test_an_unknown_address_is_a_problem(method):
    problem(getattr(Caller(), method)("nothing/here/"), 404, "not-found")


def test_an_address_without_its_slash_says_so(agent):
    assert "slash" in problem(agent.get("me"), 404, "not-found")["detail"]


def test_an_unknown_host_is_a_problem():
    problem(Caller().get("me/", HTTP_HOST="evil.example"), 400, "malformed")


@pytest.mark.usefixtures("plain_static")
def test_pages_keep_their_own_error_pages(client):
    answer = client.get("/no-such-page/")
    assert answer.status_code == 404
    assert answer["Content-Type"].startswith("text/html")


def test_the_wrong_method_says_which_are_right(agent):
    answer = agent.delete("me/")
    problem(answer, 405, "method-not-allowed")
    assert "GET" in answer["Allow"]


def test_another_media_type_is_refused(agent):
    problem(
        agent.post("experiments/", "a=1", content_type="application/x-www-form-urlencoded"),
        415,
        "unsupported-media-type",
    )


def test_an_unservable_format_is_refused(agent):
    problem(agent.get("me/", HTTP_ACCEPT="image/png"), 406, "not-acceptable")


@pytest.mark.parametrize(
    "body",
    ["{", '{"seeds": NaN}', "[" * 100_000, '{"a": ' + "1" * 5000 + "}", b"\xff\xfe"],
    ids=["cut", "nan", "deep", "huge number", "not utf-8"],
)
def test_malformed_json_is_a_problem(agent, body):
    problem(agent.post("experiments/", body, content_type="application/json"), 400, "malformed")


@pytest.mark.parametrize("body", ["[]", "3", '"text"', "null"])
def test_json_that_is_no_object_is_invalid(agent, body):
    body = problem(agent.post("experiments/", body, content_type="application/json"), 400, "invalid")
    assert body["errors"][0]["pointer"] == "#"


def test_too_large_a_body_is_refused(agent, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    problem(agent.post("evaluations/", "[" + " " * 1001 + "]", content_type="application/json"), 413, "too-large")
