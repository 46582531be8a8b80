"""The addresses of this app's API, below /api/v1/."""

from django.urls import path

from experiments.api import benchmarks, board, evaluations, experiments, snapshots, transfer

urlpatterns = [
    path("benchmarks/", benchmarks.Benchmarks.as_view(), name="api_benchmarks"),
    path("benchmarks/<slug:slug>/", benchmarks.BenchmarkView.as_view(), name="api_benchmark"),
    path("benchmarks/<slug:slug>/data/<slug:part>/", benchmarks.Data.as_view(), name="api_data"),
    path("methods/", benchmarks.Methods.as_view(), name="api_methods"),
    path("methods/<slug:name>/", benchmarks.MethodView.as_view(), name="api_method"),
    path("experiments/", experiments.Experiments.as_view(), name="api_experiments"),
    path("experiments/<int:experiment_id>/", experiments.ExperimentView.as_view(), name="api_experiment"),
    path("experiments/<int:experiment_id>/cancel/", experiments.Cancel.as_view(), name="api_experiment_cancel"),
    path("experiments/<int:experiment_id>/rerun/", experiments.Rerun.as_view(), name="api_experiment_rerun"),
    path("evaluations/", evaluations.Evaluations.as_view(), name="api_evaluations"),
    path("evaluations/<int:evaluation_id>/", evaluations.EvaluationView.as_view(), name="api_evaluation"),
    path("uploads/<int:upload_id>/", evaluations.UploadView.as_view(), name="api_upload"),
    path("snapshots/", snapshots.Snapshots.as_view(), name="api_snapshots"),
    path("snapshots/<int:snapshot_id>/", snapshots.SnapshotView.as_view(), name="api_snapshot"),
    path("snapshots/<int:snapshot_id>/files/<path:path>", snapshots.FileView.as_view(), name="api_snapshot_file"),
    path("snapshots/<int:snapshot_id>/diff/<int:other>/", snapshots.DiffView.as_view(), name="api_snapshot_diff"),
    path("snapshots/<int:snapshot_id>/download/", snapshots.Download.as_view(), name="api_snapshot_download"),
    path("transfer-studies/", transfer.Studies.as_view(), name="api_transfer_studies"),
    path("transfer-studies/preview/", transfer.PreviewView.as_view(), name="api_transfer_preview"),
    path("transfer-studies/<int:study_id>/", transfer.StudyView.as_view(), name="api_transfer_study"),
    path("transfer-studies/<int:study_id>/cancel/", transfer.CancelView.as_view(), name="api_transfer_cancel"),
    path("leaderboard/", board.Leaderboard.as_view(), name="api_leaderboard"),
]
