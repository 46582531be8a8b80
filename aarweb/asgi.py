"""HTTP and WebSocket, the latter behind one check of who connects and from where."""

import os

import django
from channels.routing import ProtocolTypeRouter, URLRouter

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "aarweb.settings")
django.setup(set_prefix=False)  # before anything that imports models

from aarweb.handler import OneThreadHandler  # noqa: E402
from agents.routing import websocket_urlpatterns as typing  # noqa: E402
from agents.websocket import TokenOrSession  # noqa: E402
from experiments.routing import websocket_urlpatterns as events  # noqa: E402

application = ProtocolTypeRouter(
    {"http": OneThreadHandler(), "websocket": TokenOrSession(URLRouter([*events, *typing]))}
)
