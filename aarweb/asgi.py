"""HTTP and WebSocket, the latter behind one check of who connects and from where."""

import os

from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "aarweb.settings")
http = get_asgi_application()  # sets Django up, so it comes before anything that imports models

from agents.websocket import TokenOrSession  # noqa: E402
from experiments.routing import websocket_urlpatterns  # noqa: E402

application = ProtocolTypeRouter({"http": http, "websocket": TokenOrSession(URLRouter(websocket_urlpatterns))})
