"""The landing page of Set-up, and its short pages."""

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from integration.choices import Role
from integration.http import SignedInRequest, role_required
from integration.models import User


@role_required(Role.VIEWER)
@require_safe
def setup(request: SignedInRequest) -> HttpResponse:
    """Everything under Set-up, with a line on each."""
    return render(request, "integration/setup/landing.html", {"section": "setup"})


@role_required(Role.VIEWER)
@require_safe
def users(request: SignedInRequest) -> HttpResponse:
    """Who may do what; users are made and changed in the admin."""
    context = {
        "section": "setup",
        "side": "users",
        "people": User.objects.order_by("username"),
    }
    return render(request, "integration/setup/users.html", context)


@role_required(Role.VIEWER)
@require_safe
def retention(request: SignedInRequest) -> HttpResponse:
    """What is kept, and for how long."""
    context = {
        "section": "setup",
        "side": "retention",
        "undo_days": settings.UNDO_DAYS,
        "payload_days": settings.PAYLOAD_DAYS,
        "retention_days": settings.RETENTION_DAYS,
    }
    return render(request, "integration/setup/retention.html", context)
