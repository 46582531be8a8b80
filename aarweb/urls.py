"""Every address of the lab."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, path

from aarweb.views_health import healthz

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", healthz, name="healthz"),
    path("admin/", admin.site.urls),
]
