"""What every request carries beside Django's own: preferences and the shell's figures."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse

__all__ = ["PreferencesMiddleware", "shell"]


class PreferencesMiddleware:
    """Language, time zone and theme of the person."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)


def shell(request: HttpRequest) -> dict[str, Any]:
    """What the frame around every page needs."""
    return {}
