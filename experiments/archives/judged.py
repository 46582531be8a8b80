"""What was found out about the experiments of a campaign: whose result taints whose, reruns for the detectors."""

from typing import Any

from django.db.models import Model, QuerySet

from experiments.archives.columns import Column, Row
from experiments.archives.forms import OBJECT
from experiments.archives.tables import Scope, Table, World
from experiments.models import Experiment
from experiments.probe_models import Probe


class Taints(Table):
    """Which held result an experiment descends from; beside the experiments, because that one may be the later one."""

    name = "taints"
    model = Experiment
    columns = (
        Column("id", "id"), Column("experiment", "ref", "experiments", "pk"),
        Column("tainted_by", "ref", "experiments"),
    )  # fmt: skip
    told = frozenset({"id", "experiment", "tainted_by"})

    def base(self) -> QuerySet[Any]:
        """Tainted ones."""
        return super().base().filter(tainted_by__isnull=False)

    def select(self, scope: Scope) -> QuerySet[Any]:
        """Of the experiments that go along."""
        return self.base().filter(pk__in=scope.ids["experiments"])

    def restore(self, row: Row, world: World) -> Model:
        """Said of the experiment that is here by now."""
        made = Experiment.objects.get(pk=world.locals["experiments"][row["experiment"]])
        made.tainted_by_id = world.local("experiments", row["tainted_by"])
        made.save(update_fields=["tainted_by"])
        return made


class Probes(Table):
    """Reruns under changed conditions; accuracies on the holdout are among their numbers. This lab did not run them."""

    name = "probes"
    model = Probe
    restored = False
    columns = (
        Column("id", "id"), Column("experiment", "ref", "experiments"), Column("kind"), Column("seeds", "int"),
        Column("state"), Column("requested_by", "ref", "people", null=True), Column("numbers", "json", form=OBJECT),
        Column("error"), Column("seconds", "float"), Column("created_at", "time"),
        Column("finished_at", "time", null=True),
    )  # fmt: skip
    told = frozenset({
        "id", "experiment", "kind", "seeds", "state", "requested_by", "seconds", "created_at", "finished_at",
    })  # fmt: skip

    def select(self, scope: Scope) -> QuerySet[Any]:
        """Of the experiments that go along."""
        return self.base().defer("predictions", "prior").filter(experiment__in=scope.ids["experiments"])
