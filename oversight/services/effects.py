"""What flags and verdicts do: standing, taint, latch, and their restoration; always computed from all flags."""

from typing import TYPE_CHECKING

from agents.lifecycle import AGENT_ENDED, LatchKind
from agents.models import Agent, Latch
from agents.services.control import release_flag_latch, set_latch
from experiments.models import Experiment
from experiments.services.standing import judge, own_standing
from experiments.verdicts import MethodVerdict
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


def verdict_on_method(experiment: Experiment) -> MethodVerdict | None:
    """What reviewers have decided of every run of its method, those to come, too: only that it is disqualified.

    All other verdicts, and holds, are on one result.
    """
    for flag in Flag.objects.filter(experiment__in=alike(experiment), state=FlagState.DECIDED).order_by("id"):
        last = _last_decision(flag)
        if last is not None and last.verdict == Verdict.DISQUALIFIED:
            reason = f"flag {flag.pk}: {Verdict.DISQUALIFIED.label}: {last.reason}"
            return MethodVerdict(STANDING_AFTER[Verdict.DISQUALIFIED], reason)
    return None


def _settle_experiment(experiment_id: int, *, actor: "User | None", reason: str) -> None:
    experiment = Experiment.objects.get(pk=experiment_id)
    standings: list[Standing] = [own_standing(experiment)]
    flags = list(Flag.objects.filter(experiment=experiment_id).order_by("id"))
    for each in flags:
        standing = _standing_by(each)
        if standing is not None:
            standings.append(standing)
    on_method = verdict_on_method(experiment)
    if on_method is not None:
        standings.append(on_method.standing)
    told = [{"id": each.pk, "level": each.level, "state": _state_told(each)} for each in flags]
    gravest = min(standings, key=GRAVITY.index)
    judge(experiment_id=experiment_id, standing=gravest, flags=told, reason=reason, actor=actor)


def _settle_method(flag: Flag, *, actor: "User | None", reason: str) -> None:
    """A disqualified method is disqualified wherever the same submitter ran it on that benchmark."""
    experiment = Experiment.objects.get(pk=flag.experiment_id or 0)
    for other in alike(experiment).exclude(pk=experiment.pk).order_by("pk").values_list("pk", flat=True):
        _settle_experiment(other, actor=actor, reason=reason)


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
    last = _last_decision(flag)
    return last.verdict if last else ""


def _last_decision(flag: Flag) -> Decision | None:
    found: Decision | None = Decision.objects.filter(flag=flag).exclude(verdict=REOPENED).order_by("-id").first()
    return found


def _state_told(flag: Flag) -> str:
    """A claim is nobody's business but the reviewers'."""
    return FlagState.DECIDED if flag.state == FlagState.DECIDED else FlagState.OPEN
