"""Which consumer answers which WebSocket path."""

from django.urls import URLPattern, path

from experiments.consumers import CampaignStream

websocket_urlpatterns: list[URLPattern] = [
    path("ws/campaigns/<str:campaign>/", CampaignStream.as_asgi()),
]
