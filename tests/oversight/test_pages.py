"""The inbox and the pages of flags, as people of each role get them."""

import pytest
from django.db import transaction
from django.test import Client

from agents.models import Approval
from agents.services.admission import admit_outside
from agents.services.campaigns import AgentPlan
from agents.tools import TOOLS, parse
from experiments.models import Experiment, Method
from oversight.detectors import DETECTORS
from oversight.models import Flag
from oversight.services.calibrations import store
from oversight.services.decisions import decide_flag
from tests.agents.conftest import make_campaign, the_agent
from tests.factories import make_benchmark, make_method, make_user
from tests.oversight.conftest import agents_experiment, make_snapshot, raised
from tests.pages.conftest import _plain_static_files, logged_in  # noqa: F401 - a fixture

pytestmark = pytest.mark.django_db

ASKING = {"rules": [{"effect": "ask", "note": "costs"}]}


def asked(**arguments) -> Approval:
    """A call of an outside agent that waits."""
    if not Method.objects.exists():
        make_method()
    plan = AgentPlan(researcher="outside", direction="simplicity")
    agent = the_agent(make_campaign(agents=[plan], policy=ASKING))
    given = {"benchmark": agent.campaign.benchmarks.get().slug, "method": "vanilla", "title": "T", "hypothesis": "H"}
    with transaction.atomic():
        _ask(agent, {**given, **arguments})
    return Approval.objects.latest("pk")


def _ask(agent, arguments) -> None:
    tool = TOOLS.get("submit_experiment")
    admit_outside(agent, tool, parse(tool, arguments))


@pytest.fixture
def reviewer() -> Client:
    return logged_in(make_user("reviewer", "rita"))


def test_the_inbox_lists_holds_then_calls_then_flags_and_opens_the_first(reviewer):
    experiment = agents_experiment()
    flag, call, hold = raised(experiment), asked(), raised(experiment, level="hold")
    raised(experiment, level="info", said="shown elsewhere")
    text = reviewer.get("/inbox/").content.decode()
    places = [text.index(f'?item={name}"') for name in (f"flag:{hold.pk}", f"approval:{call.pk}", f"flag:{flag.pk}")]
    assert places == sorted(places)
    assert text.count('class="inbox-item"') == 3
    assert f'action="/flags/{hold.pk}/decide/"' in text


def test_an_empty_inbox_says_what_comes_here(reviewer):
    assert "Nothing waits for you" in reviewer.get("/inbox/").content.decode()


def test_a_call_is_shown_as_facts_options_cost_and_what_it_is_bound_to(reviewer):
    call = asked(options={"rounds": 7}, seeds=3)
    text = reviewer.get(f"/inbox/?item=approval:{call.pk}").content.decode()
    assert "7 (default 3)" in text
    assert "gpu seconds: 3 s" in text
    assert call.digest in text


def test_a_call_with_code_shows_it_highlighted_and_differing_from_its_parent(reviewer):
    user = make_user()
    parent = make_snapshot(user, "def fit(context):\n    return 1\n")
    child = make_snapshot(user, "def fit(context):\n    return 2\n", parent)
    call = asked()
    Approval.objects.filter(pk=call.pk).update(state="cancelled")
    _ask(call.agent, {**call.arguments, "method": None, "options": {}, "snapshot": child.pk})
    text = reviewer.get(f"/inbox/?item=approval:{Approval.objects.latest('pk').pk}").content.decode()
    assert 'class="hl-k">def' in text
    assert '<span class="line added">+    return 2</span>' in text


def test_posts_answer_and_come_back_to_the_case(reviewer):
    call, flag = asked(), raised(agents_experiment())
    came = reviewer.post(f"/approvals/{call.pk}/refuse/", {"note": "Too dear."})
    assert came["Location"] == f"/inbox/?item=approval:{call.pk}"
    call.refresh_from_db()
    assert (call.state, call.note) == ("refused", "Too dear.")
    reviewer.post(f"/flags/{flag.pk}/claim/")
    reviewer.post(f"/flags/{flag.pk}/decide/", {"verdict": "clean", "reason": "fine"})
    reviewer.post(f"/flags/{flag.pk}/reopen/", {"reason": "not so fine"})
    assert [each.verdict for each in Flag.objects.get().decisions.all()] == ["clean", "reopened"]


def test_edited_arguments_come_as_json_and_bad_json_is_said(reviewer):
    call = asked()
    answer = reviewer.post(f"/approvals/{call.pk}/approve/", {"edited_arguments": "{nonsense"}, follow=True)
    assert "not JSON" in answer.content.decode()
    edited = '{"benchmark": "%s", "method": "vanilla", "title": "T", "hypothesis": "H", "seeds": 1}'
    text = edited % call.arguments["benchmark"]
    reviewer.post(f"/approvals/{call.pk}/approve/", {"edited_arguments": text, "note": "one"})
    call.refresh_from_db()
    assert (call.state, call.edited_arguments["seeds"]) == ("approved", 1)


def test_the_other_vote_and_the_monitors_score_are_not_in_the_page_before_ones_own(reviewer):
    hold = raised(agents_experiment(), level="hold", source="monitor", detector="llm-monitor", statistic=87.25)
    decide_flag(user=make_user("reviewer"), flag_id=hold.pk, verdict="disqualified", reason="I saw it all")
    text = reviewer.get(f"/inbox/?item=flag:{hold.pk}").content.decode()
    assert "I saw it all" not in text
    assert "87.25" not in text
    assert "kept back until you have voted" in text


@pytest.mark.parametrize(
    ("role", "inbox", "flag"), [("viewer", 403, 200), ("researcher", 403, 200), ("agent", 403, 403)]
)
def test_who_reads_what(role, inbox, flag):
    person, raised_flag = logged_in(make_user(role)), raised(agents_experiment())
    assert person.get("/inbox/").status_code == inbox
    answer = person.get(f"/flags/{raised_flag.pk}/")
    assert answer.status_code == flag
    assert "Your judgement" not in answer.content.decode()
    assert person.post(f"/flags/{raised_flag.pk}/decide/", {"verdict": "clean", "reason": "x"}).status_code == 403


def test_the_experiment_page_offers_its_flags_and_a_person_flags_by_hand(reviewer):
    experiment = agents_experiment()
    raised(experiment, level="info", said="h = 0.2 %")
    assert f"/experiments/{experiment.pk}/flags/" in reviewer.get(f"/experiments/{experiment.pk}/").content.decode()
    fragment = reviewer.get(f"/experiments/{experiment.pk}/flags/", headers={"HX-Request": "true"}).content.decode()
    assert "h = 0.2 %" in fragment
    assert "<html" not in fragment
    came = reviewer.post(f"/experiments/{experiment.pk}/flag/", {"note": "Odd log.", "level": "hold"})
    assert came["Location"] == f"/flags/{Flag.objects.get(source='person').pk}/"
    assert Experiment.objects.get(pk=experiment.pk).standing == "under_review"
    answer = reviewer.post(f"/experiments/{experiment.pk}/flag/", {"note": "Odd.", "pin": "run:0"}, follow=True)
    assert "there is no run" in answer.content.decode()


def test_the_precision_page_shows_share_and_interval(reviewer):
    flag = raised(agents_experiment())
    decide_flag(user=make_user("reviewer"), flag_id=flag.pk, verdict="disqualified", reason="x")
    text = reviewer.get("/inbox/detectors/").content.decode()
    assert "100%" in text
    assert "21%–100%" in text


def test_the_precision_page_lists_what_never_spoke_and_what_was_measured(reviewer, django_assert_max_num_queries):
    """A reader sees what runs, not only what has accused somebody."""
    raised(agents_experiment())  # by "replay"
    raised(agents_experiment(), detector="a retired one")
    first, second = make_benchmark("first"), make_benchmark("second")
    for benchmark, n in ((first, 7), (first, 120), (second, 80)):
        store(detector="near-duplicates", benchmark=benchmark, n=n, threshold=None, false_positive_rate=0.025)
    with django_assert_max_num_queries(25):
        text = reviewer.get("/inbox/detectors/").content.decode()
    rows = {row.split("<")[0]: row.split("</tr>")[0] for row in text.split('<th scope="row" class="mono">')[1:]}
    assert list(rows) == sorted([*DETECTORS.names(), "a retired one"])
    assert "no flag yet" in rows["honeypot"]
    assert "never calibrated" in rows["honeypot"]
    assert "no flag yet" not in rows["replay"]
    assert "not installed" in rows["a retired one"]
    assert DETECTORS.get("near-duplicates").title in rows["near-duplicates"]
    for told in ("first", "n = 120", "2.5%", "second", "n = 80"):
        assert told in rows["near-duplicates"]
    assert "n = 7<" not in rows["near-duplicates"]  # the newest of a benchmark counts


def test_lists_take_the_same_number_of_queries_however_long_they_are(reviewer, django_assert_max_num_queries):
    experiment = agents_experiment()
    for number in range(12):
        raised(experiment, said=f"{number}")
    with django_assert_max_num_queries(25):
        reviewer.get("/inbox/")


def test_the_counter_of_every_page_is_a_fragment_for_those_who_judge(reviewer):
    viewer = logged_in(make_user("viewer"))
    ask = {"headers": {"HX-Request": "true"}}
    assert reviewer.get("/inbox/?part=count", **ask).content.strip() == b""
    raised(agents_experiment())
    asked()
    answer = reviewer.get("/inbox/?part=count", **ask).content.decode()
    assert answer.startswith('<span class="chip num">2<')
    assert "2<span" in reviewer.get("/experiments/").content.decode().split('href="/inbox/"')[1].split("</a>")[0]
    assert viewer.get("/inbox/?part=count", **ask).status_code == 403
    assert 'href="/inbox/"' not in viewer.get("/experiments/").content.decode()
