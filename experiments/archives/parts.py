"""What of a campaign lies in this app: people, benchmarks with baselines, methods, code, experiments, runs, events."""

from collections.abc import Iterator
from pathlib import PurePath
from typing import Any, Literal

from django.contrib.auth import get_user_model
from django.db.models import Q, QuerySet

from experiments.archives.columns import Column, Row
from experiments.archives.forms import COUNTS, CURVES, DIGEST, NUMBERS, OBJECT, OBJECTS, SCHEMA, SCORE, SPLIT, TEXTS
from experiments.archives.judged import Probes, Taints
from experiments.archives.left_out import LEFT_OUT
from experiments.archives.log import Events
from experiments.archives.models import ImportedRow
from experiments.archives.tables import Names, Scope, Table, World
from experiments.errors import InvalidInput
from experiments.lifecycle import EXPERIMENT_TERMINAL, RUN_TERMINAL, BenchmarkState, ExperimentState, RunState
from experiments.models import Baseline, Benchmark, Evaluation, Experiment, Method, Run
from experiments.selectors.sealed import for_agents
from experiments.snapshots.models import Snapshot, SnapshotParent
from experiments.snapshots.trees import check_tree, tree_digest


def collect(scope: Scope) -> None:
    """Experiments of the campaign and those that its findings cite, what they repeat or are tainted by, their code."""
    if scope.imported is not None:
        return
    found = scope.ids.setdefault("experiments", set())
    found |= set(Experiment.objects.filter(campaign=scope.campaign).values_list("pk", flat=True))
    fresh = set(found)
    while fresh:
        origins = Experiment.objects.filter(pk__in=fresh).values_list("rerun_of", "tainted_by")
        fresh = {each for pair in origins for each in pair if each is not None} - found
        found |= fresh
    code = scope.ids.setdefault("snapshots", set())
    used = Experiment.objects.filter(pk__in=found, snapshot__isnull=False)
    code |= set(used.values_list("snapshot", flat=True))
    fresh = set(code)
    while fresh:
        fresh = set(SnapshotParent.objects.filter(child__in=fresh).values_list("parent", flat=True)) - code
        code |= fresh


class People(Table):
    """Names only: no address, no password, no token. Here they are accounts that nobody can log in to."""

    name = "people"
    model = get_user_model()
    columns = (Column("id", "id"), Column("name", attr="username"), Column("kind", form=Literal["agent", "person"]))
    told = frozenset({"id", "name", "kind"})
    translated = frozenset({"name", "kind"})

    def base(self) -> QuerySet[Any]:
        """With their roles."""
        return super().base().prefetch_related("groups")

    def read(self, row: Any, names: Names, scope: Scope) -> Row:
        """kind: agent or person."""
        agent = any(group.name == "agent" for group in row.groups.all())
        return {
            "id": names.original(self.name, row.pk),
            "name": row.get_username(),
            "kind": "agent" if agent else "person",
        }

    def restore(self, row: Row, world: World) -> Any:
        """The name says from where; nobody can log in as it."""
        made = get_user_model()(username=f"{row['name'][:110]}@{world.tag}", is_active=False)
        if get_user_model().objects.filter(username=made.username).exists():
            made.username = f"{row['name'][:90]}-{row['id']}@{world.tag}"
        made.set_unusable_password()
        made.save()
        return made


class Benchmarks(Table):
    """What everybody may know of a benchmark: no items, no labels. Here a reference that takes no experiments."""

    name = "benchmarks"
    model = Benchmark
    columns = (
        Column("id", "id"), Column("slug"), Column("title"), Column("description"), Column("dataset"),
        Column("dataset_version"), Column("kind"), Column("split_rule"), Column("weak_model"), Column("strong_model"),
        Column("student"), Column("offers", "json", form=TEXTS), Column("teachers", "int"),
        Column("default_seeds", "int"),
        Column("sizes", "json", form=COUNTS), Column("query_limit", "int"),
        Column("query_window_seconds", "int"), Column("state"),
        Column("created_at", "time"), Column("ready_at", "time", null=True),
    )  # fmt: skip
    told = frozenset({
        "id", "slug", "title", "description", "dataset", "dataset_version", "kind", "split_rule", "weak_model",
        "strong_model", "student", "offers", "teachers", "default_seeds", "query_limit", "query_window_seconds",
        "state", "created_at", "ready_at",
    })  # fmt: skip
    translated = frozenset({"slug", "state"})

    def read(self, row: Any, names: Names, scope: Scope) -> Row:
        """A folder of the machine is not for others: of a path only the last part."""
        found = super().read(row, names, scope)
        if found["dataset"].startswith("/"):
            found["dataset"] = PurePath(found["dataset"]).name
        return found

    def partly(self, row: Row) -> Row:
        """Sizes of the other splits."""
        return {"sizes": for_agents(row["sizes"])}

    def fields(self, row: Row, world: World) -> dict[str, Any]:
        """Under a name of its own, so that its scores never stand beside this lab's."""
        slug = f"{world.tag}-{row['slug']}"[:50]
        return super().fields(row, world) | {"slug": slug, "state": BenchmarkState.REFERENCE, "on_demand": True}


class Baselines(Table):
    """Frozen accuracies of the arms; holdout only for people who may see it."""

    name = "baselines"
    model = Baseline
    columns = (
        Column("id", "id"), Column("benchmark", "ref", "benchmarks"), Column("arm"), Column("split", form=SPLIT),
        Column("accuracies", "json", form=NUMBERS), Column("mean", "float"), Column("se", "float"),
        Column("se_seeds", "float"),
        Column("n_items", "int"), Column("created_at", "time"),
    )  # fmt: skip
    told = frozenset({
        "id", "benchmark", "arm", "split", "accuracies", "mean", "se", "se_seeds", "n_items", "created_at",
    })  # fmt: skip

    def select(self, scope: Scope) -> QuerySet[Any]:
        """Of the benchmarks that the campaign works on."""
        used = Experiment.objects.filter(pk__in=scope.ids["experiments"]).values("benchmark")
        named = scope.ids.get("benchmarks", set())
        rows = Baseline.objects.filter(Q(benchmark__in=used) | Q(benchmark__in=named))
        return rows if scope.holdout else rows.filter(split="dev")

    def admits(self, row: Any, scope: Scope) -> bool:
        """On dev, unless the holdout is asked for."""
        return scope.holdout or row.split == "dev"


class Methods(Table):
    """Recipes as they were announced. Here they cannot be run."""

    name = "methods"
    model = Method
    columns = (
        Column("id", "id"), Column("name"), Column("title"), Column("summary"), Column("source"),
        Column("uses", "json", form=TEXTS),
        Column("method_class"), Column("options_schema", "json", form=SCHEMA), Column("code_digest"),
    )  # fmt: skip
    told = frozenset({
        "id", "name", "title", "summary", "source", "uses", "method_class", "options_schema", "code_digest",
    })  # fmt: skip
    translated = frozenset({"name"})

    def fields(self, row: Row, world: World) -> dict[str, Any]:
        """Disabled, under a name of its own."""
        fields = super().fields(row, world) | {"name": f"{world.tag}-{row['name']}"[:50], "enabled": False}
        return fields | {"updated_at": Method._meta.get_field("updated_at").to_python("1970-01-01T00:00:00Z")}


class Snapshots(Table):
    """Code trees; the files lie below code/DIGEST/. The same content is the same row here, whoever handed it in."""

    name = "snapshots"
    model = Snapshot
    columns = (
        Column("id", "id"), Column("digest", form=DIGEST), Column("submitter", "ref", "people"),
        Column("parents", "refs", "snapshots"), Column("files", "json", form=TEXTS), Column("created_at", "time"),
    )  # fmt: skip
    told = frozenset({"id", "digest", "submitter", "parents", "files", "created_at"})
    translated = frozenset({"submitter", "parents", "created_at"})

    def base(self) -> QuerySet[Any]:
        """With parents."""
        return super().base().prefetch_related("parents")

    def select(self, scope: Scope) -> QuerySet[Any]:
        """Of the campaign's experiments and agents, with what they grew out of."""
        return self.base().filter(pk__in=scope.ids["snapshots"])

    def read(self, row: Any, names: Names, scope: Scope) -> Row:
        """files: paths."""
        parents = [names.original(self.name, each.pk) for each in row.parents.all()]
        return {
            "id": names.original(self.name, row.pk),
            "digest": row.digest,
            "submitter": names.original("people", row.submitter_id),
            "parents": sorted(each for each in parents if each is not None),
            "files": sorted(row.files),
            "created_at": row.created_at.isoformat(timespec="microseconds"),
        }

    def attachments(self, row: Any) -> Iterator[tuple[str, bytes]]:
        """Each file."""
        for path, text in sorted(row.files.items()):
            yield f"code/{row.digest}/{path}", text.encode()

    def restore(self, row: Row, world: World) -> Any:
        """Raises: InvalidInput unless files and digest belong together."""
        files = check_tree({path: _text(world.files(f"code/{row['digest']}/{path}")) for path in row["files"]})
        if tree_digest(files) != row["digest"]:
            raise InvalidInput(f"the code of snapshot {row['id']} is not what its digest names")
        known = Snapshot.objects.filter(digest=row["digest"]).first()
        if known is not None:
            return known
        size = sum(len(text.encode()) for text in files.values())
        fields = {"digest": row["digest"], "submitter_id": world.local("people", row["submitter"]), "files": files}
        made = Snapshot(**fields, n_files=len(files), size_bytes=size, created_at=row["created_at"])
        made.save_base(raw=True, force_insert=True)
        made.refresh_from_db()
        parents = sorted({world.local(self.name, each) or 0 for each in row["parents"]})
        # a parent that was here under a higher number cannot be one here: descent follows numbers
        older = [parent for parent in parents if parent < made.pk]
        SnapshotParent.objects.bulk_create(SnapshotParent(child=made, parent_id=parent) for parent in older)
        return made


class Experiments(Table):
    """Dev scores always, holdout scores only for people who may see them. What had not ended is cancelled here."""

    name = "experiments"
    model = Experiment
    columns = (
        Column("id", "id"), Column("inside", "bool"), Column("benchmark", "ref", "benchmarks"),
        Column("method", "ref", "methods"), Column("snapshot", "ref", "snapshots", null=True),
        Column("options", "json", form=OBJECT),
        Column("method_digest"), Column("method_class"), Column("title"), Column("hypothesis"),
        Column("submitter", "ref", "people"), Column("seeds", "int"), Column("replicate", "int"),
        Column("rerun_of", "ref", "experiments", null=True), Column("priority", "int"), Column("state"),
        Column("standing"), Column("flags", "json", form=OBJECTS), Column("error"), Column("created_at", "time"),
        Column("started_at", "time", null=True), Column("finished_at", "time", null=True),
        Column("worker_seconds", "float"), Column("provenance", "json", form=OBJECT),
        Column("dev_accuracy", "float", null=True), Column("dev_pgr", "float", null=True),
        Column("dev_score", "json", form=SCORE),
        Column("holdout_accuracy", "float", null=True), Column("holdout_pgr", "float", null=True),
        Column("holdout_score", "json", form=SCORE),
    )  # fmt: skip
    told = frozenset({
        "id", "inside", "benchmark", "method", "snapshot", "options", "method_digest", "method_class", "title",
        "hypothesis", "submitter", "seeds", "replicate", "rerun_of", "priority", "state", "standing", "flags",
        "error", "created_at", "started_at", "finished_at", "worker_seconds", "dev_accuracy", "dev_pgr", "dev_score",
    })  # fmt: skip
    translated = frozenset({"state", "flags"})
    after = frozenset({"campaigns"})

    def select(self, scope: Scope) -> QuerySet[Any]:
        """As collected."""
        return self.base().filter(pk__in=scope.ids["experiments"])

    def value(self, column: Column, row: Any, names: Names) -> Any:
        """inside comes from `read`."""
        return None if column.name == "inside" else super().value(column, row, names)

    def read(self, row: Any, names: Names, scope: Scope) -> Row:
        """inside: submitted in the campaign, not only cited by it."""
        return super().read(row, names, scope) | {"inside": row.campaign == scope.campaign}

    def partly(self, row: Row) -> Row:
        """Digests of code and versions; not of labels."""
        return {"provenance": for_agents(row["provenance"])}

    def fields(self, row: Row, world: World) -> dict[str, Any]:
        """The campaign's number here; what had not ended never will. Numbers of flags there would name others here."""
        fields = super().fields(row, world) | {"flags": []}
        state = row["state"] if row["state"] in EXPERIMENT_TERMINAL else ExperimentState.CANCELLED
        fields |= {"campaign": world.campaign if fields.pop("inside") else 0, "state": state}
        return fields


class Runs(Table):
    """One seed each; the seed itself, drawn from the lab's secret, stays."""

    name = "runs"
    model = Run
    columns = (
        Column("id", "id"), Column("experiment", "ref", "experiments"), Column("seed_index", "int"), Column("state"),
        Column("started_at", "time", null=True), Column("finished_at", "time", null=True), Column("worker"),
        Column("dev_accuracy", "float", null=True), Column("dev_pgr", "float", null=True),
        Column("holdout_accuracy", "float", null=True), Column("holdout_pgr", "float", null=True),
        Column("curves", "json", form=CURVES), Column("log"), Column("error"),
    )  # fmt: skip
    told = frozenset({
        "id", "experiment", "seed_index", "state", "started_at", "finished_at", "worker", "dev_accuracy", "dev_pgr",
        "curves", "log", "error",
    })  # fmt: skip
    translated = frozenset({"state"})

    def select(self, scope: Scope) -> QuerySet[Any]:
        """Of the campaign's experiments."""
        return self.base().filter(experiment__in=scope.ids["experiments"])

    def fields(self, row: Row, world: World) -> dict[str, Any]:
        """A seed of 0 stands for one that is not known."""
        state = row["state"] if row["state"] in RUN_TERMINAL else RunState.CANCELLED
        return super().fields(row, world) | {"state": state, "seed": 0}


class Evaluations(Table):
    """Scorings of runs, by scorer version; kept as they came, because this lab did not score them."""

    name = "evaluations"
    model = Evaluation
    restored = False
    columns = (
        Column("id", "id"), Column("run", "ref", "runs"), Column("split", form=SPLIT), Column("n_items", "int"),
        Column("accuracy", "float"), Column("pgr", "float", null=True), Column("scorer_version"),
        Column("predictions_digest"), Column("created_at", "time"),
    )  # fmt: skip
    told = frozenset({
        "id", "run", "split", "n_items", "accuracy", "pgr", "scorer_version", "predictions_digest", "created_at",
    })  # fmt: skip

    def select(self, scope: Scope) -> QuerySet[Any]:
        """Of the campaign's runs, on dev unless holdout is asked for."""
        rows = self.base().filter(run__experiment__in=scope.ids["experiments"])
        return rows if scope.holdout else rows.filter(split="dev")

    def admits(self, row: Any, scope: Scope) -> bool:
        """Not the holdout's, unless asked for."""
        return scope.holdout or row["split"] == "dev"


def imported_ids(scope: Scope, table: str) -> set[int]:
    """Ids here of what came with an imported campaign."""
    rows = ImportedRow.objects.filter(source=scope.imported, table=table, local_id__isnull=False)
    return {each for each in rows.values_list("local_id", flat=True) if each is not None}


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise InvalidInput("a file of a snapshot is not UTF-8 text") from None


TABLES: list[Table] = [
    People(), Benchmarks(), Baselines(), Methods(), Snapshots(), Experiments(), Taints(), Runs(), Evaluations(),
    Probes(), Events(),
]  # fmt: skip

__all__ = ["LEFT_OUT", "TABLES", "collect", "imported_ids"]
