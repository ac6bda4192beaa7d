"""Alerts: whether they are on, who is told, what was sent, and a test."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from integration.choices import Channel, Delivery, Role
from integration.http import SignedInRequest, role_required
from integration.services.alert_recipients import channels_on
from integration.services.alert_sending import send_test
from integration.services.alert_status import (
    held_back,
    latest_messages,
    mail_host,
    read_state,
    told_people,
    webhook_host,
)
from integration.services.sentences import in_words


@role_required(Role.VIEWER)
@require_safe
def alerts(request: SignedInRequest) -> HttpResponse:
    """How alerts stand, and the latest messages with what became of them."""
    state = read_state()
    context: dict[str, Any] = {
        "section": "setup",
        "side": "alerts",
        "alerts": state,
        "mail_host": mail_host() if state.mail else "",
        "sender": settings.DEFAULT_FROM_EMAIL,
        "webhook_host": webhook_host(),
        "people": told_people() if state.mail else [],
        "held_back": held_back(),
        "messages_sent": latest_messages(),
    }
    return render(request, "integration/alerts/page.html", context)


@role_required(Role.ADMINISTRATOR)
@require_POST
def test(request: SignedInRequest) -> HttpResponse:
    """Send one message now and say what the other side answered."""
    channel = Channel(
        Channel.WEBHOOK if request.POST.get("channel") == "webhook" else Channel.MAIL
    )
    if channel not in channels_on():
        messages.error(request, _("Alerts are not turned on in this way."))
    elif channel == Channel.MAIL and not request.user.email:
        messages.error(request, _("You have no e-mail address to send a test to."))
    else:
        sent = send_test(channel, request.user)
        say = messages.success if sent.state == Delivery.SENT else messages.error
        say(request, in_words(sent.told, sent.answer))
    return redirect("alerts")
