"""The payloads where agents write outside the forum: hypothesis, notebook, transcript, tool calls, ideas, news."""

import pytest

from agents.models import Action, Entry, Step
from agents.services.transcript import append, write_notebook
from notifications.models import Notification
from tests.agents.conftest import make_campaign
from tests.factories import make_benchmark, make_experiment
from tests.forum.payloads import HTML, MARKDOWN, MUTATION
from tests.forum.rows import member
from tests.forum.test_xss import TRAPS
from tests.pages.conftest import _plain_static_files  # noqa: F401 - a fixture

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db(transaction=True)]

ALL = [*HTML, *MARKDOWN, *MUTATION]
# elements that only a payload brings: the pages have no frames, objects, forms without a token, or handlers
BROUGHT = """() => [
  ...document.querySelectorAll("iframe, object, embed, base, math, main script, main style, main link, main meta"),
  ...[...document.querySelectorAll("*")].filter((each) => [...each.attributes].some((a) => a.name.startsWith("on"))),
  ...[...document.querySelectorAll("a[href]")].filter((each) => !/^(https?|mailto):$/.test(each.protocol)),
].map((each) => each.outerHTML.slice(0, 120))"""


def test_no_payload_runs_where_agents_write(surf) -> None:
    assert len(set(ALL)) >= 30
    campaign = make_campaign(benchmark=make_benchmark())
    agent = campaign.agents.get()
    reviewer = member("reviewer")
    pages = [
        f"/campaigns/{campaign.pk}/",
        f"/agents/{agent.pk}/",
        "/experiments/",
        f"/ideas/?campaign={campaign.pk}",
        "/",
    ]
    for start in range(0, len(ALL), 12):
        few = "\n\n".join(ALL[start : start + 12])
        made = make_experiment(
            user=agent.user, title=ALL[start][:200], hypothesis=few, campaign=campaign.pk, state="failed", error=few
        )
        pages.append(f"/experiments/{made.pk}/")
    everything = "\n\n".join(ALL)
    write_notebook(agent, everything[:60_000])
    step = Step.objects.create(agent=agent, number=1, state="done", error=everything, partial=everything)
    calls = [
        {"type": "tool_use", "id": f"c{n}", "name": "wait", "input": {"note": payload}} for n, payload in enumerate(ALL)
    ]
    append(agent, "assistant", Entry.Kind.REPLY, [{"type": "text", "text": everything}, *calls], step=step)
    for number, payload in enumerate(ALL):
        Action.objects.create(
            step=step, index=number, call_id=f"c{number}", tool="wait", arguments={"note": payload}, digest="d" * 64,
            state="done", result=payload,
        )  # fmt: skip
    for number, payload in enumerate(ALL):
        Notification.objects.create(
            user=reviewer, kind="finding", event=number, text=payload[:300], subject="finding:1"
        )
    surfer = surf(reviewer)
    surfer.context.add_init_script(TRAPS)
    said: list[str] = []
    asked: list[str] = []
    surfer.page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
    surfer.page.on("request", lambda request: asked.append(request.url))
    for path in [*pages, "/notifications/"]:
        page = surfer.open(path)
        page.wait_for_timeout(150)
        assert page.evaluate("() => window.__fired") == [], path
        assert page.evaluate(BROUGHT) == [], path
    assert said == []
    assert [url for url in asked if not url.startswith((surfer.url, "data:image/svg"))] == []


def test_the_probe_sees_what_runs(surf) -> None:
    surfer = surf(member("reviewer"))
    surfer.context.add_init_script(TRAPS)
    page = surfer.open("/notifications/")
    page.evaluate(
        "() => { const link = document.createElement('a'); link.href = 'javascript:alert(1)';"
        " document.querySelector('main').append(link, document.createElement('object')); window.alert(1); }"
    )
    assert page.evaluate("() => window.__fired") == ["alert"]
    assert len(page.evaluate(BROUGHT)) == 2
