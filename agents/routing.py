"""Which consumer answers which WebSocket path."""

from django.urls import URLPattern, path

from agents.consumers import TypingStream

websocket_urlpatterns: list[URLPattern] = [
    path("ws/campaigns/<int:campaign>/typing/", TypingStream.as_asgi()),
]
