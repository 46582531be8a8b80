"""What is new for an agent since its last step: its experiments that ended, and what others found."""

from collections.abc import Sequence
from dataclasses import dataclass

from agents.models import Agent
from experiments import ideas
from experiments.models import Event, Experiment
from experiments.selectors.ideas import idea_text
from experiments.selectors.scores import dev_score
from forum.models import Finding

MOST_EXPERIMENTS = 20
MOST_FINDINGS = 8
MOST_RANKED = 200  # new findings whose relevance is looked at
LONGEST_EXCERPT = 400
_ENDED = ["experiment.scored", "experiment.failed", "experiment.cancelled"]


@dataclass(frozen=True, slots=True)
class Observation:
    """text: for the agent, empty if nothing is new. seen_event, seen_finding: up to where it now knows."""

    text: str
    seen_event: int
    seen_finding: int


def observe(agent: Agent) -> Observation:
    """News since `agent.seen_event` and `agent.seen_finding`."""
    return observe_since(agent, event=agent.seen_event, finding=agent.seen_finding)


def observe_since(agent: Agent, *, event: int, finding: int) -> Observation:
    """News since an event and a finding, bounded; what is left out is counted."""
    ended = Event.objects.filter(campaign=agent.campaign_id, number__gt=event, kind__in=_ENDED)
    numbers = dict(ended.order_by("number").values_list("payload__experiment", "number"))
    own = Experiment.objects.filter(pk__in=numbers, submitter=agent.user_id).select_related("benchmark", "method")
    findings = (
        Finding.objects.visible_to(agent.user)
        .filter(campaign=agent.campaign_id, pk__gt=finding)
        .exclude(author=agent.user_id)
        .select_related("author")
        .defer("search")
        .order_by("-pk")
    )
    newest = list(findings[:MOST_RANKED])
    more = findings.count() if len(newest) == MOST_RANKED else len(newest)
    parts = []
    if own:
        ended_here = list(own.order_by("pk"))
        lines = [experiment_line(each) for each in ended_here[-MOST_EXPERIMENTS:]]
        if len(ended_here) > MOST_EXPERIMENTS:
            lines.append(f"({len(ended_here) - MOST_EXPERIMENTS} older ones are left out.)")
        parts.append("Your experiments that have ended:\n" + "\n".join(lines))
    if newest:
        shown = most_relevant(agent, newest)
        lines = [_finding_line(each) for each in shown]
        left_out = f"\n({more - len(shown)} more are left out; search the forum.)" if more > len(shown) else ""
        parts.append("New findings of others, nearest to your work first:\n" + "\n".join(lines) + left_out)
    return Observation(
        text="\n\n".join(parts),
        seen_event=max(numbers.values(), default=event),
        seen_finding=max((each.pk for each in newest), default=finding),
    )


def most_relevant(agent: Agent, findings: Sequence[Finding]) -> list[Finding]:
    """The MOST_FINDINGS that share most telling words with its direction and its latest hypotheses; ties: newest."""
    if len(findings) == 1:
        return list(findings)
    latest = Experiment.objects.filter(submitter=agent.user_id).order_by("-pk").values_list("title", "hypothesis")
    proposed = " ".join(idea_text(title, hypothesis)[:300] for title, hypothesis in latest[:2])
    profile = f"{agent.direction} {agent.brief[:400]} {proposed}"
    own, *others = ideas.vectors([profile, *(f"{each.title} {each.title} {each.body}" for each in findings)])
    near = {each.pk: ideas.cosine(own, vector) for each, vector in zip(findings, others, strict=True)}
    return sorted(findings, key=lambda each: (-near[each.pk], -each.pk))[:MOST_FINDINGS]


def nothing_new(agent: Agent) -> Observation:
    """No news: they wait for a step that can use them."""
    return Observation("", agent.seen_event, agent.seen_finding)


def experiment_line(experiment: Experiment) -> str:
    """One experiment as agents read it: dev figures only."""
    score = dev_score(experiment)
    head = f"- #{experiment.pk} {experiment.title} ({experiment.method.name} on {experiment.benchmark.slug})"
    if score is None or score.value is None:
        why = f": {experiment.error}" if experiment.error else ""
        return f"{head}: {experiment.state}{why}"
    interval = (
        f"[{score.low:.2f}, {score.high:.2f}]" if score.low is not None and score.high is not None else "unbounded"
    )
    return f"{head}: dev PGR {score.value:.3f} {interval}, {score.n_seeds} seeds, n = {score.n_items}"


def _finding_line(finding: Finding) -> str:
    body = " ".join(finding.body.split())
    excerpt = body if len(body) <= LONGEST_EXCERPT else f"{body[:LONGEST_EXCERPT]}…"
    return f"- finding {finding.pk} ({finding.kind}) by {finding.author.get_username()}: {finding.title}. {excerpt}"
