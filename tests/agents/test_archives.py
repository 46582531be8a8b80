"""A campaign as a file, and back: the same bytes, nothing secret, nothing half written."""

import gzip
import hashlib
import io
import json
import tarfile

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command

from agents.models import Agent, Campaign, Entry, Latch
from agents.services.archives import export_campaign
from agents.services.campaigns import AgentPlan, stop_campaign
from agents.services.tokens import token_for
from agents.services.transcript import append, write_notebook
from experiments.archives.importing import import_archive
from experiments.archives.layout import content_digest, manifest_bytes
from experiments.archives.models import ImportedRow
from experiments.archives.tables import tables
from experiments.errors import Forbidden, InvalidInput, LabError, NotFound, Refused, TooLarge
from experiments.models import Benchmark, Event, EventCounter, Experiment, Run
from experiments.services.experiments import rerun_experiment
from experiments.services.states import tell
from experiments.snapshots.models import Snapshot
from experiments.snapshots.services import create_snapshot
from forum.models import Finding
from forum.services.curation import hide
from forum.services.posting import comment, post_finding
from forum.services.voting import vote
from tests.agents.conftest import make_campaign
from tests.factories import make_benchmark, make_experiment, make_user
from tests.pages.conftest import _plain_static_files  # noqa: F401 - a fixture

pytestmark = pytest.mark.django_db


def a_campaign() -> Campaign:
    """Two agents with experiments, code, findings that cite each other, comments, votes, a transcript, a notebook."""
    owner = make_user("admin", "owner")
    make_experiment(benchmark=make_benchmark("elsewhere"))  # so that ids of one kind are not those of another
    plans = [AgentPlan(researcher="search", direction=each) for each in ("simplicity", "ensembling")]
    campaign = make_campaign(owner=owner, agents=plans, budgets={"gpu_seconds": 1000}, benchmark=make_benchmark())
    first, second = campaign.agents.order_by("id")
    parent = create_snapshot(user=first.user, files={"method.py": "def fit(context): ...\n"})
    code = create_snapshot(user=second.user, files={"method.py": "x = 1\n", "a/é.py": "y\r\n"}, parents=[parent.pk])
    scored = make_experiment(
        benchmark=campaign.benchmarks.get(), user=first.user, state="scored", dev=0.61, holdout=0.4321987,
        campaign=campaign.pk, hypothesis="soft labels", snapshot=code,
    )  # fmt: skip
    rerun = make_experiment(
        benchmark=campaign.benchmarks.get(), user=first.user, campaign=campaign.pk, rerun_of=scored
    )  # fmt: skip
    outside = make_experiment(benchmark=campaign.benchmarks.get(), user=owner, state="scored", dev=0.2)
    tell(scored, "experiment.scored", payload={"experiment": scored.pk, "state": "scored"})
    body = f"Measured {{{{pgr exp:{scored.pk}}}}}; `{{{{pgr exp:{outside.pk}}}}}`; unknown {{{{exp:99999}}}}"
    idea = post_finding(user=first.user, kind="hypothesis", title="=1+1 soft", body="aar_" + "x" * 40)
    result = post_finding(
        user=second.user, kind="result", title="Soft ☂", body=body, parents=[idea.pk],
        experiments=[scored.pk, rerun.pk, outside.pk],
    )  # fmt: skip
    comment(user=owner, finding_id=result.pk, body=f"See {{{{finding:{idea.pk}}}}}, {settings.SECRET_KEY}")
    vote(user=owner, finding_id=result.pk, value=1)
    hidden = post_finding(user=first.user, kind="insight", title="Hidden", body="taken away")
    hide(user=owner, finding_id=hidden.pk, reason="wrong place")
    append(first, "user", Entry.Kind.BRIEF, [{"type": "text", "text": "brief"}])
    write_notebook(first, "remember")
    Latch.objects.create(agent=first, kind="reviewer", reason="wait", set_by=owner)
    return campaign


def exported(campaign_id: int, user=None, **options) -> bytes:
    out = io.BytesIO()
    user = user or get_user_model().objects.get(username="owner")
    export_campaign(user=user, campaign_id=campaign_id, out=out, **options)
    return out.getvalue()


def files_of(archive: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
        return {each.name: tar.extractfile(each).read() for each in tar}


def rows_of(archive: bytes, table: str) -> list[dict]:
    return [json.loads(line) for line in files_of(archive)[f"tables/{table}.jsonl"].splitlines()]


def packed(files: dict[str, bytes], *, sign: bool = True, extra=()) -> bytes:
    """An archive of these files; sign: with a manifest that agrees with them."""
    files = dict(files)
    manifest = json.loads(files.pop("manifest.json"))
    if sign:
        manifest["files"] = {
            name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()} for name, data in files.items()
        }
        manifest["content_sha256"] = content_digest(manifest["files"])
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb") as deflated, tarfile.open(fileobj=deflated, mode="w") as tar:
        for name, data in {"manifest.json": manifest_bytes(manifest), **files}.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
        for member in extra:
            tar.addfile(member)
    return out.getvalue()


def import_bytes(archive: bytes, user=None):
    return import_archive(user=user or get_user_model().objects.get(username="owner"), source=io.BytesIO(archive))


def counts() -> dict[str, int]:
    models = [Campaign, Agent, Experiment, Run, Finding, Event, Benchmark, Snapshot, ImportedRow, get_user_model()]
    return {model.__name__: model.objects.count() for model in models}


def test_the_same_campaign_gives_the_same_bytes():
    campaign = a_campaign()
    assert exported(campaign.pk) == exported(campaign.pk)


def test_an_archive_holds_everything_and_says_so():
    campaign = a_campaign()
    archive = exported(campaign.pk)
    files = files_of(archive)
    manifest = json.loads(files["manifest.json"])
    assert manifest["format"] == "aarweb campaign archive" and manifest["version"] == 2
    assert manifest["campaign"] == {"id": campaign.pk, "name": "Test"} and manifest["lab"] == settings.PUBLIC_URL
    assert next(iter(files)) == "manifest.json"
    for name, facts in manifest["files"].items():
        assert facts == {"bytes": len(files[name]), "sha256": hashlib.sha256(files[name]).hexdigest()}
    told = {name: facts["rows"] for name, facts in manifest["tables"].items()}
    assert told["campaigns"] == 1 and told["agents"] == 2 and told["experiments"] == 3 and told["runs"] == 9
    assert told["findings"] == 2 and told["comments"] == 1 and told["votes"] == 1 and told["snapshots"] == 2
    assert told["transcript"] == told["notebooks"] == told["latches"] == 1 and told["events"] > 5
    assert len([name for name in files if name.startswith("code/")]) == 3
    for name, rows in told.items():
        assert len(files[f"tables/{name}.jsonl"].splitlines()) == rows
    assert files["tables/findings.csv"].decode().splitlines()[1].split(",")[3] == "'=1+1 soft"


def test_nothing_secret_leaves_the_lab():
    campaign = a_campaign()
    _, token = token_for(campaign.agents.first().user, name="t")
    label = "dev question 0"
    everything = b"".join(files_of(exported(campaign.pk)).values())
    for secret in (token, settings.SECRET_KEY, "aar_" + "x" * 40, "0.4321987", "taken away", label, "password"):
        assert secret.encode() not in everything, secret
    assert b"[redacted]" in everything
    assert b"0.4321987" in b"".join(files_of(exported(campaign.pk, holdout=True)).values())


@pytest.mark.parametrize("holdout", [False, True])
def test_what_somebody_hid_is_in_nobodys_transcript_either_nor_who_hid_it(holdout):
    campaign = a_campaign()
    author, reader = campaign.agents.order_by("id")  # the first is latched, and posts nothing
    curator = make_user("reviewer", "the-curator")
    body = "The mayor's number is 555 0199,\n**call** her before noon; it settles the matter."
    said = {"kind": "insight", "title": "Whom to call about it", "body": body}
    secret = post_finding(user=reader.user, **said)
    answer = comment(user=reader.user, finding_id=secret.pk, body="Called her twice, nobody picked up the phone.")
    kept = post_finding(user=reader.user, kind="insight", title="Kept", body="call her later")
    remark = comment(user=reader.user, finding_id=kept.pk, body="A remark that is nobody's business at all.")
    append(author, "assistant", Entry.Kind.REPLY, [{"type": "tool_use", "id": "c", "name": "post", "input": said}])
    cut = "34 Whom to call about it: …number is 555 0199, call her before noon; it…; Called her twice, nobody picked up"
    append(reader, "user", Entry.Kind.NEWS, [{"type": "text", "text": f"New: {cut}. And now: train."}])
    step = author.steps.create(number=1, state="done", usage={"input": 3})
    step.actions.create(index=0, call_id="c", tool="post_finding", arguments=said, digest="d", result=json.dumps(said))
    write_notebook(reader, "Remember: the mayor's number is 555 0199, call her. A remark that is nobody's business")
    hide(user=curator, finding_id=secret.pk, reason="names a third person")
    hide(user=curator, comment_id=remark.pk, reason="names a third person")
    assert answer.finding == secret
    archive = exported(campaign.pk, holdout=holdout)
    everything = b"".join(files_of(archive).values())
    for gone in (
        b"555 0199",
        b"before noon",
        b"Whom to call",
        b"Called her",
        b"remark that",
        b"the-curator",
        b"third person",
    ):
        assert gone not in everything, gone
    assert b"And now: train." in everything
    assert b"call her later" in everything
    (news,) = [each for each in rows_of(archive, "transcript") if each["kind"] == "news"]
    assert news["content"][0]["text"].startswith("New: 34 [hidden]")
    kinds = [each["kind"] for each in rows_of(archive, "events")]
    assert "finding.hidden" in kinds
    source = import_bytes(archive)
    assert exported(source.campaign, holdout=holdout) == archive


def test_holdout_and_export_are_for_people_who_may():
    campaign = a_campaign()
    agent = campaign.agents.first().user
    with pytest.raises(Forbidden):
        exported(campaign.pk, agent)
    with pytest.raises(NotFound):
        exported(campaign.pk, make_user("agent"))
    assert exported(campaign.pk, make_user("viewer"), holdout=True)
    with pytest.raises(NotFound):
        exported(10**6)


@pytest.mark.parametrize("holdout", [False, True])
def test_a_round_trip_keeps_every_byte(holdout):
    campaign = a_campaign()
    archive = exported(campaign.pk, holdout=holdout)
    before = counts()
    source = import_bytes(archive)
    again = exported(source.campaign, holdout=holdout)
    old, new = files_of(archive), files_of(again)
    assert {n: d for n, d in old.items() if new.get(n) != d} == {}
    assert again == archive
    assert counts()["Experiment"] == before["Experiment"] + 3
    # what was translated is what had to be, not whatever an import forgot
    allowed = {table.name: table.translated for table in tables()}
    for line in source.rows.filter(local_id__isnull=False):
        assert set(line.original) <= allowed[line.table], line


def test_holdout_scores_that_came_along_stay_behind_without_the_option():
    source = import_bytes(exported(a_campaign().pk, holdout=True))
    everything = b"".join(files_of(exported(source.campaign)).values())
    assert b"0.4321987" not in everything
    assert not any(row["split"] == "holdout" for row in rows_of(exported(source.campaign), "baselines"))


def test_an_import_reads_like_the_campaign_it_was():
    campaign = a_campaign()
    scored = Experiment.objects.get(campaign=campaign.pk, state="scored")
    source = import_bytes(exported(campaign.pk))
    here = Campaign.objects.get(pk=source.campaign)
    assert here.pk != campaign.pk and here.state == "stopped" and here.agents.count() == 2
    assert set(here.agents.values_list("state", flat=True)) == {"stopped"}
    copy = Experiment.objects.get(campaign=here.pk, state="scored")
    assert copy.pk != scored.pk and copy.dev_pgr == scored.dev_pgr and copy.holdout_pgr is None
    assert copy.created_at == scored.created_at and copy.snapshot_id == scored.snapshot_id
    assert copy.benchmark.slug == "import-1-geography" and copy.benchmark.state == "reference"
    assert Experiment.objects.get(campaign=here.pk, state="cancelled").rerun_of_id == copy.pk
    result = Finding.objects.get(campaign=here.pk, kind="result")
    assert f"{{{{pgr exp:{copy.pk}}}}}" in result.body and "{{exp:99999 there}}" in result.body
    assert result.parents.get().campaign == here.pk and result.experiments.count() == 3
    assert result.tally.score == 1 and result.tally.comments == 1
    assert not result.author.is_active and result.author.get_username().endswith("@import-1")
    numbers = list(Event.objects.filter(campaign=here.pk).order_by("number").values_list("number", flat=True))
    assert numbers == list(range(1, len(numbers) + 1))
    assert EventCounter.objects.get(campaign=here.pk).last_number == numbers[-1]
    told = Event.objects.get(campaign=here.pk, kind="experiment.scored")
    assert told.subject == f"experiment:{copy.pk}" and told.payload["experiment"] == copy.pk


def test_an_import_is_for_reading_only():
    campaign = a_campaign()
    source = import_bytes(exported(campaign.pk))
    owner = get_user_model().objects.get(username="owner")
    finding = Finding.objects.filter(campaign=source.campaign).first()
    with pytest.raises(Refused):
        comment(user=owner, finding_id=finding.pk, body="late")
    with pytest.raises(Refused):
        vote(user=owner, finding_id=finding.pk, value=-1)
    with pytest.raises(LabError):
        rerun_experiment(user=owner, experiment_id=Experiment.objects.get(campaign=source.campaign, state="scored").pk)
    assert stop_campaign(user=owner, campaign_id=source.campaign, reason="x").reason == campaign.reason


def test_importing_twice_is_refused():
    archive = exported(a_campaign().pk)
    first = import_bytes(archive)
    before = counts()
    with pytest.raises(InvalidInput, match=f"it is campaign {first.campaign}"):
        import_bytes(archive)
    assert counts() == before


def _member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


def _edit(table: str, change):
    def edit(files):
        rows = [json.loads(line) for line in files[f"tables/{table}.jsonl"].splitlines()]
        change(rows)
        lines = [json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in rows]
        files[f"tables/{table}.jsonl"] = "".join(f"{line}\n" for line in lines).encode()

    return edit


def _manifest(**changes):
    def edit(files):
        files["manifest.json"] = json.dumps(json.loads(files["manifest.json"]) | changes).encode()

    return edit


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (_manifest(version=1), "version 1"),
        (_manifest(format="zip"), "does not say"),
        (_manifest(campaign={"id": 12345}), "exactly the campaign"),
        (_manifest(tables={}), "no table"),
        (lambda files: files.pop("tables/votes.csv"), "tables/votes.csv is not in the archive"),
        (lambda files: files.update({"tables/../../etc/passwd": b"x"}), "no name of a file"),
        (lambda files: files.update({"code/" + "a" * 64 + "/../../x": b"x"}), "leads out"),
        (lambda files: files.update({"/etc/passwd": b"x"}), "no name of a file"),
        (_edit("votes", lambda rows: rows[0].update(value=-1)), "do not say the same"),
        (_edit("votes", lambda rows: rows[0].update(secret=1)), "secret"),
        (_edit("votes", lambda rows: rows[0].update(value="up")), "value is str, expected int"),
        (_edit("votes", lambda rows: rows[0].update(voter=10**9)), "which is not in the archive"),
        (_edit("runs", lambda rows: rows.reverse()), "does not come after"),
        (_edit("runs", lambda rows: rows.pop()), "manifest counts"),
        (_edit("experiments", lambda rows: rows[0].update(rerun_of=rows[0]["id"])), "which is not in the archive"),
        (_edit("experiments", lambda rows: rows[0].update(dev_pgr=float("nan"))), "not a finite number"),
        (_edit("experiments", lambda rows: rows[0].update(created_at="yesterday")), "not a time"),
    ],
)
def test_a_wrong_archive_is_refused_in_words_and_writes_nothing(edit, says):
    files = files_of(exported(a_campaign().pk))
    before = counts()
    edit(files)
    with pytest.raises(InvalidInput, match=says):
        import_bytes(packed(files))
    assert counts() == before


def test_a_changed_byte_is_seen():
    files = files_of(exported(a_campaign().pk))
    files["tables/findings.jsonl"] = files["tables/findings.jsonl"].replace(b"Soft", b"Hard")
    with pytest.raises(InvalidInput, match="SHA-256 differs"):
        import_bytes(packed(files, sign=False))


@pytest.mark.parametrize(
    ("member", "says"),
    [
        (_member("README.md", tarfile.SYMTYPE, "/etc/passwd"), "twice"),
        (_member("tables/x.csv", tarfile.SYMTYPE, "/etc/passwd"), "not in its manifest"),
        (_member("../../etc/cron.d/x"), "not in its manifest"),
    ],
)
def test_entries_that_the_manifest_does_not_name_are_refused(member, says):
    files = files_of(exported(a_campaign().pk))
    with pytest.raises(InvalidInput, match=says):
        import_bytes(packed(files, extra=[member]))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE])
def test_links_devices_and_folders_are_refused(kind):
    files = files_of(exported(a_campaign().pk))
    del files["README.md"]
    manifest = json.loads(files["manifest.json"])
    archive = packed(files, sign=False, extra=[_member("README.md", kind, "/etc/passwd")])
    assert "README.md" in manifest["files"]
    with pytest.raises(InvalidInput, match="regular files only"):
        import_bytes(archive)


def test_a_bomb_is_not_inflated(monkeypatch):
    files = files_of(exported(a_campaign().pk))
    archive = packed(files | {"code/" + "a" * 64 + "/zeros": bytes(20 * 2**20)})
    monkeypatch.setattr("experiments.archives.reading.MOST_BYTES", 10 * 2**20)
    with pytest.raises(TooLarge, match="files of"):
        import_bytes(archive)
    long_header = io.BytesIO()
    with gzip.GzipFile(fileobj=long_header, mode="wb") as deflated:
        member = tarfile.TarInfo("x")
        member.type, member.size = tarfile.XHDTYPE, 10**9
        deflated.write(member.tobuf(tarfile.USTAR_FORMAT))
    with pytest.raises(InvalidInput, match="a header of"):
        import_bytes(long_header.getvalue())


@pytest.mark.parametrize("junk", [b"", b"not gzip", gzip.compress(b"x" * 2000), gzip.compress(b"")])
def test_what_is_no_archive_is_refused(junk):
    make_user("admin", "owner")
    with pytest.raises(InvalidInput):
        import_bytes(junk)


def test_a_truncated_archive_is_refused():
    archive = exported(a_campaign().pk)
    with pytest.raises(InvalidInput):
        import_bytes(archive[: len(archive) // 2])


def test_code_that_is_not_what_its_digest_names_is_refused():
    files = files_of(exported(a_campaign().pk))
    name = next(name for name in files if name.endswith("method.py"))
    files[name] += b"import os\n"
    # a digest this lab does not have: else its own row of that digest would be taken
    Snapshot.objects.none()
    with pytest.raises(InvalidInput, match="not what its digest names"):
        import_bytes(packed(files))


def test_only_who_runs_campaigns_imports():
    archive = exported(a_campaign().pk)
    with pytest.raises(Forbidden):
        import_bytes(archive, make_user("viewer"))


def test_commands_write_and_read_the_same(tmp_path, capsys):
    campaign = a_campaign()
    path = tmp_path / "c.tar.gz"
    call_command("export", str(campaign.pk), "--out", str(path), "--json")
    told = json.loads(capsys.readouterr().out)
    assert told["file"] == str(path) and path.read_bytes() == exported(campaign.pk)
    with pytest.raises(CommandError, match="exists already"):
        call_command("export", str(campaign.pk), "--out", str(path))
    call_command("import_campaign", str(path), "--json")
    made = json.loads(capsys.readouterr().out)
    assert made["source_campaign"] == campaign.pk
    assert exported(made["campaign"]) == path.read_bytes()
    with pytest.raises(CommandError, match="imported before"):
        call_command("import_campaign", str(path))


def test_the_api_and_the_page_offer_it(client):
    campaign = a_campaign()
    url = f"/api/v1/campaigns/{campaign.pk}/export/"
    assert client.get(url).status_code == 401 or client.get(url).status_code == 403
    client.force_login(get_user_model().objects.get(username="owner"))
    answer = client.get(url)
    assert b"".join(answer.streaming_content) == exported(campaign.pk)
    assert answer["Content-Type"] == "application/gzip"
    assert url in client.get(f"/campaigns/{campaign.pk}/").content.decode()
    client.force_login(campaign.agents.first().user)
    assert client.get(url).status_code == 403
    client.force_login(get_user_model().objects.get(username="owner"))
    source = import_bytes(exported(campaign.pk))
    page = client.get(f"/campaigns/{source.campaign}/").content.decode()
    assert "Imported from" in page
    for kind in ("experiments", "findings", "agents"):
        url = {"experiments": "/experiments/{}/", "findings": "/forum/{}/", "agents": "/agents/{}/"}[kind]
        for line in source.rows.filter(table=kind):
            assert client.get(url.format(line.local_id)).status_code == 200, (kind, line)
    assert client.get("/benchmarks/import-1-geography/").status_code == 200
