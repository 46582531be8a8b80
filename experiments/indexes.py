"""Which questions the two large tables answer without reading all of their rows."""

from typing import Any

from django.contrib.postgres.indexes import GinIndex
from django.db.models import F, Index, Q


def best_first(column: str) -> list[Any]:
    """The order of tables and boards: highest score first, no value last, the newest first among equals."""
    return [F(column).desc(nulls_last=True), F("id").desc()]


EXPERIMENT_INDEXES = [
    Index("benchmark", "method_class", *best_first("dev_pgr"), condition=Q(state="scored"), name="experiment_board"),
    Index(*best_first("dev_pgr"), name="experiment_by_dev_pgr"),
    Index(*best_first("holdout_pgr"), name="experiment_by_holdout_pgr"),
    Index(fields=["state", "-id"], name="experiment_state"),
    Index(fields=["submitter", "-id"], name="experiment_submitter"),
    Index(fields=["method", "-id"], name="experiment_method"),
    Index(fields=["benchmark", "-id"], name="experiment_benchmark"),
    # what dashboards and ideas count and compare of every experiment: a tenth of the table's pages
    Index(
        fields=["campaign", "benchmark"],
        include=["submitter", "state", "standing", "method_class", "dev_pgr", "rerun_of", "id"],
        name="experiment_counted",
    ),
    GinIndex(fields=["search"], name="experiment_search"),
]

RUN_INDEXES = [
    Index(fields=["state", "lease_until"], name="run_state_lease"),
    Index(fields=["-finished_at"], condition=Q(finished_at__isnull=False), name="run_finished"),
    Index(fields=["-finished_at"], condition=Q(state="failed", finished_at__isnull=False), name="run_failed"),
]
