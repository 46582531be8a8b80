"""A reviewer in a real Chromium who has only a keyboard."""

import pytest

from oversight.models import Decision, Flag
from oversight.services.decisions import decide_flag
from tests.factories import make_experiment, make_user
from tests.oversight.conftest import agents_experiment, raised
from tests.oversight.test_pages import asked
from tests.pages.conftest import _plain_static_files  # noqa: F401 - a fixture

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_two_reviewers_do_a_whole_case_and_a_call_by_keyboard_alone(surf):
    hold = raised(agents_experiment(), level="hold")
    call = asked()
    first, second = make_user("reviewer", "rita"), make_user("reviewer", "sam")
    sees = surf(second)
    page = sees.open("/inbox/")
    sees.wait_live()
    mine = surf(first)
    here = mine.open("/inbox/")
    here.keyboard.press("c")
    here.get_by_text("You hold it for").wait_for()
    page.get_by_text("is looking at it for").wait_for()  # live, without a reload
    here.keyboard.press("a")
    here.keyboard.type("Replayed it by hand: the difference is noise.")
    here.keyboard.press("Control+Enter")
    here.get_by_text("You have voted").wait_for()
    page.get_by_text("Nobody is looking at it").wait_for()
    page.keyboard.press("a")
    page.keyboard.type("The seeds differ, the code does not.")
    page.keyboard.press("Control+Enter")
    page.get_by_role("heading", name="What was decided").wait_for()
    assert Flag.objects.get(pk=hold.pk).state == "decided"
    assert Decision.objects.get().verdict == "clean"
    here.goto(mine.url + f"/inbox/?item=flag:{hold.pk}")
    here.goto(mine.url + "/inbox/")
    here.keyboard.press("r")
    here.keyboard.type("Too dear: take one seed.")
    here.keyboard.press("Control+Enter")
    here.get_by_text("Refused: the agent is told why.").wait_for()
    call.refresh_from_db()
    assert (call.state, call.note, call.decided_by) == ("refused", "Too dear: take one seed.", first)
    assert mine.complaints + sees.complaints == []


def test_j_and_k_walk_through_the_list(surf):
    experiment = agents_experiment()
    flags = [raised(experiment, said=f"{number}") for number in range(3)]
    page = surf(make_user("reviewer")).open("/inbox/")
    page.keyboard.press("j")
    page.wait_for_url(f"**item=flag:{flags[1].pk}")
    page.keyboard.press("j")
    page.wait_for_url(f"**item=flag:{flags[2].pk}")
    page.keyboard.press("k")
    page.wait_for_url(f"**item=flag:{flags[1].pk}")


@pytest.mark.parametrize("width", [360, 1280])
def test_no_page_is_wider_than_its_window(surf, width):
    flag = raised(agents_experiment(), said="a" * 300, level="hold")
    call = asked(options={"rounds": 7})
    here = surf(make_user("reviewer"), width=width)
    for path in ("/inbox/", f"/inbox/?item=approval:{call.pk}", f"/flags/{flag.pk}/", "/inbox/detectors/"):
        here.open(path)
        assert here.overflow() == 0, path
    assert here.complaints == []


def test_oversight_at_a_glance_is_live_on_the_dashboard_and_on_a_campaigns_page(surf):
    call = asked()
    agent = call.agent
    viewers = [surf(make_user("reviewer")) for _ in range(2)]
    for surfer, address in zip(viewers, ("/", f"/campaigns/{agent.campaign_id}/"), strict=True):
        surfer.page.clock.install()
        page = surfer.open(address)
        surfer.wait_live()
        page.locator("#watch").get_by_text("submit_experiment by").wait_for()
        page.evaluate(
            "() => document.querySelectorAll('[data-poll]').forEach((each) => each.removeAttribute('data-poll'))"
        )
        shown = page.locator("#watch [data-waits]")
        page.evaluate("() => { document.querySelector('#watch [data-waits]').dateTime = '2020-01-01T00:00:00Z'; }")
        page.clock.fast_forward(15_000)  # as often as such times are looked at
        page.wait_for_function("() => /waits \\d+ d/.test(document.querySelector('#watch [data-waits]').innerText)")
        assert shown.count() == 1
    flag = raised(make_experiment(user=agent.user, state="scored", campaign=agent.campaign_id))
    for surfer in viewers:
        surfer.page.locator(f"#watch-flag-{flag.pk}").wait_for()
    decide_flag(user=make_user("reviewer"), flag_id=flag.pk, verdict="clean", reason="noise")
    for surfer in viewers:
        surfer.page.locator("[id^=watch-verdict]", has_text="Clean").wait_for()
        assert surfer.page.locator(f"#watch-flag-{flag.pk}").count() == 0
        assert surfer.overflow() <= 0
