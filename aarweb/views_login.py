"""Logging in: by password, throttled, or by a link that works once."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth import login
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView, redirect_to_login
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from aarweb.login import user_of
from aarweb.login_throttle import LoginThrottle

TOO_MANY = "Too many failed attempts from here for this account. Try again in {}."


class LoginForm(AuthenticationForm):
    """Django's, which asks the throttle before it looks at a password."""

    def clean(self) -> dict[str, Any]:
        """Raises: ValidationError for a wrong pair, and for any pair after too many wrong ones."""
        name = self.cleaned_data.get("username")
        if not name or not self.cleaned_data.get("password"):
            return self.cleaned_data
        throttle = LoginThrottle(name, self.request.META["REMOTE_ADDR"] if self.request else "")
        wait = throttle.enter()
        if wait:
            raise forms.ValidationError(TOO_MANY.format(wait), code="throttled")
        cleaned: dict[str, Any] = super().clean()
        throttle.forget()
        return cleaned


class _Login(LoginView):
    template_name = "login.html"
    authentication_form = LoginForm
    redirect_authenticated_user = True

    def form_invalid(self, form: Any) -> HttpResponse:
        """The form again, as 429 while it is throttled."""
        response: HttpResponse = super().form_invalid(form)
        if form.has_error("__all__", "throttled"):
            response.status_code = 429
        return response


password_login = _Login.as_view()


@never_cache
def admin_login(request: HttpRequest) -> HttpResponseBase:
    """The admin site has no login of its own, which nothing would throttle. Raises: PermissionDenied."""
    if request.user.is_authenticated:  # the admin site sends here whoever may not see it
        raise PermissionDenied
    return redirect_to_login(request.GET.get("next", "/admin/"), settings.LOGIN_URL)


@require_GET
@never_cache
def link_login(request: HttpRequest, link: str) -> HttpResponseBase:
    """Logs in whoever brings a fresh link, and uses the link up."""
    with transaction.atomic():
        user = user_of(link)
        if user is not None:
            login(request, user)
    if user is None and not request.user.is_authenticated:
        return render(request, "login_link_used.html", status=403)
    return redirect("home")
