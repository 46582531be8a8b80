"""The addresses of this app's API, below /api/v1/."""

from django.urls import path

from oversight.api import audit, flags, probes, readings

urlpatterns = [
    path("experiments/<int:experiment_id>/flags/", flags.ExperimentFlags.as_view(), name="api_experiment_flags"),
    path("experiments/<int:experiment_id>/probes/", probes.ExperimentProbes.as_view(), name="api_experiment_probes"),
    path(
        "experiments/<int:experiment_id>/readings/",
        readings.ExperimentReadings.as_view(),
        name="api_experiment_readings",
    ),
    path("audit/", audit.Audit.as_view(), name="api_audit"),
    path("flags/", flags.Flags.as_view(), name="api_flags"),
    path("flags/<int:flag_id>/", flags.FlagView.as_view(), name="api_flag"),
    path("flags/<int:flag_id>/claim/", flags.Claim.as_view(), name="api_flag_claim"),
    path("flags/<int:flag_id>/decide/", flags.Decide.as_view(), name="api_flag_decide"),
    path("flags/<int:flag_id>/reopen/", flags.Reopen.as_view(), name="api_flag_reopen"),
]
