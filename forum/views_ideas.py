"""The page of ideas: how diverse they are, what grew out of what, what was tried and what it gave."""

from django.http import HttpRequest, HttpResponse

from experiments.charts import prepare
from experiments.charts._campaign import read_campaign
from experiments.selectors.ideas import MOST, WINDOW, dead_ends, tried_rows
from experiments.views.access import page, show
from forum.lineage import MOST_NODES


@page
def ideas(request: HttpRequest) -> HttpResponse:
    """?campaign=3: of one campaign; without: of everybody."""
    campaign = read_campaign(request.GET.get("campaign", ""))
    params = {"campaign": campaign} if campaign else {}
    tried = tried_rows(request.user, campaign)
    context = {
        "campaign": campaign,
        "diversity": prepare("idea-diversity", request.user, params),
        "lineage": prepare("lineage", request.user, params),
        "chart": prepare("what-was-tried", request.user, params),
        "tried": tried,
        "dead_methods": sum(row.outcome == "dead end" for row in tried),
        "dead_ends": dead_ends(request.user, campaign),
        "window": WINDOW,
        "most": MOST,
        "most_nodes": MOST_NODES,
    }
    return show(request, "forum/ideas.html", context)
