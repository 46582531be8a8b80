"""POST and GET snapshots/; experiments/api/snapshots.py."""

import io
import tarfile

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from experiments.api import snapshots as api
from experiments.snapshots.archives import read_archive, write_archive
from experiments.snapshots.models import Snapshot
from tests.api.conftest import problem

pytestmark = pytest.mark.django_db

FILES = {"method.py": "def fit(context):\n    ...\n", "parts/ü.py": "x = 1\n"}


def archive(content, name="code.tar.gz"):
    return SimpleUploadedFile(name, content, content_type="application/gzip")


def test_files_are_kept_and_read_back(agent, researcher):
    answer = agent.send("snapshots/", {"files": FILES})
    assert answer.status_code == 201
    made = answer.json()
    assert answer["Location"] == f"/api/v1/snapshots/{made['id']}/"
    assert made["submitter"] == agent.user.username
    assert [(each["path"], each["n_lines"]) for each in made["files"]] == [("method.py", 2), ("parts/ü.py", 1)]
    assert (made["parents"], made["children"]) == ([], [])
    assert researcher.get(answer["Location"]).json() == made


def test_the_same_content_is_the_same_snapshot_in_either_form(agent, researcher):
    first = agent.send("snapshots/", {"files": FILES}).json()
    again = researcher.post("snapshots/", {"archive": archive(write_archive(FILES))}, format="multipart")
    assert again.status_code == 201
    assert again.json() == first


def test_descent_is_shown_both_ways(agent):
    parent = agent.send("snapshots/", {"files": FILES}).json()
    changed = write_archive({**FILES, "new.py": ""})
    form = {"archive": archive(changed), "parents": [parent["id"]]}
    child = agent.post("snapshots/", form, format="multipart").json()
    assert child["parents"] == [parent["id"]]
    assert agent.get(f"snapshots/{parent['id']}/").json()["children"] == [child["id"]]


def test_one_file_is_read_with_or_without_a_slash_at_the_end(agent):
    made = agent.send("snapshots/", {"files": FILES}).json()
    for address in ("files/parts/ü.py", "files/parts/ü.py/"):
        assert agent.get(f"snapshots/{made['id']}/{address}").json() == {"path": "parts/ü.py", "text": "x = 1\n"}
    problem(agent.get(f"snapshots/{made['id']}/files/absent.py"), 404, "not-found")
    problem(agent.get(f"snapshots/{made['id']}/files/../../../etc/passwd"), 404, "not-found")
    problem(agent.get("snapshots/999/files/method.py"), 404, "not-found")


def test_two_are_compared(agent):
    one = agent.send("snapshots/", {"files": FILES}).json()["id"]
    two = agent.send("snapshots/", {"files": {**FILES, "parts/ü.py": "x = 2\n"}}).json()["id"]
    found = agent.get(f"snapshots/{one}/diff/{two}/").json()
    assert (found["before"], found["after"]) == (one, two)
    (changed,) = found["files"]
    assert (changed["path"], changed["change"]) == ("parts/ü.py", "changed")
    assert "-x = 1\n+x = 2\n" in changed["unified"]
    assert agent.get(f"snapshots/{one}/diff/{one}/").json()["files"] == []
    problem(agent.get(f"snapshots/{one}/diff/999/"), 404, "not-found")


def test_a_download_is_the_tree_and_always_the_same_bytes(agent):
    made = agent.send("snapshots/", {"files": FILES}).json()
    first = agent.get(f"snapshots/{made['id']}/download/")
    assert first["Content-Type"] == "application/gzip"
    assert first["Content-Disposition"] == f'attachment; filename="snapshot-{made["id"]}.tar.gz"'
    assert read_archive(io.BytesIO(first.content)) == FILES
    assert agent.get(f"snapshots/{made['id']}/download/").content == first.content
    problem(agent.get("snapshots/999/download/"), 404, "not-found")


@pytest.mark.parametrize(
    ("body", "pointer", "told"),
    [
        ({"files": {"other.py": ""}}, "#/files", "method.py"),
        ({"files": {"method.py": "", "../x": ""}}, "#/files/..~1x", "leads out"),
        ({"files": {"method.py": "", "/etc/passwd": ""}}, "#/files/~1etc~1passwd", "absolute"),
        ({"files": {"method.py": 3}}, "#/files/method.py", "int"),
        ({"files": {"method.py": "", "METHOD.py": ""}}, "#/files/method.py", "only in case"),
        ({"files": {"method.py": "\0"}}, "#/files/method.py", "NUL"),
        ({"files": ["method.py"]}, "#/files", "expected"),
        ({"files": None}, "#/files", "null"),
        ({}, "#/files", "required"),
        ({"files": FILES, "parents": [999]}, "#/parents", "no snapshot 999"),
        ({"files": FILES, "parents": ["x"]}, "#/parents/0", "integer"),
        ({"files": FILES, "author": "me"}, "#/author", "no such field"),
        ([], "#", "dictionary"),
    ],
)
def test_bad_input_is_named_with_its_place(agent, body, pointer, told):
    found = problem(agent.send("snapshots/", body), 400, "invalid")
    assert any(each.get("pointer") == pointer and told in each["detail"] for each in found["errors"]), found
    assert not Snapshot.objects.exists()


def link():
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        info = tarfile.TarInfo("method.py")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(info)
    return packed.getvalue()


@pytest.mark.parametrize(
    ("content", "status", "slug", "told"),
    [
        (link(), 400, "invalid", "symbolic link"),
        (b"hello", 400, "invalid", "not a readable tar.gz"),
        (write_archive({"method.py": "x" * 5_000_001}), 413, "too-large", "5,000,000"),
        (write_archive({f"{n}.py": "" for n in range(201)}), 413, "too-large", "200 files"),
    ],
)
def test_a_bad_archive_is_refused(agent, content, status, slug, told):
    found = problem(agent.post("snapshots/", {"archive": archive(content)}, format="multipart"), status, slug)
    assert told in str(found)


def test_a_body_beyond_all_limits_is_not_even_read(agent, monkeypatch):
    monkeypatch.setattr(api, "MAX_BODY_BYTES", 1000)
    problem(agent.send("snapshots/", {"files": {"method.py": "x" * 2000}}), 413, "too-large")
    problem(agent.post("snapshots/", {"archive": archive(bytes(2000))}, format="multipart"), 413, "too-large")


def test_who_may(caller, client):
    problem(caller("viewer").send("snapshots/", {"files": FILES}), 403, "forbidden")
    problem(caller("agent", scopes=("read",)).send("snapshots/", {"files": FILES}), 403, "forbidden")
    problem(
        client.post("/api/v1/snapshots/", {"files": FILES}, content_type="application/json"), 401, "unauthenticated"
    )
    made = caller("agent").send("snapshots/", {"files": FILES}).json()
    assert caller("viewer").get(f"snapshots/{made['id']}/").status_code == 200
    problem(client.get(f"/api/v1/snapshots/{made['id']}/"), 401, "unauthenticated")


def test_nobody_changes_or_removes_one(agent):
    made = agent.send("snapshots/", {"files": FILES}).json()
    for method in ("put", "patch", "delete"):
        problem(getattr(agent, method)(f"snapshots/{made['id']}/"), 405, "method-not-allowed")


def test_a_repeated_call_gets_the_first_answer(agent):
    first = agent.send("snapshots/", {"files": FILES}, key="k")
    again = agent.send("snapshots/", {"files": FILES}, key="k")
    assert again.json() == first.json()
    assert again["Idempotent-Replayed"] == "true"
    problem(agent.send("snapshots/", {"files": {"method.py": ""}}, key="k"), 409, "idempotency-clash")
    form = {"archive": archive(write_archive(FILES))}
    assert agent.post("snapshots/", form, format="multipart", HTTP_IDEMPOTENCY_KEY="a").status_code == 201
    form = {"archive": archive(write_archive({"method.py": ""}))}
    clash = agent.post("snapshots/", form, format="multipart", HTTP_IDEMPOTENCY_KEY="a")
    problem(clash, 409, "idempotency-clash")
