"""Oversight's part of a campaign's archive, and that no column of any exported model is forgotten."""

import ast
import re
from datetime import timedelta
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.utils import timezone
from django.utils.module_loading import import_string

from agents.models import Approval, Campaign
from agents.services.policies import current_policy, set_policy
from experiments.archives.columns import attr_of
from experiments.archives.left_out import LEFT_OUT as HERE
from experiments.archives.tables import tables
from experiments.errors import Refused
from experiments.lifecycle import ProbeKind
from experiments.models import Experiment, Probe
from forum.models import Finding
from forum.services.curation import hide
from forum.services.posting import post_finding
from oversight import archive as part
from oversight.detectors import DETECTORS
from oversight.models import Calibration, Decision, Flag, Inspection, Vote
from oversight.services.decisions import decide_flag, reopen_flag
from oversight.services.flags import flag_by_hand
from oversight.services.inspections import visit
from tests.agents.test_archives import a_campaign, exported, files_of, import_bytes, rows_of
from tests.factories import make_experiment, make_user
from tests.oversight.conftest import raised

LAB_APPS = ("experiments", "forum", "agents", "oversight")
GAP = [{"text": "Dev accuracy exceeds holdout accuracy by +0.1357.", "link": "/experiments/1/"}]


def judged_campaign() -> Campaign:
    """One with flags in every state, votes, verdicts, taint, an approval, a probe, inspections."""
    campaign = a_campaign()
    owner, second = get_user_model().objects.get(username="owner"), make_user("reviewer")
    agent = campaign.agents.order_by("id").first()
    scored = Experiment.objects.get(campaign=campaign.pk, state="scored")
    earlier = Experiment.objects.get(campaign=campaign.pk, state="queued")
    Experiment.objects.filter(pk=earlier.pk).update(tainted_by=make_experiment(
        benchmark=scored.benchmark, user=owner, state="scored", dev=0.9
    ))  # fmt: skip
    Experiment.objects.filter(pk=scored.pk).update(tainted_by=earlier)
    calibration = Calibration.objects.create(detector="replay", n=40, threshold=0.01, false_positive_rate=0.0)
    hold = raised(scored, level="hold", calibration=calibration)
    decide_flag(user=owner, flag_id=hold.pk, verdict="disqualified", reason="replay differs")
    decide_flag(user=second, flag_id=hold.pk, verdict="disqualified", reason="it does")
    reopen_flag(user=owner, flag_id=hold.pk, reason="new evidence")
    decide_flag(user=owner, flag_id=hold.pk, verdict="clean", reason="a first vote, blind")
    Flag.objects.create(
        experiment=scored, agent=agent, campaign=campaign, detector="dev-holdout-gap", source="detector", level="flag",
        title="Better on dev than on the holdout", statistic=0.1357, threshold=3.0, p_value=0.001, evidence=GAP,
        key="g",
    )  # fmt: skip
    raised(agent, level="info", detector="api-misuse")
    raised(Finding.objects.get(campaign=campaign.pk, kind="result"), detector="canary")
    other = campaign.agents.order_by("id").last()  # the first is latched, and posts nothing
    quoted = post_finding(user=other.user, kind="insight", title="Q", body="to be hidden")
    raised(quoted, detector="canary", said="It says: to be hidden")
    hide(user=owner, finding_id=quoted.pk, reason="no")
    set_policy(user=owner, campaign_id=campaign.pk, rules=current_policy(campaign.pk).rules, reason="as before")
    Approval.objects.create(
        agent=agent, policy=current_policy(campaign.pk), tool="shell", arguments={"command": "ls"}, digest="d", rule=1,
        expires_at=timezone.now() + timedelta(days=1),
    )  # fmt: skip
    Probe.objects.create(experiment=scored, kind=ProbeKind.values[0], seeds=2, numbers={"holdout": 0.2468})
    said = [
        {"detector": each, "level": "flag", "statistic": n}
        for each, n in (("dev-holdout-gap", 0.1357), ("replay", 0.04))
    ]
    Inspection.objects.update_or_create(experiment=scored, defaults={"state": "done", "results": said})
    return campaign


def named(field) -> set[str]:
    return {field.name, field.attname} if field.concrete and hasattr(field, "attname") else {field.name}


def left_out() -> dict:
    found: dict = {}
    for path in settings.ARCHIVE_PARTS:
        for label, why in import_string(f"{path}.LEFT_OUT").items():
            assert label not in found, label
            found[label] = why
    return found


def test_no_column_of_an_exported_model_is_forgotten():
    reasons, columns = left_out(), {}
    for table in tables():
        own = columns.setdefault(table.model._meta.label, set())
        own |= {name for column in table.columns for name in (column.name, attr_of(column))}
        own.add(table.model._meta.pk.name)
    for model in sorted({table.model for table in tables()}, key=lambda model: model._meta.label):
        label = model._meta.label
        reasons_here = reasons.get(label, {})
        assert isinstance(reasons_here, dict), f"{label} is exported, and said to be left out"
        fields = [*model._meta.concrete_fields, *model._meta.many_to_many]
        missing = [
            field.name for field in fields if not named(field) & columns[label] and field.name not in reasons_here
        ]
        assert not missing, f"{label}: {missing} are neither in a table of the archive nor left out with a reason"
        assert set(reasons_here) <= {field.name for field in fields}, f"{label}: left out, and no field of it"
        both = [f.name for f in fields if named(f) & columns[label] and f.name in reasons_here and f.name != "campaign"]
        assert not both, f"{label}: {both} are exported, and said to be left out"
        assert all(reasons_here.values())


def test_no_model_of_the_lab_is_forgotten():
    reasons = left_out()
    exported_models = {table.model._meta.label for table in tables()}
    for model in (model for app in LAB_APPS for model in apps.get_app_config(app).get_models()):
        label = model._meta.label
        assert label in exported_models or isinstance(reasons.get(label), str), f"{label}: export it or say why not"


def test_a_new_column_would_be_noticed(monkeypatch):
    reasons = {**HERE["experiments.Experiment"]}
    del reasons["held"]
    monkeypatch.setitem(HERE, "experiments.Experiment", reasons)
    with pytest.raises(AssertionError, match=r"Experiment: \['held'\]"):
        test_no_column_of_an_exported_model_is_forgotten()


# of facts: what comes from labels, or from scores that their submitter was not told
SCORES = {
    "accuracy",
    "agreements",
    "dev_pgr",
    "dev_accuracy",
    "holdout",
    "holdout_accuracy",
    "numbers",
    "told",
    "vote_accuracy",
}
KNOWN = {
    "replay": {"numbers"},  # of the probe: predictions that differ, and how many were compared
    "seed-ledger": {"dev_accuracy"},  # of experiments: their submitter was told
}


def test_detectors_whose_evidence_goes_to_anybody_read_no_score():
    """A new detector is not among them before somebody has looked."""
    assert set(DETECTORS.names()) > part.TELL_NO_SCORE
    for path in Path("oversight/detectors").glob("[a-z]*.py"):
        tree = ast.parse(path.read_text())
        names = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)} & part.TELL_NO_SCORE
        if not any(f'register("{name}")' in path.read_text() for name in names):
            continue
        (name,) = names & set(re.findall(r'DETECTORS\.register\("([^"]+)"\)', path.read_text()))
        read = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)} & SCORES
        assert read <= KNOWN.get(name, set()), name


@pytest.mark.django_db
def test_flags_go_along_with_evidence_votes_and_decisions():
    campaign = judged_campaign()
    archive = exported(campaign.pk, holdout=True)
    flags = {row["detector"]: row for row in rows_of(archive, "flags")}
    assert set(flags) == {"replay", "dev-holdout-gap", "api-misuse", "canary"}
    hold = flags["replay"]
    assert hold["level"] == "hold" and hold["state"] == "open" and hold["round"] == 2 and hold["statistic"] == 0.04
    assert hold["evidence"] == [{"text": "h = 0.04", "link": "/experiments/1/"}]
    assert [row["n"] for row in rows_of(archive, "calibrations")] == [40]
    assert [row["verdict"] for row in rows_of(archive, "flag_decisions")] == ["disqualified", "reopened"]
    votes = rows_of(archive, "flag_votes")
    assert [(row["round"], row["reason"]) for row in votes] == [(1, "replay differs"), (1, "it does")]
    assert b"blind" not in b"".join(files_of(archive).values())
    assert len(rows_of(archive, "approvals")) == 1 and rows_of(archive, "policies")[-1]["reason"] == "as before"
    assert rows_of(archive, "probes")[0]["numbers"] == {"holdout": 0.2468}
    assert len(rows_of(archive, "taints")) == 2 and rows_of(archive, "inspections")
    scored = next(row for row in rows_of(archive, "experiments") if row["inside"] and row["state"] == "scored")
    assert scored["standing"] == "under_review" and scored["flags"][0]["level"] == "hold"


@pytest.mark.django_db
def test_neither_holdout_figures_nor_hidden_words_leave_by_a_flag():
    campaign = judged_campaign()
    whole = exported(campaign.pk, holdout=True)
    assert b"0.1357" in b"".join(files_of(whole).values())
    source = import_bytes(whole)
    for archive in (exported(campaign.pk), exported(source.campaign)):
        everything = b"".join(files_of(archive).values())
        for secret in (rb"(?<!\d)0\.1357", rb"(?<!\d)0\.2468", b"to be hidden"):  # 20:17:50.2468 is a time
            assert not re.search(secret, everything), secret
        gap = next(row for row in rows_of(archive, "flags") if row["detector"] == "dev-holdout-gap")
        assert gap["evidence"] == [] and gap["title"] == "" and gap["level"] == "flag"
        told = [each["results"] for each in rows_of(archive, "inspections") if each["results"]]
        assert told == [[{"detector": "replay", "level": "flag", "statistic": 0.04}]]


@pytest.mark.django_db
@pytest.mark.parametrize("holdout", [False, True])
def test_a_judged_campaign_comes_back_byte_for_byte_and_judges_nothing_here(holdout):
    campaign = judged_campaign()
    archive = exported(campaign.pk, holdout=holdout)
    judged = [Flag, Vote, Decision, Calibration, Inspection, Probe, Approval]
    before = [model.objects.count() for model in judged]
    source = import_bytes(archive)
    again = exported(source.campaign, holdout=holdout)
    old, new = files_of(archive), files_of(again)
    for name in sorted(set(old) - {"manifest.json"}):
        assert new[name].splitlines() == old[name].splitlines(), name
    assert again == archive
    assert [model.objects.count() for model in judged] == before
    copy = Experiment.objects.get(campaign=source.campaign, state="scored")
    assert copy.standing == "under_review" and copy.flags == []
    assert copy.tainted_by.campaign == source.campaign and copy.tainted_by.tainted_by.campaign == 0
    Inspection.objects.all().update(state="done", finished_at=timezone.now() - timedelta(days=2))
    visit()
    assert not Inspection.objects.filter(experiment__campaign=source.campaign).exists()


@pytest.mark.django_db
def test_a_finding_hidden_here_takes_the_flags_about_it_along():
    source = import_bytes(exported(judged_campaign().pk))
    result = Finding.objects.get(campaign=source.campaign, kind="result")
    hide(user=get_user_model().objects.get(username="owner"), finding_id=result.pk, reason="not here")
    archive = exported(source.campaign)
    assert {row["detector"] for row in rows_of(archive, "flags")} == {"replay", "dev-holdout-gap", "api-misuse"}


@pytest.mark.django_db
def test_what_was_imported_is_not_flagged_here():
    source = import_bytes(exported(judged_campaign().pk))
    owner = get_user_model().objects.get(username="owner")
    copy = Experiment.objects.get(campaign=source.campaign, state="scored")
    finding = Finding.objects.filter(campaign=source.campaign).first()
    for subject in (f"experiment:{copy.pk}", f"finding:{finding.pk}"):
        with pytest.raises(Refused):
            flag_by_hand(user=owner, subject=subject, note="late")
