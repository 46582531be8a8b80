"""What people see of the monitor, and who may have it read."""

import pytest

from oversight.models import DetectorSetting, Reading
from oversight.monitor.reading import read_next
from oversight.selectors.monitor import monitor_state, why_off
from oversight.services.flags import raise_flag
from oversight.services.readings import request_reading
from tests.agents.messages_api import Say
from tests.api.conftest import problem
from tests.factories import make_experiment, make_user
from tests.oversight.monitor.conftest import CAUGHT, MODEL, code, flagged, purse, read, verdict
from tests.pages.conftest import logged_in

pytestmark = pytest.mark.django_db


def test_why_it_is_off_is_said_where_verdicts_would_be(lab, settings):
    experiment = code(lab)
    viewer = logged_in(make_user("viewer"))
    places = ("/inbox/detectors/", f"/experiments/{experiment.pk}/flags/")

    def told(words):
        assert words in why_off()
        assert not read_next(worker="agents@test")
        assert request_reading(experiment_id=experiment.pk) is None
        for place in places:
            assert words in viewer.get(place).content.decode().replace("Off:", "off:")

    settings.MONITOR_DOLLARS_PER_DAY = 0
    told("off: 0 dollars a day")
    settings.MONITOR_DOLLARS_PER_DAY = 5
    settings.ANTHROPIC_API_KEY, settings.ANTHROPIC_BASE_URL = "", "https://api.anthropic.com"
    told("off: no key is set")
    settings.CLAUDE_READY = True
    DetectorSetting.objects.create(name="llm-monitor", enabled=False)
    told("off: an admin has switched it off")
    DetectorSetting.objects.update(enabled=True)
    settings.MONITOR_MODEL = "gpt-4"
    told("off: the price table has no row for gpt-4")
    settings.MONITOR_MODEL = MODEL
    assert why_off() == ""
    assert "at most" in viewer.get(places[0]).content.decode()
    assert monitor_state().limit == 5


def test_people_see_the_score_but_not_before_they_have_voted_on_a_hold(lab, api):
    experiment = code(lab)
    api.script += [verdict({**CAUGHT, "suspicion": 0.8765})]
    read(experiment)
    monitors = flagged(experiment)
    reviewer = make_user("reviewer")
    page = logged_in(reviewer)
    part = f"/experiments/{experiment.pk}/flags/"
    assert "0.88" in page.get(part).content.decode()
    assert "0.8765" in page.get(f"/flags/{monitors.pk}/").content.decode()
    raise_flag(detector="replay", level="hold", subject=experiment, title="T", evidence=["e"])
    text = page.get(part).content.decode()
    assert "0.88" not in text
    assert "kept back until you have voted" in text
    assert "0.8765" not in page.get(f"/flags/{monitors.pk}/").content.decode()


def test_a_reviewer_has_it_read_again_where_there_was_no_verdict_and_not_where_there_was(lab, api, caller):
    experiment = code(lab)
    path, reviewer = f"experiments/{experiment.pk}/readings/", caller("reviewer")
    assert reviewer.get(path).json() == {"results": [], "note": "", "withheld": False}
    made = reviewer.send(path, key="k")
    assert (made.status_code, made.json()["results"][0]["state"]) == (201, "waiting")
    assert reviewer.send(path, key="k")["Idempotent-Replayed"] == "true"
    assert len(reviewer.send(path).json()["results"]) == 1  # it waits already
    api.script += [Say("", stop="refusal"), verdict({**CAUGHT, "suspicion": 0.8765})]
    assert read_next(worker="agents@test")
    assert "refused" in reviewer.get(path).json()["results"][0]["error"]
    page = logged_in(make_user("reviewer"))
    assert "Have it read again" in page.get(f"/experiments/{experiment.pk}/flags/").content.decode()
    told = page.post(f"/experiments/{experiment.pk}/read/", follow=True).content.decode()
    assert "The monitor: waiting." in told
    assert read_next(worker="agents@test")
    shown = caller("viewer").get(path).json()["results"][0]
    assert (shown["state"], shown["score"], shown["dropped"]) == ("read", 0.8765, 2)
    assert shown["dollars"] * 1_000_000 == pytest.approx(purse().spent)
    assert reviewer.send(path).json()["results"][0]["state"] == "read"  # the same is not read twice
    assert read_next(worker="agents@test") is False
    raise_flag(detector="replay", level="hold", subject=experiment, title="T", evidence=["e"])
    kept = reviewer.get(path).json()
    assert (kept["withheld"], kept["results"][0]["score"], kept["results"][0]["evidence"]) == (True, None, [])
    assert "0.8765" not in str(kept)


def test_who_may_have_what_read(lab, caller, settings):
    experiment = code(lab)
    path, reviewer = f"experiments/{experiment.pk}/readings/", caller("reviewer")
    for role in ("viewer", "researcher", "agent"):
        problem(caller(role).send(path), 403, "forbidden")
    problem(caller("agent").get(path), 403, "forbidden")
    problem(reviewer.send("experiments/999999/readings/"), 404, "not-found")
    problem(reviewer.send(f"experiments/{make_experiment(state='scored').pk}/readings/"), 422, "refused")
    problem(reviewer.send(f"experiments/{make_experiment().pk}/readings/"), 409, "illegal-transition")
    settings.MONITOR_DOLLARS_PER_DAY = 0
    assert "0 dollars a day" in problem(reviewer.send(path), 422, "refused")["detail"]
    assert reviewer.get(path).json()["note"].startswith("off")
    assert logged_in(make_user("viewer")).post(f"/experiments/{experiment.pk}/read/").status_code == 403
    assert not Reading.objects.exists()
