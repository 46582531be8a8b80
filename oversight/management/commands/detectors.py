"""manage.py detectors list | run EXPERIMENT | calibrate [BENCHMARK …]: what they are, say, and get wrong."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from oversight.detectors import DETECTORS
from oversight.services.detectors import setting_of


class Command(BaseCommand):
    """Detectors of metric gaming: list them, have them look at an experiment, measure them on honest work."""

    help = __doc__ or ""

    def add_arguments(self, parser: CommandParser) -> None:
        """One subcommand each."""
        commands = parser.add_subparsers(dest="what", required=True)
        commands.add_parser("list", help="every detector with its thresholds and error rates")
        run = commands.add_parser("run", help="inspect an experiment now; writes no flag")
        run.add_argument("experiment", type=int)
        measure = commands.add_parser("calibrate", help="measure on honest scored experiments, and keep the result")
        measure.add_argument("benchmarks", nargs="*", help="slugs; all that are ready by default")

    def handle(self, *_: Any, **options: Any) -> None:
        """Raises: CommandError."""
        {"list": self._list, "run": self._run, "calibrate": self._calibrate}[options["what"]](options)

    def _list(self, _: dict[str, Any]) -> None:
        for name in DETECTORS.names():
            detector = DETECTORS.get(name)
            setting = setting_of(name)
            state = "" if setting.enabled else " (off)"
            thresholds = detector(setting.overrides).options.model_dump(mode="json")
            self.stdout.write(f"{name}{state}: {detector.summary}")
            self.stdout.write(f"  thresholds       {', '.join(f'{k}={v}' for k, v in thresholds.items()) or 'none'}")
            self.stdout.write(f"  false positives  {detector.rates.false_positives}")
            self.stdout.write(f"  power            {detector.rates.power}")
            self.stdout.write(f"  blind to         {detector.rates.blind}")

    def _run(self, options: dict[str, Any]) -> None:
        from experiments.scoring import become_scorer  # noqa: PLC0415 - web processes load this module's siblings
        from oversight.inspection import look  # noqa: PLC0415
        from oversight.selectors.experiment_facts import experiment_facts  # noqa: PLC0415

        become_scorer()
        facts = experiment_facts(options["experiment"])
        if facts is None:
            raise CommandError(f"experiment {options['experiment']} is not scored, or its predictions are gone")
        for name, said, error in look(facts):
            if error or not said:
                self.stdout.write(f"{name:24} {'could not look: ' + error if error else '–'}")
            for each in said:
                statistic = "" if each.statistic is None else f" ({each.statistic:.4g}; threshold {each.threshold})"
                self.stdout.write(f"{name:24} {each.level.upper():5} {each.title}{statistic}")
                for sentence in each.sentences:
                    self.stdout.write(f"{'':30} {sentence}")

    def _calibrate(self, options: dict[str, Any]) -> None:
        from oversight.calibrating import calibrate  # noqa: PLC0415

        measured = calibrate(options["benchmarks"])
        if not measured:
            raise CommandError("no benchmark is ready")
        self.stdout.write(
            f"{'detector':24} {'benchmark':18} {'n':>5} {'flags':>5} {'holds':>5} {'rate':>7} {'≤ 95%':>7}"
        )
        for each in measured:
            if each.n and each.rate is not None and each.upper is not None:
                self.stdout.write(
                    f"{each.detector:24} {each.benchmark:18} {each.n:>5} {each.flags:>5} {each.holds:>5} "
                    f"{each.rate:>7.2%} {each.upper:>7.2%}"
                )
        suspect = {each.benchmark: each.left_out for each in measured if each.left_out}
        idle: dict[str, list[str]] = {}
        for each in measured:
            if not each.n:
                idle.setdefault(each.benchmark, []).append(each.detector)
        for benchmark, names in idle.items():
            self.stdout.write(f"nothing to measure on {benchmark}: {', '.join(names)}")
        for benchmark, reasons in suspect.items():
            told = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))
            self.stdout.write(f"left out on {benchmark}: {told} (judge what is held first: false holds are in it)")
