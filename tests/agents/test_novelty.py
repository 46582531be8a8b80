"""What agents are told of each other: news by relevance, and that an idea was had before."""

import pytest

from agents.briefing import LAB
from agents.novelty import SAME_WORDS
from agents.observation import MOST_EXPERIMENTS, MOST_FINDINGS, observe
from agents.services.campaigns import AgentPlan
from agents.tools import TOOLS, ToolActor
from experiments.models import Event
from experiments.services.states import tell
from forum.services.curation import hide
from forum.services.posting import post_finding
from tests.agents.conftest import make_campaign
from tests.factories import make_benchmark, make_experiment, make_method, make_user

pytestmark = pytest.mark.django_db

SAID = "Entropy weighting of soft labels keeps the doubt of the weak teacher, so the student errs less"


@pytest.fixture
def pair():
    """Two agents of one campaign."""
    plans = [AgentPlan(researcher="search", direction=each) for each in ("simplicity", "ensembling")]
    campaign = make_campaign(agents=plans, benchmark=make_benchmark())
    make_method()
    return list(campaign.agents.order_by("id"))


def use(agent, name, **arguments):
    tool = TOOLS.get(name)
    actor = ToolActor(agent=agent, user=agent.user, key="k", cancelled=lambda: False, stream=lambda text: None)
    return tool().run(actor, tool.Arguments(**arguments)).text


def submit(agent, hypothesis, **options):
    return use(
        agent, "submit_experiment", benchmark="geography", method="vanilla", title="T", hypothesis=hypothesis, seeds=1,
        options=options,
    )  # fmt: skip


def test_a_repeated_hypothesis_is_told_with_the_experiment_it_repeats(pair):
    first, second = pair
    number = submit(first, SAID).split("#")[1].split()[0]
    told = submit(second, f"{SAID}, at weight 0.7.", weight=0.7)
    assert f"- #{number} T (vanilla on geography)" in told and first.user.get_username() in told
    assert f"at least {SAME_WORDS}" in told and "The same method" not in told


def test_a_new_hypothesis_is_told_nothing_even_with_words_in_common(pair):
    first, second = pair
    submit(first, SAID)
    told = submit(second, "Nearest neighbours in a spectral basis vote on soft labels", weight=0.3)
    assert told == f"Experiment #{told.split('#')[1].split()[0]} is queued: 1 seeds."


def test_the_same_method_with_the_same_options_is_told_whoever_ran_it(pair):
    first, _ = pair
    submit(first, "one thing", weight=0.25)
    told = submit(first, "quite another matter", weight=0.25)
    assert "The same method with the same options was run here before" in told
    assert "repeats others'" not in told  # one's own hypothesis is no news


def test_hypotheses_of_other_campaigns_do_not_count(pair):
    stranger = make_campaign().agents.get()
    make_experiment(user=stranger.user, hypothesis=SAID, campaign=stranger.campaign_id)
    assert "repeats" not in submit(pair[0], SAID)


def test_a_finding_that_resembles_another_is_told_unless_it_cites_it(pair):
    first, second = pair
    older = post_finding(user=first.user, kind="insight", title="Entropy weighting", body=SAID)
    arguments = {"kind": "insight", "title": "Entropy weighting again", "body": SAID}
    told = use(second, "post_finding", **arguments)
    assert f"- finding {older.pk} (insight) by {first.user.get_username()}: Entropy weighting" in told
    newer = told.split("finding ")[1].split(".")[0]
    cited = use(second, "post_finding", **arguments, parents=[older.pk, int(newer)])
    assert "resembles" not in cited
    assert "resembles" not in use(second, "post_finding", kind="error", title="Out of memory", body="Batch of 4096.")


def test_news_come_nearest_to_ones_own_work_first_and_bounded(pair):
    first, second = pair
    first.brief, first.direction = "Which heads average the noise of the teacher best?", "ensembling heads"
    first.save()
    near = [
        post_finding(
            user=second.user, kind="insight", title=f"Averaging heads {n}", body="ensembling heads lowers noise",
        )
        for n in range(3)
    ]  # fmt: skip
    for number in range(20):
        post_finding(user=second.user, kind="error", title=f"Disk full {number}", body="cache folder")
    hidden = post_finding(user=second.user, kind="insight", title="ensembling heads", body="hidden words")
    hide(user=make_user("reviewer"), finding_id=hidden.pk, reason="labels")
    news = observe(first)
    lines = [line for line in news.text.splitlines() if line.startswith("- finding")]
    assert [line.split()[2] for line in lines[:3]] == [str(each.pk) for each in reversed(near)]
    assert len(lines) == MOST_FINDINGS and "15 more are left out" in news.text and "hidden words" not in news.text
    first.seen_finding = news.seen_finding
    assert observe(first).text == ""  # everything counts as told, the rest is for searching


def test_news_of_ones_own_experiments_are_bounded_and_counted(pair):
    first, _ = pair
    for _ in range(MOST_EXPERIMENTS + 2):
        made = make_experiment(user=first.user, state="scored", campaign=first.campaign_id, runs=False)
        tell(made, "experiment.scored", payload={"experiment": made.pk, "state": "scored"})
    news = observe(first)
    assert news.text.count("- #") == MOST_EXPERIMENTS and "(2 older ones are left out.)" in news.text
    assert news.seen_event == Event.objects.filter(campaign=first.campaign_id).order_by("-number").first().number


def test_every_agent_is_told_to_search_first_and_to_cite():
    assert "Before each proposal call search_findings" in LAB and "as parents of your finding" in LAB
    assert "search_findings first" in TOOLS.get("submit_experiment").summary
    assert "parents" in TOOLS.get("post_finding").summary
