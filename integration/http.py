"""What every request carries beside Django's own: preferences, roles, the shell."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any, Concatenate, ParamSpec, cast
from urllib.parse import urlsplit, urlunsplit
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseRedirect,
)
from django.shortcuts import resolve_url
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.cache import patch_vary_headers
from django.utils.functional import SimpleLazyObject
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import get_language_from_request
from django.utils.translation import gettext as _
from django.utils.translation.trans_real import parse_accept_lang_header
from django_htmx.middleware import HtmxDetails

from integration.choices import Role, Theme
from integration.models import User
from integration.services import status
from integration.services.actors import Refused
from integration.services.visits import note_visit

THEME_COOKIE = "theme"
YEAR_SECONDS = 365 * 24 * 3600
NOT_ALLOWED = 405
SAFE_METHODS = {"GET", "HEAD", "OPTIONS", "TRACE"}
P = ParamSpec("P")
Address = IPv4Address | IPv6Address


class SignedInRequest(HttpRequest):
    """A request whose person is known (LoginRequiredMiddleware saw to it)."""

    user: User
    htmx: HtmxDetails


@dataclass(frozen=True, slots=True)
class Preferences:
    """How this person likes to read: language code and zone."""

    language: str
    zone: ZoneInfo


def signed_in(request: HttpRequest) -> User | None:
    """The person; a request refused for its host never came as far as having one."""
    user = getattr(request, "user", None)
    return user if isinstance(user, User) and user.is_active else None


def preferences_of(request: HttpRequest) -> Preferences:
    """The person's own choice, else the browser's cookie, else what its headers say."""
    user = signed_in(request)
    return Preferences(
        language=language_of(request, user),
        zone=ZoneInfo((user and user.time_zone) or settings.TIME_ZONE),
    )


def theme_of(request: HttpRequest) -> str:
    """The same way: the person's own, the cookie's, or the system's."""
    user = signed_in(request)
    theme = user.theme if user else request.COOKIES.get(THEME_COOKIE, "")
    return theme if theme in Theme.values else Theme.SYSTEM


def language_of(request: HttpRequest, user: User | None) -> str:
    """French of any country reads our Swiss French."""
    offered = dict(settings.LANGUAGES)
    chosen = (user.language if user else "") or request.COOKIES.get(
        settings.LANGUAGE_COOKIE_NAME, ""
    )
    if chosen in offered:
        return chosen
    accepted = parse_accept_lang_header(request.headers.get("Accept-Language", ""))
    for code, _quality in accepted:
        if code.startswith("fr"):
            return "fr-ch"
        if code.startswith("en"):
            return "en"
    return get_language_from_request(request)


class PreferencesMiddleware:
    """Language and time zone of the person, for this request only.

    What is shown to a person is nobody else's: nothing between keeps it, and a browser
    shows none of it on the way back once the person has signed out.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        person = signed_in(request)
        preferences = preferences_of(request)
        with (
            translation.override(preferences.language),
            timezone.override(preferences.zone),
        ):
            response = self.get_response(request)
            if response.status_code == NOT_ALLOWED and request.method == "GET":
                response.content = no_page(request)
        response.headers.setdefault("Content-Language", preferences.language)
        if person:
            response.headers.setdefault("Cache-Control", "private, no-cache")
            if not signed_in(request):
                response.headers["Clear-Site-Data"] = '"cache"'
        patch_vary_headers(response, ("Accept-Language", "Cookie", "HX-Request"))
        return response


def no_page(request: HttpRequest) -> str:
    """In words what a browser would call broken: the address of a button."""
    said = _("Only a button of a page leads there. Nothing was changed.")
    return render_to_string("404.html", {"sentence": said}, request)


class SignInMiddleware(LoginRequiredMiddleware):
    """Asks strangers to sign in, and leads them where they wanted to go.

    Whoever pressed a button and was signed out meanwhile comes back to its page.
    """

    def handle_no_permission(
        self, request: HttpRequest, view_func: Callable[..., HttpResponseBase]
    ) -> HttpResponseRedirect:
        if request.method in SAFE_METHODS:
            return super().handle_no_permission(request, view_func)
        said = _("You were signed out: nothing was changed. Sign in and do it again.")
        messages.warning(request, said)
        asked = redirect_to_login(page_before(request), resolve_url(settings.LOGIN_URL))
        if HtmxDetails(request):
            # A page that asks for a part of itself goes there as a whole.
            asked.status_code, asked["HX-Redirect"] = 200, asked.url
        return asked


class VisitMiddleware:
    """Notes that a person is here: a whole page was asked for, not a part of one."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        user = signed_in(request)
        if user and not HtmxDetails(request):
            note_visit(user)
        return self.get_response(request)


def remember(response: HttpResponse, name: str, value: str) -> None:
    """Keep a preference in a cookie, for the pages before sign-in."""
    response.set_cookie(
        name,
        value,
        max_age=YEAR_SECONDS,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def role_required(
    role: Role, *, own: bool = False
) -> Callable[
    [Callable[Concatenate[SignedInRequest, P], HttpResponseBase]],
    Callable[Concatenate[HttpRequest, P], HttpResponseBase],
]:
    """Refuse, in words, whoever has less than ``role``; tests read ``view.role``.

    It stands above the decorator of methods, so that a viewer's hand-made POST is told
    why, whatever the address. ``own``: what one posts changes only how one reads.
    """

    def decorate(
        view: Callable[Concatenate[SignedInRequest, P], HttpResponseBase],
    ) -> Callable[Concatenate[HttpRequest, P], HttpResponseBase]:
        @wraps(view)
        def guarded(
            request: HttpRequest, *args: P.args, **kwargs: P.kwargs
        ) -> HttpResponseBase:
            changes = request.method not in SAFE_METHODS and not own
            needed = Role.OPERATOR if changes and role == Role.VIEWER else role
            if not may(request, needed):
                raise PermissionDenied(REFUSALS[needed]())
            return view(request, *args, **kwargs)  # type: ignore[arg-type]  # now known

        guarded.role = role  # type: ignore[attr-defined]  # read by the tests of addresses
        return cast("Callable[Concatenate[HttpRequest, P], HttpResponseBase]", guarded)

    return decorate


def may(request: HttpRequest, role: Role) -> bool:
    """Whether the person has this role or more."""
    user = signed_in(request)
    if user is None:
        return False
    return {
        Role.VIEWER: True,
        Role.OPERATOR: user.is_operator,
        Role.ADMINISTRATOR: user.is_administrator,
    }[role]


REFUSALS: dict[Role, Callable[[], str]] = {
    Role.VIEWER: lambda: _("Sign in to see this page."),
    Role.OPERATOR: lambda: _(
        "This needs the role operator. Your role lets you read; ask an administrator."
    ),
    Role.ADMINISTRATOR: lambda: _(
        "This needs the role administrator. Ask an administrator to do it."
    ),
}


def is_fragment(request: SignedInRequest, target: str) -> bool:
    """Whether htmx asks for the part of the page with this id, and nothing else."""
    return (
        bool(request.htmx)
        and request.htmx.target == target
        and not request.htmx.history_restore_request
    )


def client_address(request: HttpRequest) -> str:
    """Who calls: behind a proxy who that says, else who connects."""
    told = _told_address(request) if settings.BEHIND_PROXY else None
    return str(told or request.META.get("REMOTE_ADDR", ""))


def is_this_machine(request: HttpRequest) -> bool:
    """Whether the request comes over the loopback interface, and not from a proxy.

    A proxy on this machine connects from here, too: only what it says counts then.
    """
    if settings.BEHIND_PROXY:
        found = _told_address(request)
    else:
        is_forwarded = "X-Forwarded-For" in request.headers
        found = None if is_forwarded else _address(request.META.get("REMOTE_ADDR", ""))
    return found is not None and found.is_loopback


def _told_address(request: HttpRequest) -> Address | None:
    """What stands before the last entry came from the client, who may invent it."""
    last = request.headers.get("X-Forwarded-For", "").rpartition(",")[2]
    return _address(last.strip())


def _address(text: str) -> Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class RefusalTold:
    """What is refused ends the block, and the page that follows says why."""

    request: HttpRequest

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: object, trace: object) -> bool:
        if isinstance(error, Refused):
            messages.error(self.request, str(error))
        return isinstance(error, Refused)


def safe_next(request: HttpRequest, default: str) -> str:
    """The address to go back to: one of ours, or ``default``."""
    address = request.POST.get("next", "")
    return address if is_ours(request, address) else default


def page_before(request: HttpRequest) -> str:
    """Where the button stood: what its form says, else what the browser does."""
    told = urlsplit(request.headers.get("Referer", ""))
    page = urlunsplit(("", "", told.path, told.query, ""))
    known = told.netloc == request.get_host() and is_ours(request, page)
    return safe_next(request, page if known else reverse("overview"))


def is_ours(request: HttpRequest, address: str) -> bool:
    return url_has_allowed_host_and_scheme(
        address, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )


def shell(request: HttpRequest) -> dict[str, Any]:
    """What the frame around every page needs; a fragment never asks for it."""
    return {
        "theme": theme_of(request),
        "shell": SimpleLazyObject(status.read_shell),
        "demonstration": settings.DEMONSTRATION
        and may(request, Role.ADMINISTRATOR)
        and "demonstration-read" not in request.COOKIES,
        "has_lesson": status.has_lesson,
    }
