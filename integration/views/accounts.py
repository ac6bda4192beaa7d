"""Signing in and out, how a person likes to read, and what to be told of."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login as sign_in_user
from django.contrib.auth import logout as sign_out_user
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from integration.choices import Role, Theme
from integration.forms.accounts import AccountForm, SignInForm, WishForm
from integration.http import (
    THEME_COOKIE,
    SignedInRequest,
    client_address,
    is_ours,
    is_this_machine,
    remember,
    role_required,
    safe_next,
)
from integration.models import User
from integration.services import sign_in, users, visits
from integration.services.alert_recipients import Wish, save_wish


@login_not_required
@never_cache
@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def login(request: HttpRequest) -> HttpResponse:
    """User name and password; then back to where the person wanted to go."""
    next_address = request.POST.get("next") or request.GET.get("next", "")
    if request.user.is_authenticated:
        ours = is_ours(request, next_address)
        return HttpResponseRedirect(next_address if ours else reverse("overview"))
    form = SignInForm(
        request, data=request.POST or None, address=client_address(request)
    )
    if request.method == "POST" and form.is_valid():
        sign_in_user(request, form.get_user())
        return HttpResponseRedirect(safe_next(request, reverse("overview")))
    context = {
        "form": form,
        "next": next_address,
        "simulated": settings.DEMONSTRATION,
    }
    return render(request, "integration/account/login.html", context)


@login_not_required
@require_POST
def logout(request: HttpRequest) -> HttpResponse:
    """End the session."""
    sign_out_user(request)
    return redirect("login")


@login_not_required
@never_cache
@require_GET
def sign_in_link(request: HttpRequest, token: str) -> HttpResponse:
    """The link quickstart prints: once, within ten minutes, on this machine only."""
    user = sign_in.redeem(token) if is_this_machine(request) else None
    if user is None:
        messages.warning(
            request,
            _("This link is used up, older than ten minutes, or not for this machine."),
        )
        return redirect("login")
    sign_in_user(request, user, backend="django.contrib.auth.backends.ModelBackend")
    return redirect("overview")


@login_not_required
@require_POST
def language(request: HttpRequest) -> HttpResponse:
    """Switch the language and stay on the page, filter included."""
    response = HttpResponseRedirect(safe_next(request, reverse("overview")))
    chosen = request.POST.get("language", "")
    if chosen in dict(settings.LANGUAGES):
        if isinstance(request.user, User):
            users.save_preferences(request.user, language=chosen)
        remember(response, settings.LANGUAGE_COOKIE_NAME, chosen)
    return response


@login_not_required
@require_POST
def theme(request: HttpRequest) -> HttpResponse:
    """Light, dark or as the system says; stay on the page."""
    response = HttpResponseRedirect(safe_next(request, reverse("overview")))
    chosen = request.POST.get("theme", "")
    if chosen in Theme.values:
        if isinstance(request.user, User):
            users.save_preferences(request.user, theme=chosen)
        remember(response, THEME_COOKIE, chosen)
    return response


@role_required(Role.VIEWER, own=True)
@require_POST
def hide_demonstration(request: SignedInRequest) -> HttpResponse:
    """Put the strip away in this browser."""
    response = HttpResponseRedirect(safe_next(request, reverse("overview")))
    remember(response, "demonstration-read", "1")
    return response


@role_required(Role.VIEWER, own=True)
@require_POST
def caught_up(request: SignedInRequest) -> HttpResponse:
    """What happened up to now is no news any more."""
    visits.catch_up(request.user)
    return redirect("overview")


@role_required(Role.VIEWER, own=True)
@require_http_methods(["GET", "HEAD", "POST"])
def account(request: SignedInRequest) -> HttpResponse:
    """Language, time zone and theme of the person; what they are told of."""
    user = request.user
    form = AccountForm(request.POST or None, initial=_preferences(user))
    if request.method == "POST" and form.is_valid():
        users.save_preferences(user, **form.cleaned_data)
        with translation.override(form.cleaned_data["language"]):
            messages.success(request, _("Saved."))
        return redirect("account")
    return _account_page(request, form, WishForm(initial=_wish(user)))


@role_required(Role.VIEWER, own=True)
@require_http_methods(["GET", "HEAD", "POST"])
def wish(request: SignedInRequest) -> HttpResponse:
    """Keep what the person wants to be told of.

    Asked for again, as by another language where it was refused, it is the account's.
    """
    if request.method != "POST":
        return redirect("account")
    form = WishForm(request.POST)
    if not form.is_valid():
        settled = AccountForm(initial=_preferences(request.user))
        return _account_page(request, settled, form)
    save_wish(request.user, Wish(**form.cleaned_data))
    messages.success(request, _("Saved."))
    return redirect("account")


def _preferences(user: User) -> dict[str, Any]:
    return {
        "language": translation.get_language(),
        "time_zone": user.time_zone or settings.TIME_ZONE,
        "theme": user.theme,
    }


def _wish(user: User) -> dict[str, Any]:
    return {
        "mail": user.mail,
        "mappings": user.subscriptions.all(),
        "quiet_from": user.quiet_from,
        "quiet_until": user.quiet_until,
    }


def _account_page(
    request: SignedInRequest, form: AccountForm, wish: WishForm
) -> HttpResponse:
    context = {
        "form": form,
        "wish": wish,
        "by_mail": settings.ALERTS_BY_MAIL,
        "section": "account",
    }
    return render(request, "integration/account/account.html", context)
