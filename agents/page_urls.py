"""The pages of this app."""

from django.urls import path

from agents.views import agents, campaigns

urlpatterns = [
    path("campaigns/", campaigns.campaign_list, name="campaigns"),
    path("campaigns/new/", campaigns.campaign_new, name="campaign_new"),
    path("campaigns/<int:campaign_id>/", campaigns.campaign_detail, name="campaign"),
    path("campaigns/<int:campaign_id>/start/", campaigns.campaign_start, name="campaign_start"),
    path("campaigns/<int:campaign_id>/freeze/", campaigns.campaign_freeze, name="campaign_freeze"),
    path("campaigns/<int:campaign_id>/thaw/", campaigns.campaign_thaw, name="campaign_thaw"),
    path("campaigns/<int:campaign_id>/stop/", campaigns.campaign_stop, name="campaign_stop"),
    path("campaigns/<int:campaign_id>/policy/", campaigns.campaign_policy, name="campaign_policy"),
    path("agents/<int:agent_id>/", agents.agent_detail, name="agent"),
    path("agents/<int:agent_id>/notebook/<int:version>/", agents.agent_notebook, name="agent_notebook"),
    path("agents/<int:agent_id>/pause/", agents.agent_pause, name="agent_pause"),
    path("agents/<int:agent_id>/resume/", agents.agent_resume, name="agent_resume"),
    path("agents/<int:agent_id>/stop/", agents.agent_stop, name="agent_stop"),
    path("agents/<int:agent_id>/message/", agents.agent_message, name="agent_message"),
]
