"""`manage.py experiment`: run a method on a benchmark from the command line."""

import json
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from experiments.errors import LabError, NotReady
from experiments.lifecycle import EXPERIMENT_TERMINAL, RUN_TERMINAL, BenchmarkState, ExperimentState, RunState
from experiments.management.following import acting_user, follow, look_at_benchmark
from experiments.models import Benchmark, Experiment
from experiments.permissions import can_manage_benchmarks, can_see_holdout
from experiments.selectors.experiment_page import export_of
from experiments.selectors.scores import Score, dev_score, holdout_score, vanilla_difference
from experiments.services.benchmarks import request_preparation
from experiments.services.experiments import submit_experiment


class Command(BaseCommand):
    """The same services as page and API; waits by looking at rows, so it can be interrupted at any time."""

    help = "Runs a method on a benchmark, shows a progress bar, and prints PGR with its interval at the end."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """One verb: run."""
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
        run = verbs.add_parser("run", help="submit an experiment and wait for its score")
        run.add_argument("method", help="a recipe's name, such as vanilla; `manage.py benchmark list` shows benchmarks")
        run.add_argument("--benchmark", required=True, metavar="SLUG")
        run.add_argument("--seeds", type=int, metavar="N", help="runs; by default as many as the benchmark says")
        run.add_argument(
            "--option", action="append", default=[], metavar="NAME=VALUE", help="an option of the method; repeatable"
        )
        run.add_argument("--title", default="", help="by default the names of method and benchmark")
        run.add_argument("--hypothesis", default="", help="what you expect, and why")
        run.add_argument("--priority", type=int, default=0, help="higher goes first; -100 to 100")
        run.add_argument("--user", default="", metavar="NAME", help="who submits; by default the lab's owner")
        run.add_argument("--no-wait", action="store_true", help="submit, print the number, and go")
        run.add_argument("--json", action="store_true", help="print one JSON object with everything about it")

    def handle(self, *_args: Any, **options: Any) -> None:
        user = acting_user(options["user"])
        try:
            _wait_until_ready(user, options["benchmark"])
            experiment = submit_experiment(
                user=user,
                benchmark=options["benchmark"],
                method=options["method"],
                options=parse_options(options["option"]),
                title=options["title"],
                hypothesis=options["hypothesis"],
                seeds=options["seeds"],
                priority=options["priority"],
            )
        except LabError as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            raise CommandError("nothing was submitted; the preparation goes on") from None
        url = f"{settings.PUBLIC_URL}/experiments/{experiment.pk}/"
        if not options["no_wait"]:
            try:
                follow(lambda: _look(experiment.pk), what=f"experiment {experiment.pk}", queues=("gpu", "evaluation"))
            except KeyboardInterrupt:
                raise CommandError(f"experiment {experiment.pk} goes on in the lab: {url}", returncode=130) from None
        experiment = Experiment.objects.select_related("benchmark", "method").get(pk=experiment.pk)
        if options["json"]:
            self.stdout.write(json.dumps({**export_of(user, experiment.pk), "url": url}, default=str))
        else:
            self._print(experiment, url, holdout=can_see_holdout(user))
        if experiment.state in (ExperimentState.FAILED, ExperimentState.CANCELLED):
            raise CommandError(
                f"experiment {experiment.pk} {experiment.state}: {experiment.error or 'no reason given'}"
            )

    def _print(self, experiment: Experiment, url: str, *, holdout: bool) -> None:
        lines = [f"experiment {experiment.pk}: {experiment.title} ({experiment.seeds} seeds), {experiment.state}"]
        if experiment.state == ExperimentState.SCORED:
            shown = [("dev", experiment.dev_accuracy, dev_score(experiment), experiment.dev_score)]
            if holdout:
                stored = experiment.holdout_score
                shown.append(("holdout", experiment.holdout_accuracy, holdout_score(experiment), stored))
            for split, accuracy, score, stored in shown:
                lines.append(f"{split:8} PGR {_written(score)}   accuracy {accuracy:.4f}   {_counts(score)}")
                lines.append(f"{'':8} against vanilla {_written(vanilla_difference(stored), sign='+')}")
                if stored.get("failed"):
                    lines.append(
                        f"{'':8} {stored['failed']} seeds failed; PGR {stored['sensitivity']:.3f} if they count 0"
                    )
        self.stdout.write("\n".join([*lines, url]))


def parse_options(given: list[str]) -> dict[str, Any]:
    """NAME=VALUE pairs; a value is read as JSON where it is JSON, else as text. Raises: CommandError."""
    options = {}
    for pair in given:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise CommandError(f"--option {pair!r}: expected NAME=VALUE")
        try:
            options[name] = json.loads(value)
        except json.JSONDecodeError:
            options[name] = value
    return options


def _wait_until_ready(user: Any, slug: str) -> None:
    """Have the benchmark prepared if it is not, and wait for that. Raises: LabError, KeyboardInterrupt."""
    row = Benchmark.objects.filter(slug=slug).first()
    if row is None or row.state not in (BenchmarkState.REGISTERED, BenchmarkState.PREPARING):
        return  # submitting says what is wrong
    if row.state == BenchmarkState.REGISTERED:
        if not can_manage_benchmarks(user):
            raise NotReady(f"{slug} has not been prepared yet")
        request_preparation(user=user, slug=slug)
    follow(lambda: look_at_benchmark(slug), what=f"preparing {slug}", queues=("gpu", "evaluation"))


def _look(experiment_id: int) -> tuple[str, int, int, bool]:
    state = Experiment.objects.values_list("state", flat=True).get(pk=experiment_id)
    runs = list(Experiment.objects.get(pk=experiment_id).runs.values_list("state", "progress_stage"))
    stage = next((stage for each, stage in runs if each == RunState.RUNNING and stage), str(state))
    return stage, sum(each in RUN_TERMINAL for each, _ in runs), len(runs), state in EXPERIMENT_TERMINAL


def _written(score: Score | None, *, sign: str = "") -> str:
    if score is None or score.value is None:
        return f"none ({score.reason})" if score and score.reason else "none"
    if score.low is None or score.high is None:
        return f"{score.value:{sign}.3f} [unbounded]"
    return f"{score.value:{sign}.3f} [{score.low:{sign}.3f}, {score.high:{sign}.3f}]"


def _counts(score: Score | None) -> str:
    return f"n = {score.n_items} items, {score.n_seeds} seeds, {score.percent}% interval" if score else ""
