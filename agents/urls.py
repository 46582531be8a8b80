"""The addresses of this app's API, below /api/v1/."""

from django.urls import path

from agents.api import MeView

urlpatterns = [path("me/", MeView.as_view(), name="api_me")]
