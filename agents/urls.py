"""The addresses of this app's API, below /api/v1/."""

from django.urls import path

from agents.api import agents, approvals, campaigns, exports, me, own

urlpatterns = [
    path("me/", me.MeView.as_view(), name="api_me"),
    path("me/notebook/", own.NotebookView.as_view(), name="api_notebook"),
    path("me/news/", own.NewsView.as_view(), name="api_news"),
    path("me/finish/", own.Finish.as_view(), name="api_finish"),
    path("events/", own.EventsAndReports.as_view(), name="api_events"),
    path("campaigns/", campaigns.Campaigns.as_view(), name="api_campaigns"),
    path("campaigns/estimate/", campaigns.Estimates.as_view(), name="api_campaign_estimate"),
    path("campaigns/<int:campaign_id>/", campaigns.CampaignView.as_view(), name="api_campaign"),
    path("campaigns/<int:campaign_id>/start/", campaigns.Start.as_view(), name="api_campaign_start"),
    path("campaigns/<int:campaign_id>/freeze/", campaigns.Freeze.as_view(), name="api_campaign_freeze"),
    path("campaigns/<int:campaign_id>/thaw/", campaigns.Thaw.as_view(), name="api_campaign_thaw"),
    path("campaigns/<int:campaign_id>/stop/", campaigns.Stop.as_view(), name="api_campaign_stop"),
    path("campaigns/<int:campaign_id>/export/", exports.Export.as_view(), name="api_campaign_export"),
    path("campaigns/<int:campaign_id>/policy/", approvals.CampaignPolicy.as_view(), name="api_campaign_policy"),
    path("approvals/", approvals.Approvals.as_view(), name="api_approvals"),
    path("approvals/<int:approval_id>/", approvals.ApprovalView.as_view(), name="api_approval"),
    path("approvals/<int:approval_id>/approve/", approvals.Approve.as_view(), name="api_approval_approve"),
    path("approvals/<int:approval_id>/refuse/", approvals.Refuse.as_view(), name="api_approval_refuse"),
    path("agents/", agents.Agents.as_view(), name="api_agents"),
    path("agents/<int:agent_id>/", agents.AgentView.as_view(), name="api_agent"),
    path("agents/<int:agent_id>/transcript/", agents.Transcript.as_view(), name="api_transcript"),
    path("agents/<int:agent_id>/pause/", agents.Pause.as_view(), name="api_agent_pause"),
    path("agents/<int:agent_id>/resume/", agents.Resume.as_view(), name="api_agent_resume"),
    path("agents/<int:agent_id>/stop/", agents.Stop.as_view(), name="api_agent_stop"),
    path("agents/<int:agent_id>/message/", agents.Message.as_view(), name="api_agent_message"),
]
