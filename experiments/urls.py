"""The pages of this app."""

from django.urls import path

from experiments.views import benchmarks, charts, experiments, workshop

urlpatterns = [
    path("experiments/", experiments.experiment_list, name="experiments"),
    path("experiments/export.csv", experiments.experiment_csv, name="experiments_csv"),
    path("experiments/compare/", experiments.experiment_compare, name="experiment_compare"),
    path("experiments/<int:experiment_id>/", experiments.experiment_detail, name="experiment"),
    path("experiments/<int:experiment_id>/row/", experiments.experiment_row, name="experiment_row"),
    path("experiments/<int:experiment_id>.json", experiments.experiment_json, name="experiment_json"),
    path("benchmarks/", benchmarks.benchmark_list, name="benchmarks"),
    path("benchmarks/<slug:slug>/", benchmarks.benchmark_detail, name="benchmark"),
    path("leaderboard/", benchmarks.leaderboard, name="leaderboard"),
    path("methods/", workshop.methods, name="methods"),
    path("methods/<slug:name>/", workshop.method_detail, name="method"),
    path("workers/", workshop.worker_list, name="workers"),
    path("charts/<slug:name>/", charts.chart, name="chart"),
    path("charts/<slug:name>.csv", charts.chart_csv, name="chart_csv"),
]
