"""What flags and verdicts do: standing, taint, latch, and their restoration; always computed from all flags."""

from typing import TYPE_CHECKING

from agents.lifecycle import AGENT_ENDED, LatchKind
from agents.models import Agent, Latch
from agents.services.control import release_flag_latch, set_latch
from experiments.models import Experiment
from experiments.services.standing import judge, own_standing
from oversight.lifecycle import GRAVITY, REOPENED, STANDING_AFTER, FlagState, Level, Verdict
from oversight.models import Decision, Flag
from oversight.services.locks import alike

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from experiments.lifecycle import Standing


def apply_effects(flag: Flag, *, actor: "User | None", reason: str) -> None:
    """Bring the result's standing and the agent's latch in line with every flag on them.

    Needs a transaction that holds what locks.py takes, and has told of the flag: the lab's log comes before the
    campaign's, where the latch is told.
    """
    if flag.experiment_id is not None:
        _settle_experiment(flag.experiment_id, actor=actor, reason=reason)
        _settle_method(flag, actor=actor, reason=reason)
    if flag.agent_id is not None:
        _settle_latch(flag.agent_id, flag, actor=actor, reason=reason)


def _settle_experiment(experiment_id: int, *, actor: "User | None", reason: str) -> None:
    experiment = Experiment.objects.get(pk=experiment_id)
    standings: list[Standing] = [own_standing(experiment)]
    flags = list(Flag.objects.filter(experiment=experiment_id).order_by("id"))
    for each in flags:
        standing = _standing_by(each)
        if standing is not None:
            standings.append(standing)
    if _same_method_disqualified(experiment):
        standings.append(STANDING_AFTER[Verdict.DISQUALIFIED])
    told = [{"id": each.pk, "level": each.level, "state": _state_told(each)} for each in flags]
    gravest = min(standings, key=GRAVITY.index)
    judge(experiment_id=experiment_id, standing=gravest, flags=told, reason=reason, actor=actor)


def _settle_method(flag: Flag, *, actor: "User | None", reason: str) -> None:
    """A disqualified method is disqualified wherever the same submitter ran it on that benchmark."""
    experiment = Experiment.objects.get(pk=flag.experiment_id or 0)
    for other in alike(experiment).exclude(pk=experiment.pk).order_by("pk").values_list("pk", flat=True):
        _settle_experiment(other, actor=actor, reason=reason)


def _same_method_disqualified(experiment: Experiment) -> bool:
    flags = Flag.objects.filter(
        experiment__method_digest=experiment.method_digest,
        experiment__benchmark=experiment.benchmark_id,
        experiment__submitter=experiment.submitter_id,
        state=FlagState.DECIDED,
    )
    return any(_verdict(each) == Verdict.DISQUALIFIED for each in flags)


def _standing_by(flag: Flag) -> "Standing | None":
    """What one flag makes of its result; None if nothing."""
    if flag.state == FlagState.DECIDED:
        return STANDING_AFTER.get(_verdict(flag))
    return GRAVITY[1] if flag.level == Level.HOLD else None


def _settle_latch(agent_id: int, flag: Flag, *, actor: "User | None", reason: str) -> None:
    """The flag latch is set while a hold is undecided; a verdict other than disqualified gives the agent back."""
    rows = Agent.objects.select_for_update(no_key=True, of=("self",)).select_related("campaign", "user")
    agent = rows.get(pk=agent_id)
    undecided = Flag.objects.undecided().filter(agent=agent, level=Level.HOLD).exists()
    if undecided:
        if agent.state not in AGENT_ENDED:
            set_latch(agent, LatchKind.FLAG, reason=f"flag {flag.pk} is under review", actor=actor)
        return
    held = Latch.objects.filter(agent=agent, kind=LatchKind.FLAG, released_at=None).exists()
    if held and actor is not None and flag.level == Level.HOLD and _verdict(flag) != Verdict.DISQUALIFIED:
        release_flag_latch(agent, user=actor, reason=reason)


def _verdict(flag: Flag) -> str:
    last = Decision.objects.filter(flag=flag).exclude(verdict=REOPENED).order_by("-id").first()
    return last.verdict if last else ""


def _state_told(flag: Flag) -> str:
    """A claim is nobody's business but the reviewers'."""
    return FlagState.DECIDED if flag.state == FlagState.DECIDED else FlagState.OPEN
