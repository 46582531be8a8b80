"""Submissions, verdicts, pauses and workers in threads, at random: at rest what descends from held code is tainted.

And what is disqualified is so wherever its submitter ran it, before the verdict or after it.
"""

import time
from functools import partial
from itertools import count
from random import Random

import pytest
from django.db import DatabaseError, transaction

from agents.errors import Held
from agents.services.campaigns import AgentPlan
from agents.services.control import pause_agent, resume_agent
from experiments.errors import IllegalTransition
from experiments.lifecycle import TAINTING, Standing
from experiments.models import Experiment
from experiments.permissions import can_rerun
from experiments.services.experiments import rerun_experiment, submit_experiment
from experiments.services.runs import claim_runs, fail_runs, release
from experiments.snapshots.models import Snapshot, SnapshotParent
from experiments.snapshots.services import create_snapshot
from oversight.lifecycle import GRAVITY, STANDING_AFTER, FlagState, Verdict
from oversight.models import Flag
from oversight.services.decisions import decide_flag, reopen_flag
from tests.agents.conftest import make_campaign
from tests.asides import Aside
from tests.factories import make_experiment, make_method, make_user
from tests.oversight.conftest import decided, make_snapshot, raised

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

NO_OPTIONS = {"type": "object", "properties": {}, "additionalProperties": False}
LEAST_SECONDS, MOST_SECONDS = 4, 60
VERDICTS = ["clean", "clean", "clean", "policy_gray", "effect_removed", "disqualified", "evaluator_bug"]


class Lab:
    """Outside agents, a person and reviewers, around four pieces of scored code; each job goes on until the end."""

    def __init__(self):
        make_method("code", options_schema=NO_OPTIONS)
        self.reviewer, self.numbers = make_user("reviewer"), count()
        plans = [AgentPlan(researcher="outside", direction="simplicity", name=f"racer-{n}") for n in range(3)]
        self.campaign = make_campaign(agents=plans)
        self.place = self.campaign.benchmarks.get().slug
        self.agents = list(self.campaign.agents.select_related("user").order_by("id"))
        for number in range(4):
            code = make_snapshot(self.reviewer, f"y = {number}")
            make_experiment(user=make_user("researcher"), state="scored", snapshot=code)
        self.person = make_user("researcher")  # whose first method is disqualified already, and who goes on with it
        gamed = submit_experiment(
            user=self.person, benchmark=self.place, options={}, snapshot=Snapshot.objects.first().pk, seeds=1
        )
        self.stands = raised(gamed, level="hold")  # nobody judges that again
        decided(self.stands, "disqualified", self.reviewer)
        self.done = dict.fromkeys(["written", "held", "judged", "paused", "worked"], 0)
        self.began = time.monotonic()

    def goes_on(self):
        """For some seconds, and until everything has happened that this is about."""
        took = time.monotonic() - self.began
        return took < LEAST_SECONDS or (took < MOST_SECONDS and not all(self.done.values()))

    def submits(self, user, draw):
        """Known code, or new code that descends from some, in one transaction."""
        codes = list(Snapshot.objects.order_by("pk").values_list("pk", flat=True))
        own = Experiment.objects.filter(submitter=user).order_by("pk").values_list("snapshot", flat=True).first()
        code = own if own and draw.random() < 0.5 else draw.choice(codes)  # its first method again, or any
        with transaction.atomic():
            if draw.random() < 0.5:
                files, parents = {"method.py": f"x = {next(self.numbers)}"}, draw.sample(codes, draw.choice([1, 1, 2]))
                code = create_snapshot(user=user, files=files, parents=parents).pk
            submit_experiment(user=user, benchmark=self.place, options={}, snapshot=code, seeds=1)

    def writes(self, user, draw):
        while self.goes_on():
            ended = Experiment.objects.filter(state__in=["scored", "failed"]).order_by("?").first()
            try:
                if can_rerun(user) and draw.random() < 0.5:
                    rerun_experiment(user=user, experiment_id=ended.pk)
                else:
                    self.submits(user, draw)
                self.done["written"] += 1
            except Held:
                self.done["held"] += 1
            time.sleep(0.01)

    def judges(self, user, draw):
        while self.goes_on():
            flag, choice = Flag.objects.exclude(pk=self.stands.pk).order_by("?").first(), draw.random()
            try:
                if flag is None or choice < 0.2:
                    some = draw.choice(Experiment.objects.order_by("pk")[:12])
                    raised(some, level="hold", said=f"h = {next(self.numbers)}")
                elif flag.state == FlagState.DECIDED:
                    reopen_flag(user=user, flag_id=flag.pk, reason="once more")
                else:
                    decide_flag(user=user, flag_id=flag.pk, verdict=draw.choice(VERDICTS), reason="looked")
                self.done["judged"] += 1
            except IllegalTransition:
                pass  # the other reviewer was faster

    def pauses(self, draw):
        while self.goes_on():
            agent = draw.choice(self.agents)
            pause_agent(user=self.reviewer, agent_id=agent.pk, reason="let me look")
            time.sleep(0.02)
            resume_agent(user=self.reviewer, agent_id=agent.pk, reason="fine", kinds=["reviewer", "flag"])
            self.done["paused"] += 1

    def works(self, draw):
        while self.goes_on():
            claim = claim_runs(worker="gpu@here")
            if claim is None:
                time.sleep(0.01)
            elif draw.random() < 0.5:
                fail_runs(claim=claim, reason="it diverged")
            else:
                release(claim=claim)
            self.done["worked"] += 1


def expected():
    """Experiment -> the oldest held or disqualified one whose code its own descends from; None if there is none."""
    parents = {}
    for child, parent in SnapshotParent.objects.values_list("child", "parent"):
        parents.setdefault(child, []).append(parent)
    line = {}
    for code in Snapshot.objects.order_by("pk").values_list("pk", flat=True):  # parents are older than children
        line[code] = {code}.union(*(line[parent] for parent in parents.get(code, ())))
    rows = list(Experiment.objects.filter(snapshot__isnull=False).values_list("pk", "snapshot", "standing"))
    guilty = [(pk, code) for pk, code, standing in rows if standing in TAINTING]
    found = {pk: [by for by, held in guilty if held in line[code] and by != pk] for pk, code, _ in rows}
    return {pk: min(by, default=None) for pk, by in found.items()}


def standings():
    """Experiment -> what it must count for: the gravest of the flags on it, and of its method's disqualification."""
    by, methods, rows = {}, set(), Experiment.objects.values_list("pk", "submitter", "benchmark", "method_digest")
    alike = {pk: method for pk, *method in rows.iterator()}
    for flag in Flag.objects.filter(experiment__isnull=False):
        decided = flag.decisions.order_by("-id").first() if flag.state == FlagState.DECIDED else None
        found = STANDING_AFTER.get(decided.verdict) if decided else Standing.UNDER_REVIEW  # every flag here is a hold
        by.setdefault(flag.experiment_id, []).append(found or Standing.COUNTED)
        if decided and decided.verdict == Verdict.DISQUALIFIED:
            methods.add(tuple(alike[flag.experiment_id]))
    for pk, method in alike.items():
        by.setdefault(pk, []).append(Standing.DISQUALIFIED if tuple(method) in methods else Standing.COUNTED)
    return {pk: min(found, key=GRAVITY.index) for pk, found in by.items()}


def test_whatever_met_whatever_taint_and_standing_are_what_flags_make_of_them(roles, settings):
    settings.GRAVE_FLAG_REVIEWERS = 1
    lab = Lab()
    jobs = [(lab.writes, user) for user in [lab.person, *(each.user for each in lab.agents)]]
    jobs += [(lab.judges, user) for user in [lab.reviewer, make_user("reviewer")]]
    jobs += [(lab.pauses,), (lab.works,), (lab.works,)]
    threads = [Aside(partial(*job, draw=Random(number))) for number, job in enumerate(jobs)]
    for each in threads:
        each.join(120)
        assert not each.is_alive()
    assert [each.error for each in threads if isinstance(each.error, DatabaseError)] == []
    assert [each.error for each in threads if each.error] == []
    assert dict(Experiment.objects.filter(snapshot__isnull=False).values_list("pk", "tainted_by")) == expected()
    assert dict(Experiment.objects.values_list("pk", "standing")) == standings()
    assert all(lab.done.values()), lab.done
