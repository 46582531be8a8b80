"""Plain search over the recipe space: no language model, no key; the control that every clever agent must beat.

It is labelled as what it is wherever it appears. Everything it knows it reads from rows, so it resumes anywhere: the
experiments of its whole campaign are its trials, the forum tells it which findings to cite.
Source: Bergstra et al. 2011 (TPE), as in Optuna.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import optuna
from optuna.trial import TrialState, create_trial

from agents.directions import BY_SLUG
from agents.researchers import RESEARCHERS, Thought, View
from agents.researchers._space import Recipe, recipe_of, remembered, suggest
from agents.services.actions import Call
from experiments.lifecycle import EXPERIMENT_TERMINAL, ExperimentState, MethodClass
from experiments.models import Benchmark, Experiment, Method
from experiments.offers import lacking
from experiments.options import canonical
from experiments.selectors.scores import dev_score
from experiments.services.code import CODE
from forum.models import Finding, FindingExperiment

if TYPE_CHECKING:
    from agents.models import Agent

TRIES = 40  # proposals drawn until one is new; a space that yields none in so many is used up
MOST_EXPERIMENTS = 30  # of one agent: after so many the best of them owes much to chance
STALE = 10  # scored experiments in a row that brought nothing better: time to stop
MOST_HEADING = 150  # characters of a finding's title that it writes

optuna.logging.set_verbosity(optuna.logging.WARNING)


@RESEARCHERS.register("search")
class SearchResearcher:
    """States a hypothesis, runs it, posts what came of it, keeps a notebook, stops when nothing gets better."""

    def worst_case(self, view: View) -> dict[str, int]:
        """Thinking is free here; experiments are booked when they are submitted."""
        return {}

    def cost(self, agent: "Agent", usage: Mapping[str, int]) -> dict[str, int]:
        """Nothing."""
        return {}

    def is_crowded(self, view: View) -> bool:
        """Rows are its memory; a transcript is never too long for it."""
        return False

    def think(self, view: View, *, say: Callable[[str], None], may_go_on: Callable[[], bool]) -> Thought:
        """One of: wait for what runs; report what has ended and try the next; finish."""
        agent = view.agent
        own = list(
            Experiment.objects.filter(submitter=agent.user_id).select_related("benchmark", "method").order_by("pk")
        )
        running = [each.pk for each in own if each.state not in EXPERIMENT_TERMINAL]
        if running:
            return _thought(say, f"Waiting for {_numbers(running)}.", ("wait", {"experiments": running}))
        told = _reported(agent)
        reports = [_report(each, _stated(agent, each)) for each in own if each.pk not in told]
        refused = _refused(view)
        reason = refused or self._enough(own)
        proposal = None if reason else self._propose(agent, len(own))
        if proposal is None:
            reason = reason or "Every proposal I can draw has been run already."
            calls = [*reports, ("notebook", {"body": _notebook(own)}), ("finish", {"summary": _summary(own, reason)})]
            return _thought(say, f"I stop: {reason}", *calls)
        recipe, options, benchmark, why, parents = proposal
        title = f"{recipe.name} {_words(options)} on {benchmark.slug}".replace("  ", " ")[:200]
        hypothesis = f"{why} {recipe.summary}"
        stated = {"kind": "hypothesis", "title": title[:MOST_HEADING], "body": hypothesis, "parents": parents}
        calls = [
            *reports,
            ("notebook", {"body": _notebook(own)}),
            ("post_finding", stated),
            (
                "submit_experiment",
                {
                    "benchmark": benchmark.slug, "method": recipe.name, "options": options, "title": title,
                    "hypothesis": hypothesis,
                },
            ),
        ]  # fmt: skip
        return _thought(say, f"Next: {title}. {why}", *calls)

    def _enough(self, own: Sequence[Experiment]) -> str:
        """Why to stop; empty to go on."""
        if len(own) >= MOST_EXPERIMENTS:
            return f"I have run {len(own)} experiments."
        scores = [each.dev_pgr for each in own if each.state == ExperimentState.SCORED and each.dev_pgr is not None]
        if len(scores) > STALE and max(scores[-STALE:]) <= max(scores[:-STALE]):
            return f"The last {STALE} experiments brought nothing better."
        return ""

    def _propose(
        self, agent: "Agent", round_number: int
    ) -> tuple[Recipe, dict[str, Any], Benchmark, str, list[int]] | None:
        """Recipe, options, benchmark, the reason in words, findings it builds on; None if nothing new is left."""
        benchmarks = list(agent.campaign.benchmarks.filter(state="ready").order_by("slug"))
        if not benchmarks:
            return None
        benchmark = benchmarks[round_number % len(benchmarks)]
        recipes = _recipes(benchmark)
        known = _known(agent, benchmark)
        seen = _tried(agent, benchmark)
        by_name = {each.name: each for each in recipes}
        parents = _cited(known)
        for name in BY_SLUG[agent.direction].favours if agent.direction in BY_SLUG else ():
            recipe = by_name.get(name)
            if recipe is not None and (name, canonical(recipe.defaults)) not in seen:
                why = f"My direction is {agent.direction}: I begin with its own recipes as they are."
                return recipe, dict(recipe.defaults), benchmark, why, parents
        study = _study(agent, round_number, known, recipes)
        for _ in range(TRIES):
            recipe, options = suggest(study.ask(), recipes)
            complete = {**recipe.defaults, **options}
            if (recipe.name, canonical(complete)) not in seen:
                why = f"A draw that follows what {len(known)} scored experiments of this campaign favour."
                return recipe, complete, benchmark, why, parents
        return None


def _study(
    agent: "Agent", round_number: int, known: Sequence[Experiment], recipes: Sequence[Recipe]
) -> optuna.study.Study:
    """Built anew from rows; its randomness follows from the agent and the round, so a repeated step repeats it."""
    sampler = optuna.samplers.TPESampler(seed=(agent.seed + round_number) % 2**32, n_startup_trials=8)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    by_name = {each.name: each for each in recipes}
    for each in known:
        recipe = by_name.get(each.method.name)
        told = remembered(recipe, each.options, recipes) if recipe else None
        if told is not None:
            params, distributions = told
            study.add_trial(
                create_trial(state=TrialState.COMPLETE, params=params, distributions=distributions, value=each.dev_pgr)
            )
    return study


def _recipes(benchmark: Benchmark) -> list[Recipe]:
    """Weak-to-strong recipes that the benchmark lets run."""
    enabled = Method.objects.filter(enabled=True, method_class=MethodClass.WEAK_TO_STRONG)
    return [
        recipe_of(each, offers=benchmark.offers)
        for each in enabled
        if each.name != CODE and not lacking(each.uses, {}, {}, benchmark.offers)
    ]


def _known(agent: "Agent", benchmark: Benchmark) -> list[Experiment]:
    """Scored experiments of the campaign on the benchmark, everybody's."""
    scored = Experiment.objects.filter(
        campaign=agent.campaign_id, benchmark=benchmark, state=ExperimentState.SCORED, dev_pgr__isnull=False
    )
    return list(scored.select_related("method").order_by("pk"))


def _tried(agent: "Agent", benchmark: Benchmark) -> set[tuple[str, str]]:
    """What anybody of the campaign has run or is running: the same again would get the same seeds, score or error."""
    others = Experiment.objects.filter(campaign=agent.campaign_id, benchmark=benchmark)
    others = others.exclude(state=ExperimentState.CANCELLED)
    return {(name, canonical(options)) for name, options in others.values_list("method__name", "options")}


def _cited(known: Sequence[Experiment]) -> list[int]:
    """The result finding on the best experiment so far, if somebody posted one."""
    if not known:
        return []
    best = max(known, key=lambda each: each.dev_pgr or 0.0)
    links = FindingExperiment.objects.filter(experiment=best, finding__kind="result")
    return list(links.order_by("finding_id").values_list("finding_id", flat=True)[:1])


def _reported(agent: "Agent") -> set[int]:
    """Experiments that the agent has told the forum about."""
    links = FindingExperiment.objects.filter(finding__author=agent.user_id)
    return set(links.values_list("experiment_id", flat=True))


def _stated(agent: "Agent", experiment: Experiment) -> list[int]:
    """The hypothesis that the agent posted before it ran the experiment; none if the forum did not take it."""
    own = Finding.objects.filter(author=agent.user_id, kind="hypothesis", title=experiment.title[:MOST_HEADING])
    return list(own.filter(body=experiment.hypothesis).order_by("-pk").values_list("pk", flat=True)[:1])


def _report(experiment: Experiment, hypothesis: list[int]) -> tuple[str, dict[str, Any]]:
    score = dev_score(experiment)
    if score is None or score.value is None:
        title = f"{experiment.title}: {experiment.state}"
        body = f"Experiment {{{{exp:{experiment.pk}}}}} brought no score: {experiment.error or experiment.state}."
        kind = "error"
    else:
        title = experiment.title
        sure = score.low is not None and score.low > 0
        body = f"Dev PGR {{{{pgr exp:{experiment.pk}}}}}. Options: {_words(experiment.options) or 'the defaults'}. " + (
            "Above its teacher beyond the noise." if sure else "Not told apart from its teacher by these seeds."
        )
        kind = "result"
    told = {"kind": kind, "title": title[:MOST_HEADING], "body": body}
    return "post_finding", {**told, "experiments": [experiment.pk], "parents": hypothesis}


def _refused(view: View) -> str:
    """What the last submission was refused with; empty if it was not."""
    results = [entry for entry in view.entries if entry.kind == "results"]
    blocks = results[-1].content if results else []
    return next((str(block["content"]) for block in blocks if block.get("is_error")), "")


def _notebook(own: Sequence[Experiment]) -> str:
    lines = ["# What I have run", ""]
    for each in own:
        value = f"{each.dev_pgr:.3f}" if each.dev_pgr is not None else each.state
        lines.append(f"- #{each.pk} {each.title}: {value}")
    return "\n".join(lines)


def _summary(own: Sequence[Experiment], reason: str) -> str:
    scored = [each for each in own if each.dev_pgr is not None]
    if not scored:
        return f"Nothing was scored. {reason}"
    best = max(scored, key=lambda each: each.dev_pgr or 0.0)
    return f"{len(scored)} experiments scored; best dev PGR {best.dev_pgr:.3f} in #{best.pk} ({best.title}). {reason}"


def _thought(say: Callable[[str], None], text: str, *calls: tuple[str, dict[str, Any]]) -> Thought:
    say(text)
    made = [Call(f"call_{index}", tool, arguments) for index, (tool, arguments) in enumerate(calls)]
    uses = [{"type": "tool_use", "id": each.call_id, "name": each.tool, "input": each.arguments} for each in made]
    return Thought([{"type": "text", "text": text}, *uses], made, "tool_use")


def _words(options: Mapping[str, Any]) -> str:
    shown = {name: value for name, value in sorted(options.items()) if name != "l2"}
    return ", ".join(f"{name} {value}" for name, value in shown.items())


def _numbers(ids: Sequence[int]) -> str:
    return ", ".join(f"#{each}" for each in ids)
