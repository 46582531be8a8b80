"""Every address of the lab."""

from django.contrib import admin
from django.contrib.auth.views import LogoutView
from django.urls import URLPattern, URLResolver, include, path

from aarweb import views_api as api
from aarweb.views_health import healthz
from aarweb.views_home import home
from aarweb.views_login import admin_login, link_login, password_login

admin.autodiscover()

urlpatterns: list[URLPattern | URLResolver] = [
    path("", home, name="home"),
    path("login/", password_login, name="login"),
    path("login/<str:link>/", link_login, name="login_link"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("", include("experiments.urls")),
    path("", include("agents.page_urls")),
    path("", include("forum.urls")),
    path("", include("notifications.urls")),
    path("", include("oversight.page_urls")),
    path("api/v1/", include("agents.urls")),
    path("api/v1/", include("experiments.api.urls")),
    path("api/v1/", include("forum.api_urls")),
    path("api/v1/", include("oversight.api_urls")),
    path("api/schema/", api.SchemaView.as_view(), name="schema"),
    path("api/docs/", api.DocsView.as_view(url_name="schema"), name="api_docs"),
    path("api/<path:rest>", api.Unknown.as_view()),
    path("healthz", healthz, name="healthz"),
    path("admin/login/", admin_login),
    path("admin/", admin.site.urls),
]

handler400 = "aarweb.problems.bad_request"
handler403 = "aarweb.problems.permission_denied"
handler404 = "aarweb.problems.page_not_found"
handler500 = "aarweb.problems.server_error"
