"""`manage.py benchmark`: register, list, prepare and import benchmarks."""

import json
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from experiments.errors import LabError
from experiments.lifecycle import BenchmarkState
from experiments.management.following import acting_user, follow, look_at_benchmark
from experiments.models import Benchmark
from experiments.services.benchmarks import BenchmarkFacts, import_benchmark, request_preparation, sync_builtin
from experiments.services.references import import_references
from registry import UnknownName
from workers.w2s.benchmarks import BUILTIN
from workers.w2s.data import DataError, load_dataset
from workers.w2s.spec import BenchmarkSpec, ModelSpec, SpecError

_HIDDEN, _LIKELIHOOD = "hidden_states", "likelihood"


class Command(BaseCommand):
    """Lives beside the science, because it reads datasets; it holds labels only while `import` checks them."""

    help = "Benchmarks: bring the built-in ones up to date, list them, prepare one, import your own data."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """One verb per thing to do."""
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
        sync = verbs.add_parser("sync", help="register what this version ships, and the published references")
        shown = verbs.add_parser("list", help="every benchmark with its state, sizes and baselines")
        references = verbs.add_parser("references", help="write the published reference figures")
        prepare = verbs.add_parser("prepare", help="compute features and baselines, and wait for them")
        prepare.add_argument("slug", metavar="SLUG")
        imported = verbs.add_parser("import", help="make a benchmark of your own data and models, and prepare it")
        imported.add_argument(
            "source", help="a folder with train_label.jsonl, train_unlabel.jsonl and test.jsonl, or hub:OWNER/NAME"
        )
        imported.add_argument("--slug", required=True, help="its name here, such as my-data")
        imported.add_argument("--weak", required=True, metavar="MODEL", help="wheel:NAME or hf:OWNER/NAME[@layers=N]")
        imported.add_argument("--strong", required=True, metavar="MODEL", help="wheel:NAME or hf:OWNER/NAME[@layers=N]")
        imported.add_argument("--student", choices=["probe", "lora", "full"], default="probe")
        imported.add_argument("--title", default="")
        imported.add_argument("--description", default="")
        imported.add_argument("--teachers", type=int, default=20, metavar="N", help="weak teachers (20)")
        imported.add_argument("--seeds", type=int, default=20, metavar="N", help="runs of an experiment (20)")
        imported.add_argument("--likelihood", action="store_true", help="offer the strong model's likelihoods as well")
        for verb in (prepare, imported):
            verb.add_argument("--user", default="", metavar="NAME", help="who asks; by default the lab's owner")
            verb.add_argument("--no-wait", action="store_true", help="ask for it and go")
        for verb in (sync, shown, references, prepare, imported):
            verb.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *_args: Any, **options: Any) -> None:
        verbs: dict[str, Callable[[dict[str, Any]], None]] = {
            "sync": self._sync,
            "list": self._list,
            "references": self._references,
            "prepare": self._prepare,
            "import": self._import,
        }
        try:
            verbs[options["verb"]](options)
        except LabError as error:
            raise CommandError(str(error)) from error

    def _sync(self, options: dict[str, Any]) -> None:
        changed = sync_builtin(benchmarks=[facts_of(spec) for spec in BUILTIN])
        references = import_references()
        if options["json"]:
            self.stdout.write(json.dumps({"changed": changed, "references": references}))
        elif options["verbosity"]:
            self.stdout.write(f"new or changed: {', '.join(changed) or 'none'}; references: {', '.join(references)}")

    def _references(self, options: dict[str, Any]) -> None:
        written = import_references()
        self.stdout.write(json.dumps({"references": written}) if options["json"] else f"written: {', '.join(written)}")

    def _list(self, options: dict[str, Any]) -> None:
        rows = [summary(row) for row in Benchmark.objects.prefetch_related("baselines")]
        if options["json"]:
            self.stdout.write(json.dumps(rows))
            return
        self.stdout.write(f"{'slug':22} {'state':11} {'weak':>7} {'ceiling':>7} {'dev':>6}  title")
        for row in rows:
            weak, ceiling = (f"{row[arm]:.4f}" if row[arm] is not None else "-" for arm in ("weak", "ceiling"))
            size = row["sizes"].get("dev", "-")
            self.stdout.write(f"{row['slug']:22} {row['state']:11} {weak:>7} {ceiling:>7} {size:>6}  {row['title']}")
            if row["error"]:
                self.stdout.write(f"{'':22} {row['error']}")

    def _prepare(self, options: dict[str, Any]) -> None:
        slug = options["slug"]
        row = Benchmark.objects.filter(slug=slug).first()
        if row is None or row.state != BenchmarkState.READY:  # ready is what was asked for
            request_preparation(user=acting_user(options["user"]), slug=slug)
        self._wait(slug, options)

    def _import(self, options: dict[str, Any]) -> None:
        user = acting_user(options["user"])
        source = options["source"]
        name = source if source.startswith("hub:") else f"path:{Path(source).expanduser().absolute()}"
        try:
            weak, strong = ModelSpec.parse(options["weak"]), ModelSpec.parse(options["strong"])
            dataset = load_dataset(name)
        except (DataError, SpecError, UnknownName) as error:
            raise CommandError(str(error)) from error
        facts = BenchmarkFacts(
            slug=options["slug"],
            title=options["title"] or options["slug"],
            description=options["description"],
            dataset=name,
            weak_model=str(weak),
            strong_model=str(strong),
            student=options["student"],
            offers=(_HIDDEN, _LIKELIHOOD) if options["likelihood"] else (_HIDDEN,),
            teachers=options["teachers"],
            default_seeds=options["seeds"],
            on_demand=True,
        )
        import_benchmark(user=user, facts=facts, dataset_digest=dataset.digest)
        self._wait(facts.slug, options)

    def _wait(self, slug: str, options: dict[str, Any]) -> None:
        url = f"{settings.PUBLIC_URL}/benchmarks/{slug}/"
        if not options["no_wait"]:
            try:
                follow(lambda: look_at_benchmark(slug), what=f"preparing {slug}", queues=("gpu", "evaluation"))
            except KeyboardInterrupt:
                raise CommandError(f"the preparation of {slug} goes on in the lab: {url}", returncode=130) from None
        row = Benchmark.objects.get(slug=slug)
        if options["json"]:
            self.stdout.write(json.dumps({**summary(row), "url": url}))
        elif row.state != BenchmarkState.FAILED:
            facts = summary(row)
            arms = "".join(f", {arm} {facts[arm]:.4f}" for arm in ("weak", "ceiling") if facts[arm] is not None)
            self.stdout.write(f"{slug}: {row.state}{arms}\n{url}")
        if row.state == BenchmarkState.FAILED:
            raise CommandError(f"the preparation of {slug} failed: {row.error}")


def facts_of(spec: BenchmarkSpec) -> BenchmarkFacts:
    """A benchmark of the science as the lab registers it."""
    return BenchmarkFacts(
        slug=spec.slug,
        title=spec.title,
        description=spec.description,
        dataset=spec.dataset,
        weak_model=str(spec.weak),
        strong_model=str(spec.strong),
        student=spec.student,
        offers=spec.offers,
        teachers=spec.teachers,
        default_seeds=spec.seeds,
        on_demand=spec.on_demand,
    )


def summary(row: Benchmark) -> dict[str, Any]:
    """What the command says about one benchmark; accuracies are those on dev."""
    means = {line.arm: line.mean for line in row.baselines.all() if line.split == "dev"}
    return {
        "slug": row.slug,
        "title": row.title,
        "state": row.state,
        "weak": means.get("weak"),
        "ceiling": means.get("ceiling"),
        "vanilla": means.get("vanilla"),
        "sizes": row.sizes,
        "weak_model": row.weak_model,
        "strong_model": row.strong_model,
        "student": row.student,
        "error": row.error,
    }
