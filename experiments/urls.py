"""The pages of this app."""

from django.urls import path

from experiments.views import actions, benchmarks, charts, experiments, new_experiment, snapshots, transfer, workshop

urlpatterns = [
    path("experiments/", experiments.experiment_list, name="experiments"),
    path("experiments/export.csv", experiments.experiment_csv, name="experiments_csv"),
    path("experiments/compare/", experiments.experiment_compare, name="experiment_compare"),
    path("experiments/new/", new_experiment.experiment_new, name="experiment_new"),
    path("experiments/<int:experiment_id>/", experiments.experiment_detail, name="experiment"),
    path("experiments/<int:experiment_id>/row/", experiments.experiment_row, name="experiment_row"),
    path("experiments/<int:experiment_id>.json", experiments.experiment_json, name="experiment_json"),
    path("experiments/<int:experiment_id>/cancel/", actions.experiment_cancel, name="experiment_cancel"),
    path("experiments/<int:experiment_id>/rerun/", actions.experiment_rerun, name="experiment_rerun"),
    path("benchmarks/", benchmarks.benchmark_list, name="benchmarks"),
    path("benchmarks/<slug:slug>/", benchmarks.benchmark_detail, name="benchmark"),
    path("benchmarks/<slug:slug>/prepare/", actions.benchmark_prepare, name="benchmark_prepare"),
    path("leaderboard/", benchmarks.leaderboard, name="leaderboard"),
    path("methods/", workshop.methods, name="methods"),
    path("methods/<slug:name>/", workshop.method_detail, name="method"),
    path("snapshots/", snapshots.snapshots, name="snapshots"),
    path("snapshots/<int:snapshot_id>/", snapshots.snapshot, name="snapshot"),
    path("snapshots/<int:snapshot_id>/archive/", snapshots.snapshot_archive, name="snapshot_archive"),
    path("snapshots/<int:snapshot_id>/run/", snapshots.snapshot_run, name="snapshot_run"),
    path("snapshots/<int:snapshot_id>/diff/<int:other>/", snapshots.snapshot_diff, name="snapshot_diff"),
    path("snapshots/<int:snapshot_id>/files/<path:path>", snapshots.snapshot_file, name="snapshot_file"),
    path("transfer/", transfer.transfer, name="transfer"),
    path("transfer/new/", transfer.transfer_new, name="transfer_new"),
    path("transfer/<int:study_id>/", transfer.transfer_study, name="transfer_study"),
    path("transfer/<int:study_id>/plan.json", transfer.transfer_plan, name="transfer_plan"),
    path("transfer/<int:study_id>/cancel/", transfer.transfer_cancel, name="transfer_cancel"),
    path("workers/", workshop.worker_list, name="workers"),
    path("charts/<slug:name>/", charts.chart, name="chart"),
    path("charts/<slug:name>/table/", charts.chart_table, name="chart_table"),
    path("charts/<slug:name>.csv", charts.chart_csv, name="chart_csv"),
]
