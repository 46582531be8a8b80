"""What every page asks before it answers, and what every page is given."""

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, cast

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_GET, require_POST

from experiments.errors import Forbidden, LabError, NotFound
from experiments.permissions import can_view_lab
from experiments.selectors.activity import last_event_number

if TYPE_CHECKING:
    from django.contrib.auth.models import User

Rest = ParamSpec("Rest")
View = Callable[Concatenate[HttpRequest, Rest], HttpResponseBase]


def page(view: View[Rest]) -> View[Rest]:
    """A GET page for people who may view the lab: others are asked to log in, or refused."""
    return require_GET(_for_people(view))


def action(view: View[Rest]) -> View[Rest]:
    """A POST from a page."""
    return require_POST(_for_people(view))


def form_page(view: View[Rest]) -> View[Rest]:
    """A page that shows a form on GET and takes it on POST."""
    return _for_people(view)


def show(request: HttpRequest, template: str, context: dict[str, Any], *, fragment: str = "") -> HttpResponse:
    """The page, or only its fragment when htmx asks for it."""
    if fragment and is_fragment(request):
        return render(request, fragment, context)
    return render(request, template, {"live_after": last_event_number(), **context})


def objection(error: LabError) -> str:
    """What a service objects to, for the page; what may not be done or seen is raised on and becomes its error page."""
    if isinstance(error, Forbidden | NotFound):
        raise error
    return str(error)


def person(request: HttpRequest) -> "User":
    """Who asks; behind `page`, `action` and `form_page` somebody does."""
    return cast("User", request.user)


def is_fragment(request: HttpRequest) -> bool:
    """Whether htmx asked for a part of the page, not a browser for the whole of it."""
    return bool(request.htmx) and not request.htmx.history_restore_request  # type: ignore[attr-defined]


def _for_people(view: View[Rest]) -> View[Rest]:
    @wraps(view)
    def guarded(request: HttpRequest, *args: Rest.args, **kwargs: Rest.kwargs) -> HttpResponseBase:
        if not request.user.is_authenticated:
            if is_fragment(request):
                return HttpResponse("log in again", status=401, content_type="text/plain")
            return redirect_to_login(request.get_full_path())
        if not can_view_lab(request.user):
            raise PermissionDenied
        try:
            response = view(request, *args, **kwargs)
        except Forbidden as error:
            raise PermissionDenied(str(error)) from error
        except NotFound as error:
            raise Http404(str(error)) from error
        # one address, two answers: a cache must not give the back button a fragment
        patch_vary_headers(response, ["HX-Request", "Cookie"])
        if "Cache-Control" not in response:
            response["Cache-Control"] = "no-store" if is_fragment(request) else "private, no-cache"
        return response

    return cast("View[Rest]", guarded)
