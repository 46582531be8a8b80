"""The pages of this app."""

from django.urls import path

from oversight.views import audit, inbox, on_demand

urlpatterns = [
    path("inbox/", inbox.inbox_page, name="inbox"),
    path("inbox/detectors/", inbox.detectors_page, name="detectors"),
    path("audit/", audit.audit_page, name="audit"),
    path("campaigns/<int:campaign_id>/oversight/", inbox.campaign_watch, name="campaign_watch"),
    path("flags/<int:flag_id>/", inbox.flag_page, name="flag"),
    path("flags/<int:flag_id>/claim/", inbox.flag_claim, name="flag_claim"),
    path("flags/<int:flag_id>/decide/", inbox.flag_decide, name="flag_decide"),
    path("flags/<int:flag_id>/reopen/", inbox.flag_reopen, name="flag_reopen"),
    path("approvals/<int:approval_id>/approve/", inbox.approval_approve, name="approval_approve"),
    path("approvals/<int:approval_id>/refuse/", inbox.approval_refuse, name="approval_refuse"),
    path("experiments/<int:experiment_id>/flags/", inbox.experiment_flags, name="experiment_flags"),
    path("experiments/<int:experiment_id>/flag/", inbox.experiment_flag, name="experiment_flag"),
    path("experiments/<int:experiment_id>/probe/", on_demand.experiment_probe, name="experiment_probe"),
    path("experiments/<int:experiment_id>/read/", on_demand.experiment_read, name="experiment_read"),
]
