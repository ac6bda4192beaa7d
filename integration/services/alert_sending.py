"""Sending alerts: claimed before anybody is talked to, marked after.

Whoever is killed between the two leaves a message that is never sent again by itself:
it is shown as *not known whether it arrived*. What certainly did not go is tried again
with growing waits, for a day.
"""

import json
from datetime import datetime, timedelta
from email.utils import parseaddr
from urllib.parse import urlsplit
from uuid import uuid4

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db.models import F, Q, QuerySet
from django.utils import timezone, translation
from django.utils.translation import gettext_noop

from integration import clock
from integration.choices import Channel, Delivery
from integration.connectors.webhook import post
from integration.models import AlertMessage, AlertRecipient, User
from integration.services.alert_recipients import (
    Listener,
    channels_on,
    language_of,
    zone_of,
)
from integration.services.alert_words import Letter, account_url, letter_of
from integration.services.mail import hand_over
from integration.services.replies import Reply, away, refused, sent, unknown
from integration.services.sentences import sentence

FIRST_WAIT = timedelta(minutes=1)
LONGEST_WAIT = timedelta(hours=1)
GIVEN_UP_AFTER = timedelta(hours=24)
NOT_KNOWN_AFTER = timedelta(minutes=10)
"""Longer than a task may run: whoever claimed it has ended."""
KEPT = timedelta(days=90)
POSTED = gettext_noop("{host} took the message. {answer}")
NOT_TAKEN = gettext_noop("{host} refused the message: {answer}")
NOT_REACHED = gettext_noop("{host} cannot be reached: {answer}")
NO_ANSWER = gettext_noop(
    "{host} got the message and did not say that it took it; it may have arrived. "
    "{answer}"
)
NOTHING_LEFT = gettext_noop("What it told of is gone.")
ENDED = gettext_noop(
    "Sending was interrupted; it is not known whether it arrived. It is not sent again."
)


def are_alerts_due() -> bool:
    """Whether there is something to send, here or by another worker, or to give up."""
    return _due(clock.now()).exists() or _abandoned(clock.now()).exists()


def send_due(*, max_seconds: float = 240.0) -> None:
    """Send what is due, each message at most once; stops where nobody answers.

    What goes a way that this worker does not have, it leaves to one that has it.
    What ``max_seconds`` do not suffice for goes with the next tick.
    """
    now, until = clock.now(), clock.monotonic() + max_seconds
    _say_not_known(now)
    AlertMessage.objects.filter(finished_at__lt=now - KEPT).delete()
    due = _due(now).filter(recipient__channel__in=channels_on())
    rows = due.order_by("due_at", "id").values_list("pk", "recipient__channel")
    away_channels: set[str] = set()
    for key, channel in list(rows):
        if clock.monotonic() > until:
            break
        if channel in away_channels:
            continue
        reply = deliver(key)
        if reply and reply.is_away:
            away_channels.add(channel)
            _put_off_others(channel)


def deliver(key: int) -> Reply | None:
    """Send this message; ``None`` if somebody else has it, or there is none."""
    now = clock.now()
    claimed = (
        _due(now)
        .filter(pk=key)
        .update(state=Delivery.SENDING, claimed_at=now, attempts=F("attempts") + 1)
    )
    if not claimed:
        return None
    message = AlertMessage.objects.select_related("recipient__user").get(pk=key)
    reply = _send(message)
    _mark(message, reply)
    return reply


def send_test(channel: Channel, by: User) -> AlertMessage:
    """One message to the person who asks, or to the webhook, now; with its answer."""
    user = by if channel == Channel.MAIL else None
    recipient, _made = AlertRecipient.objects.get_or_create(channel=channel, user=user)
    now = clock.now()
    message = AlertMessage.objects.create(
        recipient=recipient, key=uuid4(), is_test=True, created_at=now, due_at=now
    )
    deliver(message.pk)
    message.refresh_from_db()
    return message


def _due(now: datetime) -> QuerySet[AlertMessage]:
    """Also what was made ahead and would wait for that time: the clock was set back."""
    later = now + clock.AHEAD
    late = Q(created_at__gt=later, due_at__gt=later + LONGEST_WAIT)
    come = Q(due_at__lte=now) | late
    return AlertMessage.objects.filter(come, state=Delivery.WAITING)


def _abandoned(now: datetime) -> QuerySet[AlertMessage]:
    since = now - NOT_KNOWN_AFTER
    past = Q(claimed_at__lte=since) | Q(claimed_at__gt=now + clock.AHEAD)
    return AlertMessage.objects.filter(past, state=Delivery.SENDING)


def _say_not_known(now: datetime) -> None:
    """Whoever sent these has ended without a word."""
    told = sentence(ENDED)
    _abandoned(now).update(
        state=Delivery.UNKNOWN, finished_at=now, answer=told.english, told=told.key
    )


def _put_off_others(channel: str) -> None:
    """Nobody answers there: the others need not find out one by one."""
    now = clock.now()
    rows = _due(now).filter(recipient__channel=channel)
    rows.update(due_at=now + FIRST_WAIT)


def _send(message: AlertMessage) -> Reply:
    user = message.recipient.user
    with (
        translation.override(language_of(user)),
        timezone.override(zone_of(user)),
    ):
        letter = letter_of(message, Listener(message.recipient, user, frozenset()))
        if not letter.items and not message.is_test:
            return Reply(Delivery.GIVEN_UP, sentence(NOTHING_LEFT))
        return _mail(message, letter, user) if user else _post(message, letter)


def _mail(message: AlertMessage, letter: Letter, user: User) -> Reply:
    _name, address = parseaddr(settings.DEFAULT_FROM_EMAIL)
    domain = address.rpartition("@")[2] or "localhost"
    mail = EmailMultiAlternatives(
        letter.subject,
        letter.text(),
        to=[user.email],
        headers={
            "Message-ID": f"<{message.key}@{domain}>",
            "List-Unsubscribe": f"<{account_url()}>",
            "Auto-Submitted": "auto-generated",
            "X-Auto-Response-Suppress": "All",
        },
    )
    mail.attach_alternative(letter.html(), "text/html")
    return hand_over(mail)


def _post(message: AlertMessage, letter: Letter) -> Reply:
    """The id lets the other side recognise what it has already."""
    whole = {"id": str(message.key), "at": clock.now().isoformat(), **letter.payload()}
    headers = {"Idempotency-Key": str(message.key)}
    if settings.ALERTS_WEBHOOK_SECRET:
        headers["Authorization"] = f"Bearer {settings.ALERTS_WEBHOOK_SECRET}"
    url = settings.ALERTS_WEBHOOK_URL
    host = urlsplit(url).hostname or ""
    posted = post(url, json.dumps(whole, ensure_ascii=False).encode(), headers)
    answer = f"HTTP {posted.status} {posted.words}" if posted.status else posted.words
    if posted.is_taken:
        return sent(POSTED, host, f"HTTP {posted.status}")
    if posted.status:
        return refused(NOT_TAKEN, host, answer, wait_seconds=posted.retry_after_seconds)
    return (
        unknown(NO_ANSWER, host, answer)
        if posted.is_lost
        else away(NOT_REACHED, host, answer)
    )


def _mark(message: AlertMessage, reply: Reply) -> None:
    """How it ended, or when it is tried again; only who claimed it may say so."""
    now = clock.now()
    state = reply.state
    too_old = now - message.created_at >= GIVEN_UP_AFTER
    if state == Delivery.WAITING and (too_old or message.is_test):
        state = Delivery.GIVEN_UP
    wait = min(FIRST_WAIT * 2 ** min(message.attempts - 1, 10), LONGEST_WAIT)
    asked = timedelta(seconds=reply.wait_seconds)
    mine = AlertMessage.objects.filter(pk=message.pk, attempts=message.attempts)
    mine.exclude(state=Delivery.WAITING).update(
        state=state,
        due_at=now + max(wait, asked),
        finished_at=None if state == Delivery.WAITING else now,
        answer=reply.told.english,
        told=reply.told.key,
    )
