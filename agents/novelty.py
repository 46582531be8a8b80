"""Tells an agent that what it proposes was proposed before, and where: by words and identical methods."""

from django.db.models import Q, Value
from django.db.models.functions import Left

from agents.models import Agent
from agents.observation import experiment_line
from experiments import ideas
from experiments.models import Experiment
from experiments.selectors.ideas import idea_text
from forum.models import Finding
from forum.selectors.related import similar

SAME_WORDS = 0.7  # cosine of TF-IDF vectors from which a hypothesis counts as said before
SAME_FINDING = 0.5  # share of a finding's telling words that another one has too
LOOKED_AT = 500  # newest experiments of the campaign
MOST_TOLD = 3


def repeated_hypotheses(agent: Agent, made: Experiment) -> str:
    """What the agent is told about an experiment that it has just submitted; empty if it is new.

    Two things count: the same method with the same options on the same benchmark, and a hypothesis of somebody else in
    the campaign with a cosine of at least SAME_WORDS.
    """
    before = Experiment.objects.visible_to(agent.user).filter(pk__lt=made.pk)
    same = before.filter(benchmark=made.benchmark_id, method_digest=made.method_digest)
    same = same.select_related("benchmark", "method").order_by("-pk")[:MOST_TOLD]
    parts = []
    if same:
        lines = "\n".join(experiment_line(each) for each in same)
        parts.append(
            "The same method with the same options was run here before (new seeds are worth something only if you say"
            f" why):\n{lines}"
        )
    alike = _alike(agent, made)
    if alike:
        rows = Experiment.objects.select_related("benchmark", "method", "submitter")
        found = rows.in_bulk([key for key, _ in alike])
        lines = "\n".join(
            f"{experiment_line(found[key])}, by {found[key].submitter.get_username()}, similarity {share:.2f}"
            for key, share in alike
        )
        parts.append(
            f"Your hypothesis repeats others' in its words (cosine at least {SAME_WORDS}; not meaning):\n{lines}\n"
            "Read them with read_experiment; if yours says the same, cancel it or say what is different, and cite them."
        )
    return "\n".join(parts)


def repeated_findings(agent: Agent, made: Finding) -> str:
    """What the agent is told about a finding that it has just posted; empty if nothing resembles it."""
    cited = set(made.parent_links.values_list("parent", flat=True))
    close = [
        each
        for each in similar(agent.user, title=made.title, body=made.body, without=made.pk)
        if each.similarity >= SAME_FINDING and each.finding.pk not in cited
    ][:MOST_TOLD]
    if not close:
        return ""
    lines = "\n".join(
        f"- finding {each.finding.pk} ({each.finding.kind}) by {each.finding.author.get_username()}:"
        f" {each.finding.title} ({each.percent}% of your telling words)"
        for each in close
    )
    return (
        f"It resembles findings that it does not cite (at least {SAME_FINDING:.0%} of its telling words; words, not"
        f" meaning):\n{lines}\nRead them; if yours repeats or contradicts one, say so in a comment; cite it next time."
    )


def _alike(agent: Agent, made: Experiment) -> list[tuple[int, float]]:
    others = (
        Experiment.objects.visible_to(agent.user)
        .filter(Q(campaign=agent.campaign_id), pk__lt=made.pk)
        .exclude(submitter=agent.user_id)
        .order_by("-pk")
        .annotate(said=Left("hypothesis", Value(ideas.LONGEST)))
        .values_list("pk", "title", "said")[:LOOKED_AT]
    )
    rows = list(others)
    own, *theirs = ideas.vectors(
        [idea_text(made.title, made.hypothesis), *(idea_text(title, said) for _, title, said in rows)]
    )
    shares = [(key, ideas.cosine(own, vector)) for (key, _, _), vector in zip(rows, theirs, strict=True)]
    return sorted((each for each in shares if each[1] >= SAME_WORDS), key=lambda each: -each[1])[:MOST_TOLD]
