"""How alerts stand: on or off, who is told, whether messages get through."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db.models import Max, Q

from integration.choices import Channel, Delivery
from integration.models import Alert, AlertMessage, User
from integration.services.alert_recipients import channels_on, told_by_mail
from integration.services.alert_words import fact_of, items_of

MESSAGES_SHOWN = 50


@dataclass(frozen=True, slots=True)
class AlertState:
    """``nobody``: mail is on and no administrator gets any.

    ``trouble`` is the last message that did not get through, where none has since.
    """

    mail: bool
    webhook: bool
    nobody: bool
    trouble: AlertMessage | None

    @property
    def is_off(self) -> bool:
        return not (self.mail or self.webhook)


@dataclass(frozen=True, slots=True)
class ToldPerson:
    """Somebody who is told by mail, and of which mappings."""

    user: User
    mappings: tuple[str, ...]


def read_state() -> AlertState:
    """A few queries; none while alerts are off."""
    on = channels_on()
    mail = Channel.MAIL in on
    people = told_by_mail() if mail else User.objects.none()
    nobody = mail and not any(user.is_administrator for user in people)
    return AlertState(
        mail=mail,
        webhook=Channel.WEBHOOK in on,
        nobody=nobody,
        trouble=_trouble(on) if on else None,
    )


def _trouble(channels: set[str]) -> AlertMessage | None:
    messages = AlertMessage.objects.filter(recipient__channel__in=channels)
    rows = messages.filter(state=Delivery.SENT).order_by()
    columns = rows.values_list("recipient__channel")
    last_sent = dict(columns.annotate(last=Max("finished_at")))
    failed = Q(state=Delivery.WAITING, attempts__gt=0) | Q(
        state=Delivery.GIVEN_UP, attempts__gt=0
    )
    for channel in sorted(channels):
        wrong = messages.filter(failed, recipient__channel=channel)
        if channel in last_sent:
            wrong = wrong.filter(claimed_at__gt=last_sent[channel])
        found = wrong.order_by("-claimed_at").first()
        if found:
            return found
    return None


def told_people() -> list[ToldPerson]:
    """Everybody who is told by mail; two queries."""
    people = told_by_mail().prefetch_related("subscriptions")
    return [
        ToldPerson(user, tuple(sorted(str(one) for one in user.subscriptions.all())))
        for user in people
    ]


def latest_messages() -> list[tuple[AlertMessage, str, str]]:
    """Newest first, each with what it tells in the active language, and its page.

    Several things have no page: "".
    """
    rows = AlertMessage.objects.select_related("recipient__user").prefetch_related(
        "alerts__subject__problem__connection", "alerts__subject__mapping__connection"
    )
    found: list[Any] = list(rows.order_by("-id")[:MESSAGES_SHOWN])
    told = [(row, items_of(list(row.alerts.all()))) for row in found]
    return [
        (row, fact_of(items), items[0].path if len(items) == 1 else "")
        for row, items in told
    ]


def held_back() -> int:
    """Changes that wait for the next digest."""
    return Alert.objects.filter(message=None).count()


def mail_host() -> str:
    return str(settings.EMAIL_HOST)


def webhook_host() -> str:
    """Never the whole address: it may hold a secret."""
    return urlsplit(settings.ALERTS_WEBHOOK_URL).hostname or ""
