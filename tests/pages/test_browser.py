"""The pages in a real Chromium: scripts, policy, live news, keyboard, phone."""

import re

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.db import transaction

from aarweb.login import one_time_path
from aarweb.roles import sync_roles
from experiments import events
from experiments.models import Benchmark, Experiment, Run
from oversight.services.decisions import decide_flag
from tests.factories import PASSWORD, make_benchmark, make_experiment, make_method, make_user
from tests.oversight.conftest import raised
from tests.pages.conftest import addresses

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def pages(lab) -> list[str]:
    """The addresses that answer with a whole page."""
    files = ("/charts/", ".csv", ".json", "/row/")
    return [each for each in addresses(lab) if not any(part in each for part in files)] + ["/experiments/new/"]


@pytest.fixture
def user(lab):
    return make_user("admin")


def tell(kind: str, subject: str, **payload) -> None:
    with transaction.atomic():
        events.record(kind, subject, payload=payload)


def test_the_link_of_the_first_start_logs_in_once(surf):
    sync_roles()
    path, surfer = one_time_path(), surf()
    page = surfer.open(path)
    assert page.url == surfer.url + "/"
    assert page.get_by_role("heading", name="Dashboard").is_visible()
    page.get_by_text("owner").click()
    surfer.follow(page.get_by_role("button", name="Log out"))
    assert page.get_by_role("heading", name="Log in").is_visible()
    assert surfer.open(path).get_by_role("heading", name="This link no longer works").is_visible()
    surfer.wait_refused(403)


def test_logging_in_by_keyboard_alone(surf):
    user = make_user("viewer", name="vera")
    user.password = make_password(PASSWORD, hasher="pbkdf2_sha256")  # the server does not know the tests' fast hash
    user.save()
    page = surf().open("/experiments/")
    page.wait_for_function("document.activeElement.matches('input')")  # the first field gets the focus
    page.keyboard.type("vera")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Experiments").wait_for()
    page.wait_for_load_state("load")
    page.keyboard.press("Tab")
    page.wait_for_function("document.activeElement.textContent === 'Skip to content'")
    page.keyboard.press("Enter")
    page.wait_for_function("document.activeElement.id === 'main'")


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (360, True)], ids=["desk-light", "phone-dark"])
def test_every_page_stands_without_a_complaint_and_without_sideways_scrolling(surf, lab, user, width, dark):
    surfer = surf(user, width=width, dark=dark)
    wide = {}
    for address in pages(lab):
        page = surfer.open(address)
        drawn = surfer.draw_figures()
        assert set(drawn) <= {"yes", "empty"}, (address, drawn)
        if surfer.overflow() > 0:
            wide[address] = surfer.overflow()
        assert page.locator("h1").count() == 1, address
    assert wide == {}


def test_figures_are_drawn_and_described(surf, lab, user):
    surfer = surf(user)
    page = surfer.open(f"/experiments/{lab['scored'].pk}/")
    assert surfer.draw_figures() == ["yes", "yes"]
    assert page.locator(".chart svg.main-svg").count() >= 2
    label = page.locator(".chart").first.get_attribute("aria-label")
    assert label.startswith("Dev PGR per seed. One mark per seed")
    page.get_by_text("Data as a table (3 rows)").click()
    page.get_by_role("region", name="Data of: Dev PGR per seed").wait_for()


def test_the_table_filters_itself_and_the_address_follows(surf, lab, user):
    page = surf(user).open("/experiments/")
    assert page.locator("tr[id^=experiment-]").count() == len(lab)
    page.get_by_label("State").select_option("failed")
    page.wait_for_url("**state=failed**")
    page.wait_for_function("() => document.querySelectorAll('tr[id^=experiment-]').length === 1")
    page.get_by_label("State").select_option("")
    page.get_by_label("Search").press_sequentially("gray one")
    page.wait_for_url("**search=gray**one**")
    page.wait_for_function("() => document.querySelectorAll('tr[id^=experiment-]').length === 1")
    page.go_back()
    page.wait_for_function("() => document.querySelectorAll('tr[id^=experiment-]').length > 1")
    assert page.get_by_role("heading", name="Experiments").is_visible()


def test_selected_experiments_are_compared(surf, lab, user):
    surfer = surf(user)
    page = surfer.open("/experiments/?state=scored")
    page.get_by_label(f"Select #{lab['scored'].pk}").check()
    page.get_by_label(f"Select #{lab['other'].pk}").check()
    surfer.follow(page.get_by_role("button", name="Compare selected"))
    assert page.get_by_role("heading", name="Compare 2 experiments").is_visible()
    page.go_back()
    page.get_by_label("Select all shown").check()
    assert page.locator("input[name=ids]:checked").count() == 4


def test_a_new_experiment_by_hand(surf, lab, user):
    make_method("logconf", options_schema={"properties": {"alpha": {"type": "number", "minimum": 0, "default": 0.75}}})
    surfer = surf(user)
    page = surfer.open("/experiments/new/")
    page.get_by_label("Title").fill("By hand")
    page.get_by_label("Seeds").fill("4")
    page.get_by_role("combobox", name="Method").select_option("logconf")
    page.get_by_label("Alpha").wait_for()
    assert page.get_by_label("Title").input_value() == "By hand"
    assert page.get_by_label("Weight").count() == 0
    page.wait_for_url("**/experiments/new/?method=logconf")
    assert "csrf" not in page.url
    page.get_by_label("Alpha").fill("-1")
    surfer.follow(page.get_by_role("button", name="Submit experiment"))
    field = page.get_by_label("Alpha")
    assert field.get_attribute("aria-invalid") == "true"
    error = page.locator("#" + field.get_attribute("aria-describedby").split()[-1])
    assert error.inner_text() == "Expected a number from 0."
    surfer.wait_refused(422)
    page.get_by_label("Alpha").fill("0.5")
    surfer.follow(page.get_by_role("button", name="Submit experiment"))
    made = Experiment.objects.get(title="By hand")
    assert page.url == f"{surfer.url}/experiments/{made.pk}/"
    assert (made.method.name, made.options, made.seeds) == ("logconf", {"alpha": 0.5}, 4)
    assert page.get_by_role("status").get_by_text(f"Submitted as #{made.pk}").is_visible()


def test_cancelling_asks_first(surf, lab, user):
    row = lab["queued"]
    page = surf(user).open(f"/experiments/{row.pk}/")
    assert not page.get_by_role("button", name="Cancel this experiment").is_visible()
    page.locator("summary", has_text="Cancel").click()
    page.get_by_role("button", name="Cancel this experiment").click()
    page.get_by_text("Cancelled. What was scored before stays.").wait_for()
    row.refresh_from_db()
    assert row.state == "cancelled"


STOP_POLLING = "() => document.querySelectorAll('[data-poll]').forEach((each) => each.removeAttribute('data-poll'))"


def test_news_over_the_socket_change_the_table_in_place(surf, lab, user):
    row = lab["queued"]
    surfer = surf(user)
    page = surfer.open("/experiments/")
    surfer.wait_live()
    page.evaluate(STOP_POLLING)  # only news may change the page now
    line = page.locator(f"#experiment-{row.pk}")
    assert "Queued" in line.inner_text()
    page.get_by_label(f"Select #{row.pk}").check()
    Experiment.objects.filter(pk=row.pk).update(state="running")
    Run.objects.filter(experiment=row, seed_index=0).update(state="running")
    tell("experiment.running", f"experiment:{row.pk}", experiment=row.pk, state="running")
    page.wait_for_function(f"() => document.querySelector('#experiment-{row.pk}').innerText.includes('Running')")
    assert page.get_by_label(f"Select #{row.pk}").is_checked()  # what a person did stays
    make_experiment(user=row.submitter)
    tell("experiment.submitted", "experiment:999", experiment=999)
    page.get_by_text("1 new — show").wait_for()


def test_news_over_the_socket_change_runs_score_and_figures(surf, lab, user):
    row = lab["running"]
    surfer = surf(user)
    page = surfer.open(f"/experiments/{row.pk}/")
    assert "empty" in surfer.draw_figures()
    surfer.wait_live()
    page.evaluate(STOP_POLLING)
    page.evaluate("() => { window.stays = true; }")
    for index in range(3):
        row.runs.filter(seed_index=index).update(state="scored", dev_pgr=0.4 + index / 10, dev_accuracy=0.7)
    score = {"low": 0.4, "high": 0.6, "bounded": True, "n_items": 500, "n_seeds": 3}
    Experiment.objects.filter(pk=row.pk).update(state="scored", dev_pgr=0.5, dev_accuracy=0.7, dev_score=score)
    tell("run.state", f"experiment:{row.pk}", experiment=row.pk, state="scored", seeds=[0, 1, 2])
    page.wait_for_function("() => document.querySelector('#experiment-score').innerText.includes('[0.40, 0.60]')")
    page.wait_for_function("() => document.querySelector('#experiment-runs').innerText.includes('3 of 3 done')")
    page.wait_for_function("() => document.querySelector('[data-chart-url*=seed-spread]').dataset.drawn === 'yes'")
    page.locator("#experiment-actions summary", has_text="Rerun").wait_for()
    assert page.locator("#experiment-actions summary", has_text="Cancel").count() == 0
    assert page.evaluate("window.stays")


def test_an_opened_log_stays_open_when_news_arrive(surf, lab, user):
    row = lab["running"]
    row.runs.filter(seed_index=0).update(log="step 1")
    surfer = surf(user)
    page = surfer.open(f"/experiments/{row.pk}/")
    surfer.wait_live()
    page.locator("summary", has_text="Logs").click()
    row.runs.filter(seed_index=0).update(log="step 1\nstep 2")
    tell("run.state", f"experiment:{row.pk}", experiment=row.pk, state="running", seeds=[0])
    page.get_by_text("step 2").wait_for()


def test_progress_of_a_preparation_moves_by_itself(surf, lab, user):
    page = surf(user).open("/benchmarks/elements/")
    assert "10 / 40" in page.locator("#benchmark-state").inner_text()
    Benchmark.objects.filter(slug="elements").update(progress_done=30)
    page.get_by_text("30 / 40").wait_for()


def test_the_dashboard_takes_up_news(surf, lab, user):
    surfer = surf(user)
    page = surfer.open("/")
    surfer.wait_live()
    page.evaluate(STOP_POLLING)
    row = make_experiment(user=lab["scored"].submitter, state="running", title="Fresh from the oven")
    tell("experiment.running", f"experiment:{row.pk}", experiment=row.pk, state="running")
    page.locator("#now").get_by_text("Fresh from the oven").wait_for()
    page.locator("#events").get_by_text(f"experiment {row.pk}").wait_for()


def test_what_was_missed_while_offline_is_made_up_for(surf, lab, user):
    row = lab["queued"]
    surfer = surf(user)
    page = surfer.open("/experiments/")
    surfer.wait_live()
    page.evaluate(STOP_POLLING)
    surfer.context.set_offline(True)
    page.evaluate("() => { window.stays = true; }")
    Experiment.objects.filter(pk=row.pk).update(state="cancelled")
    tell("experiment.cancelled", f"experiment:{row.pk}", experiment=row.pk, state="cancelled")
    surfer.context.set_offline(False)
    page.wait_for_function(f"() => document.querySelector('#experiment-{row.pk}').innerText.includes('Cancelled')")
    assert page.evaluate("window.stays")
    surfer.complaints[:] = [each for each in surfer.complaints if "ERR_INTERNET_DISCONNECTED" not in each]


def test_every_control_can_be_reached_by_keyboard_and_shows_it(surf, lab, user):
    page = surf(user).open("/experiments/")
    wanted = page.evaluate(
        "() => [...document.querySelectorAll('main a[href], main button, main input, main select')]"
        ".filter((each) => each.checkVisibility() && each.tabIndex >= 0).length"
    )
    seen = set()
    for _ in range(wanted + 40):
        page.keyboard.press("Tab")
        inside, key, outline = page.evaluate(
            "() => { const here = document.activeElement;"
            " const place = [...document.querySelectorAll('*')].indexOf(here);"
            " return [Boolean(here.closest('main')), place, getComputedStyle(here).outlineStyle]; }"
        )
        if inside:
            assert outline == "solid"
            seen.add(key)
    assert len(seen) >= wanted


def test_pages_work_without_scripts(surf, lab, user):
    surfer = surf(user, java_script_enabled=False)
    page = surfer.open("/experiments/")
    page.get_by_label("State").select_option("failed")
    surfer.follow(page.get_by_role("button", name="Filter"))
    assert page.locator("tr[id^=experiment-]").count() == 1
    page = surfer.open("/experiments/new/?method=vanilla")
    page.get_by_label("Title").fill("Without scripts")
    surfer.follow(page.get_by_role("button", name="Submit experiment"))
    assert re.search(r"/experiments/\d+/$", page.url)
    assert page.get_by_text("Data as a table (3 rows)").is_visible()


def test_nothing_moves_for_who_asked_for_less_motion(surf, lab, user):
    surfer = surf(user, reduced_motion="reduce")
    page = surfer.open("/")
    moving = page.evaluate(
        "() => [...document.querySelectorAll('*')].filter((each) => { const style = getComputedStyle(each);"
        " return parseFloat(style.animationDuration) > 0 || parseFloat(style.transitionDuration) > 0; }).length"
    )
    assert moving == 0


def test_an_agents_account_sees_no_page(surf):
    surfer = surf(make_user("agent"))
    page = surfer.open("/")
    assert page.get_by_role("heading", name="Not allowed").is_visible()
    surfer.wait_refused(403)
    assert get_user_model().objects.count() == 1


def test_a_phone_keeps_wide_tables_in_their_box(surf, lab, user):
    surfer = surf(user, width=360)
    page = surfer.open("/leaderboard/")
    box = page.get_by_role("region", name="Leaderboard")
    assert box.evaluate("(each) => each.scrollWidth > each.clientWidth")
    assert surfer.overflow() <= 0
    make_benchmark("long-" + "x" * 40, title="A title without end " * 5)
    surfer.open("/benchmarks/")
    assert surfer.overflow() <= 0


def test_the_navigation_of_somebody_who_may_do_everything_is_one_line_on_a_desk(surf, lab):
    user = make_user("admin", name="a-long-name-of-somebody", is_staff=True)
    for number in range(120):
        raised(lab["scored"], said=str(number))
    surfer = surf(user)
    page = surfer.open("/")
    surfer.wait_live()
    assert page.get_by_role("link", name="Inbox 120 waiting").is_visible()
    page.evaluate("() => { document.querySelector('[data-live-status]').textContent = 'offline'; }")
    tops = page.evaluate(
        "() => [...document.querySelectorAll('.brand, .nav a, .top-right > *')].map((each) => {"
        " const box = each.getBoundingClientRect(); return box.top + box.height / 2; })"
    )
    assert max(tops) - min(tops) < 10
    assert surfer.overflow() <= 0
    assert surfer.spilling() == []


def test_the_inbox_counter_follows_the_news(surf, lab):
    surfer = surf(make_user("reviewer"))
    page = surfer.open("/experiments/")
    surfer.wait_live()
    assert page.get_by_role("link", name="Inbox", exact=True).is_visible()
    flag = raised(lab["scored"])
    page.get_by_role("link", name="Inbox 1 waiting").wait_for()
    decide_flag(user=make_user("reviewer"), flag_id=flag.pk, verdict="clean", reason="noise")
    page.get_by_role("link", name="Inbox", exact=True).wait_for()
