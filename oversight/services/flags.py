"""Raise flags, by detectors and by hand, and claim them; each has its effects at once. Lock order: locks.py."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils import timezone

from agents.models import Agent, Campaign
from agents.services.policies import current_policy
from experiments import events
from experiments.acting import act_as
from experiments.archives.models import is_imported
from experiments.errors import Forbidden, IllegalTransition, InvalidInput, NotFound, Refused
from experiments.models import Experiment, Upload
from experiments.texts import check_reason
from forum.models import Finding
from oversight.lifecycle import FlagState, Level, Source
from oversight.models import Calibration, DetectorSetting, Flag
from oversight.permissions import can_judge
from oversight.selectors.pins import pinned
from oversight.services.effects import apply_effects
from oversight.services.locks import lock_agents, lock_experiments

if TYPE_CHECKING:
    from django.contrib.auth.models import User

Subject = Experiment | Agent | Upload | Finding

LOCK = timedelta(minutes=5)
LONGEST_TITLE = 200
MOST_SENTENCES = 200
PERSON = "person"


@transaction.atomic
def raise_flag(
    *,
    detector: str,
    level: str,
    subject: Subject,
    title: str,
    statistic: float | None = None,
    threshold: float | None = None,
    p_value: float | None = None,
    evidence: Sequence[Mapping[str, Any] | str],
    user: "User | None" = None,
    source: str = "",
    calibration: Calibration | None = None,
) -> Flag:
    """Write down a suspicion and let it have its effects; the same one again is the same row.

    evidence: sentences, or {"text", "link", "quote"} with a link to the exact row. user: who flags by hand.
    A demoted detector's hold is a flag. Raises: InvalidInput.
    """
    if level not in Level.values:
        raise InvalidInput(f"{level!r}: expected one of {', '.join(Level.values)}", pointer="#/level")
    sentences = [_sentence(each) for each in evidence]
    if not sentences or len(sentences) > MOST_SENTENCES:
        raise InvalidInput(f"{len(sentences)} sentences of evidence: 1 to {MOST_SENTENCES}", pointer="#/evidence")
    about = _about(subject)
    key = _key(detector, level, about, sentences)
    seen: Flag | None = Flag.objects.filter(key=key).first()
    if seen is not None:
        return seen
    campaign = _campaign(about)
    lock_subjects([subject])
    source = source or (Source.PERSON if user is not None else Source.DETECTOR)
    flag, made = Flag.objects.get_or_create(
        key=key,
        defaults={
            **about.columns,
            "campaign": campaign,
            "detector": detector,
            "source": source,
            "level": _weighed(detector, level, source, campaign),
            "title": _checked(title, LONGEST_TITLE, "#/title"),
            "statistic": statistic,
            "threshold": threshold,
            "p_value": p_value,
            "evidence": sentences,
            "calibration": calibration,
            "raised_by": user,
        },
    )
    if made:
        tell(flag, "flag.raised", actor=user, detector=detector, title=flag.title)
        apply_effects(flag, actor=user, reason=f"flag {flag.pk}: {flag.title}")
    return flag


@transaction.atomic
def flag_by_hand(
    *, user: "User", subject: str, note: str, level: str = Level.FLAG, title: str = "", pin: str = "", quote: str = ""
) -> Flag:
    """A person's own flag. subject: "experiment:12", "agent:3", "upload:4" or "finding:5".

    pin: the exact row or text meant: "run:3", "action:77", "entry:9", "comment:8", "file:method.py"; quote: words of
    it. Raises: Forbidden, NotFound, InvalidInput, Refused for what came from another lab.
    """
    if not can_judge(user):
        raise Forbidden("you may not raise flags")
    row = subject_of(subject)
    if is_imported(f"{row._meta.model_name}s", row.pk):
        raise Refused(f"{subject} came from another lab: it is for reading only")
    said = check_reason(note, pointer="#/note")
    place = pinned(row, pin, quote)
    return raise_flag(
        detector=PERSON,
        level=level,
        subject=row,
        title=title or said.splitlines()[0][:LONGEST_TITLE],
        evidence=[{"text": said, **place}],
        user=user,
        source=Source.PERSON,
    )


@transaction.atomic
def claim_flag(*, user: "User", flag_id: int) -> Flag:
    """Take the lock for five minutes; one's own is renewed. Raises: NotFound, Forbidden, IllegalTransition."""
    flag = locked_flag(user, flag_id)
    if flag.state == FlagState.DECIDED:
        raise IllegalTransition(f"flag {flag.pk} is decided; reopen it to look again")
    check_free(flag, user)
    renewed = flag.claimant() == user.pk
    flag.state, flag.claimed_by, flag.claimed_until = FlagState.CLAIMED, user, timezone.now() + LOCK
    flag.save(update_fields=["state", "claimed_by", "claimed_until"])
    if not renewed:
        tell(flag, "flag.claimed", actor=user, by=user.get_username())
    return flag


def check_free(flag: Flag, user: "User") -> None:
    """Raises: IllegalTransition while somebody else looks at it."""
    holder = flag.claimant()
    if holder is not None and holder != user.pk:
        assert flag.claimed_by is not None
        assert flag.claimed_until is not None
        until = flag.claimed_until.strftime("%H:%M:%S")
        raise IllegalTransition(f"flag {flag.pk} is claimed by {flag.claimed_by.get_username()} until {until} UTC")


def locked_flag(user: "User", flag_id: int) -> Flag:
    """The flag, and before it the agent it may latch, locked. Raises: NotFound, Forbidden."""
    found: Flag | None = Flag.objects.visible_to(user).filter(pk=flag_id).first()
    if found is None:
        raise NotFound(f"no flag {flag_id}")
    if not can_judge(user):
        raise Forbidden("you may not judge flags")
    act_as(user)
    lock_agents(_keys(found.agent_id))
    # alone: a row joined here would be of the moment before the wait, and with it whoever has claimed the flag since
    locked: Flag = Flag.objects.select_for_update(no_key=True).get(pk=flag_id)
    return locked


def lock_touched(flag: Flag) -> None:
    """What a verdict on a locked flag touches, before the first event."""
    lock_experiments(_keys(flag.experiment_id), agents=_keys(flag.agent_id))


def lock_subjects(subjects: Sequence[Subject]) -> None:
    """What flags on these touch, all of it before the first event of the first. Needs a transaction."""
    about = [_about(each) for each in subjects]
    agents = [each.agent.pk for each in about if each.agent is not None]
    lock_agents(agents)
    lock_experiments([each.experiment.pk for each in about if each.experiment is not None], agents=agents)


def subject_of(name: str) -> Subject:
    """ "experiment:12" -> the row. Raises: InvalidInput, NotFound."""
    kind, _, number = name.partition(":")
    models: dict[str, Any] = {"experiment": Experiment, "agent": Agent, "upload": Upload, "finding": Finding}
    if kind not in models or not number.isascii() or not number.isdigit() or len(number) > 18:
        raise InvalidInput(f"{name!r}: expected {', '.join(f'{each}:NUMBER' for each in models)}", pointer="#/subject")
    row: Subject | None = models[kind].objects.filter(pk=int(number)).first()
    if row is None:
        raise NotFound(f"no {kind} {number}")
    return row


def tell(flag: Flag, kind: str, *, actor: "User | None", **told: Any) -> None:
    """An event about a flag, for people: in the lab's log and in its campaign's."""
    payload = {"flag": flag.pk, "level": flag.level, "state": flag.state, "subject": flag.subject, **told}
    if flag.experiment_id:
        payload["experiment"] = flag.experiment_id
    for campaign in sorted({events.LAB, flag.campaign_id or events.LAB}):
        events.record(kind, f"flag:{flag.pk}", actor=actor, payload=payload, campaign=campaign)


@dataclass(frozen=True, slots=True)
class _About:
    """What a flag is about; agent: who may be latched for it."""

    name: str
    columns: dict[str, Any]
    agent: Agent | None
    experiment: Experiment | None = None


def _keys(key: int | None) -> list[int]:
    return [] if key is None else [key]


def _about(subject: Subject) -> _About:
    kind = subject._meta.model_name or ""
    if isinstance(subject, Agent):
        return _About(f"agent:{subject.pk}", {"agent": subject}, subject)
    account = subject.author_id if isinstance(subject, Finding) else subject.submitter_id
    agent = Agent.objects.filter(user=account).first()
    experiment = subject if isinstance(subject, Experiment) else None
    return _About(f"{kind}:{subject.pk}", {kind: subject, "agent": agent}, agent, experiment)


def _campaign(about: _About) -> Campaign | None:
    number = about.experiment.campaign if about.experiment else 0
    if not number and about.agent is not None:
        number = about.agent.campaign_id
    return Campaign.objects.filter(pk=number).first() if number else None


def _weighed(detector: str, level: str, source: str, campaign: Campaign | None) -> str:
    """The level that counts: a demoted detector holds nobody, and a campaign's policy may hold what is flagged.

    It never holds on the word of a person's flag or of a model: most of what a monitor flags is innocent.
    """
    demoted = source != Source.PERSON and (
        DetectorSetting.objects.filter(name=detector, demoted_at__isnull=False).exists()
    )
    if demoted:
        return Level.FLAG if level == Level.HOLD else level
    policy = current_policy(campaign.pk) if campaign is not None and level == Level.FLAG else None
    strict = policy is not None and policy.hold_flags and source == Source.DETECTOR
    return Level.HOLD if strict else level


def _sentence(given: Mapping[str, Any] | str) -> dict[str, Any]:
    """One piece of evidence. Raises: InvalidInput for a link that leaves the lab."""
    piece = {"text": given} if isinstance(given, str) else dict(given)
    text, link = str(piece.get("text", "")).replace("\x00", "\N{REPLACEMENT CHARACTER}"), str(piece.get("link", ""))
    if not text.strip():
        raise InvalidInput("a piece of evidence needs a sentence", pointer="#/evidence")
    if link and (not link.startswith("/") or link.startswith("//")):
        raise InvalidInput(
            f"{link[:80]!r}: a link leads to a page of the lab, as /experiments/12/", pointer="#/evidence"
        )
    return {**piece, "text": text, **({"link": link} if link else {})}


def _key(detector: str, level: str, about: _About, evidence: list[dict[str, Any]]) -> str:
    canonical = json.dumps([detector, level, about.name, evidence], sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _checked(text: str, longest: int, pointer: str) -> str:
    text = text.strip()
    if not text or len(text) > longest or "\x00" in text:
        raise InvalidInput(f"expected 1 to {longest} characters, none of them NUL", pointer=pointer)
    return text
