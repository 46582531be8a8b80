"""Runs each HTTP request in one thread from its first middleware to its view."""

from collections.abc import Callable

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpRequest, HttpResponseBase


class OneThreadHandler(ASGIHandler):
    """Django's handler with its middleware in synchronous mode.

    Every view here is synchronous, and WhiteNoise is too. In asynchronous mode each middleware between the two costs
    two changes of thread, about twenty a request: more CPU than most views (bench/evaluations.py shows it).
    """

    def load_middleware(self, is_async: bool = False) -> None:
        """Builds the chain once, as one function that is called in the request's own thread."""
        super().load_middleware(is_async=False)
        chain: Callable[[HttpRequest], HttpResponseBase] = self._middleware_chain  # type: ignore[has-type]
        self._middleware_chain = sync_to_async(chain, thread_sensitive=True)
