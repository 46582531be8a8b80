"""HTTP and WebSocket, the latter behind one check of who connects and from where."""

import gc
import os
from importlib import import_module

import django
from channels.routing import ProtocolTypeRouter, URLRouter

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "aarweb.settings")
django.setup(set_prefix=False)  # before anything that imports models

from django.conf import settings  # noqa: E402

from aarweb.handler import OneThreadHandler  # noqa: E402
from aarweb.mcp import McpOrDjango  # noqa: E402
from agents.routing import websocket_urlpatterns as typing  # noqa: E402
from agents.websocket import TokenOrSession  # noqa: E402
from experiments.routing import websocket_urlpatterns as events  # noqa: E402

application = ProtocolTypeRouter(
    {"http": McpOrDjango(OneThreadHandler()), "websocket": TokenOrSession(URLRouter([*events, *typing]))}
)

import_module(settings.ROOT_URLCONF)  # every view, before the first page and before the next lines
# What was imported lives as long as the process: a full collection that walks all of it would stop a page for 0.1 s.
gc.collect()
gc.freeze()
