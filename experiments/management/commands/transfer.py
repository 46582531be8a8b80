"""`manage.py transfer`: does a method's win hold elsewhere? From the command line."""

import json
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from experiments.errors import LabError
from experiments.lifecycle import StudyState, Verdict
from experiments.management.following import acting_user, follow
from experiments.serializers.transfer import Preview, StudyDetail
from experiments.transfer.models import TransferStudy
from experiments.transfer.plans import USUAL_SEEDS, USUAL_THETA, detects_from, hash_of
from experiments.transfer.selectors import StudyFacts, study_facts, study_of
from experiments.transfer.services import preview_study, start_study


class Command(BaseCommand):
    """The same services as page and API; waits by looking at rows, so it can be interrupted at any time."""

    help = "Runs an experiment's method on other benchmarks by a frozen plan, and prints a verdict for each."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Three verbs: plan, start, status."""
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
        for verb, what in (("plan", "show what a study would detect; starts nothing"), ("start", "start one and wait")):
            asked = verbs.add_parser(verb, help=what)
            asked.add_argument("experiment", type=int, help="number of a scored experiment")
            asked.add_argument("--cells", required=True, metavar="SLUG,SLUG", help="benchmarks other than its own")
            asked.add_argument("--seeds", type=int, default=USUAL_SEEDS, metavar="N", help="runs per cell")
            asked.add_argument(
                "--theta-min", type=float, default=USUAL_THETA, metavar="PGR", help="smallest that counts"
            )
            asked.add_argument("--user", default="", metavar="NAME", help="who asks; by default the lab's owner")
            asked.add_argument("--json", action="store_true", help="print one JSON object")
            if verb == "start":
                asked.add_argument("--no-wait", action="store_true", help="start it, print its number, and go")
        status = verbs.add_parser("status", help="print the verdicts that there are")
        status.add_argument("study", type=int)
        status.add_argument("--user", default="", metavar="NAME", help="who asks; by default the lab's owner")
        status.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *_args: Any, **options: Any) -> None:
        user = acting_user(options["user"])
        try:
            if options["verb"] == "plan":
                self._plan(preview_study(user=user, **_asked(options)), as_json=options["json"])
                return
            number = options["study"] if options["verb"] == "status" else self._started(user, options)
            (facts,) = study_facts([study_of(user, number)])
        except LabError as error:
            raise CommandError(f"{error.pointer}: {error}" if error.pointer else str(error)) from error
        url = f"{settings.PUBLIC_URL}/transfer/{number}/"
        if options["json"]:
            self.stdout.write(json.dumps({**StudyDetail(facts).data, "url": url}, default=str))
        else:
            self.stdout.write("\n".join([*_lines(facts), url]))

    def _started(self, user: Any, options: dict[str, Any]) -> int:
        study = start_study(user=user, **_asked(options))
        if not options["no_wait"]:
            try:
                follow(lambda: _look(study.pk), what=f"transfer study {study.pk}", queues=("gpu", "evaluation"))
            except KeyboardInterrupt:
                url = f"{settings.PUBLIC_URL}/transfer/{study.pk}/"
                raise CommandError(f"transfer study {study.pk} goes on in the lab: {url}", returncode=130) from None
        return study.pk

    def _plan(self, plan: dict[str, Any], *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps(Preview({"plan": plan, "plan_hash": hash_of(plan)}).data))
            return
        lines = [f"{plan['kind']}, {plan['seeds']} seeds per cell, theta_min {plan['theta_min']:.2f}"]
        for cell in plan["cells"]:
            least = detects_from(plan["theta_min"], cell["mde"])
            detects = "no gap: nothing" if least is None else f"PGR from {least:.2f}"
            lines.append(f"{cell['benchmark']:20} detects {detects}   n = {cell['n_items']}, gap {cell['gap']:.3f}")
        self.stdout.write("\n".join(lines))


def _asked(options: dict[str, Any]) -> dict[str, Any]:
    return {
        "experiment": options["experiment"],
        "benchmarks": [each.strip() for each in options["cells"].split(",") if each.strip()],
        "seeds": options["seeds"],
        "theta_min": options["theta_min"],
    }


def _look(study_id: int) -> tuple[str, int, int, bool]:
    study = TransferStudy.objects.get(pk=study_id)
    cells = list(study.cells.values_list("judged_at", flat=True))
    return "cells", sum(each is not None for each in cells), len(cells), study.state != StudyState.RUNNING


def _lines(facts: StudyFacts) -> list[str]:
    study = facts.study
    lines = [
        f"transfer study {study.pk} of experiment {study.experiment_id}, {facts.kind}, {study.state}: {facts.says}"
    ]
    for each in facts.cells:
        verdict = Verdict(each.verdict).label if each.verdict else each.cell.experiment.state
        lines.append(f"{each.cell.benchmark.slug:20} {verdict:18} {each.numbers.says or each.cell.error}".rstrip())
    return lines
