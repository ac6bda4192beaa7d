"""Who is told of what: administrators of the set-up, subscribers of their mappings."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_noop

from integration.choices import Channel, Delivery, OperationKind, Role, Who
from integration.models import (
    Alert,
    AlertMessage,
    AlertRecipient,
    Operation,
    TableMapping,
    User,
)
from integration.services.operations import record_operation
from integration.services.sentences import sentence


@dataclass(frozen=True, slots=True)
class Concern:
    """Whom something concerns: by who fixes it, and by the mappings it is seen on.

    ``who`` is "" for the silence of a mapping: everybody's who has to do with it.
    ``told`` are the mappings whose followers know already, and with them everybody
    else; ``None``: nobody does.
    """

    who: str
    mappings: Collection[int]
    told: Collection[int] | None = None


@dataclass(frozen=True, slots=True)
class Listener:
    """A recipient with what concerns it; ``user`` None is the webhook.

    ``is_new``: what stands already is told to it first, once.
    """

    recipient: AlertRecipient
    user: User | None
    mappings: frozenset[int]
    is_new: bool = False

    def cares_for(self, concern: Concern) -> bool:
        """What passes by itself concerns nobody."""
        if concern.who == Who.ITSELF:
            return False
        if self.user is None:
            return concern.told is None
        by_set_up = concern.who in {Who.ADMINISTRATOR, ""} and (
            self.user.is_administrator
        )
        by_mapping = concern.who in {Who.USER, ""} and not (
            self.mappings.isdisjoint(concern.mappings)
        )
        if concern.told is not None:
            return by_mapping and self.mappings.isdisjoint(concern.told)
        return by_set_up or by_mapping

    def quiet_until(self, moment: datetime) -> datetime | None:
        """The end of the quiet hours the moment lies in, or ``None``."""
        user = self.user
        if user is None or user.quiet_from is None or user.quiet_until is None:
            return None
        return end_of_quiet(moment, user.quiet_from, user.quiet_until, zone_of(user))


def end_of_quiet(
    moment: datetime, start: time, end: time, zone: ZoneInfo
) -> datetime | None:
    """When it ends, if it is quiet at ``moment``; hours may run over midnight."""
    local = moment.astimezone(zone)
    now = local.time()
    is_quiet = start <= now < end if start <= end else now >= start or now < end
    if not is_quiet:
        return None
    day = local.date() + timedelta(days=1 if now >= end else 0)
    return datetime.combine(day, end, zone)


def zone_of(user: User | None) -> ZoneInfo:
    return ZoneInfo((user and user.time_zone) or settings.TIME_ZONE)


def language_of(user: User | None) -> str:
    """Of a mail the person's own, of the webhook what the settings say."""
    if user is None:
        return str(settings.ALERTS_WEBHOOK_LANGUAGE)
    return user.language or settings.LANGUAGE_CODE


def channels_on() -> set[str]:
    """What the settings of this process turn on; another one may have others."""
    found = set()
    if settings.ALERTS_BY_MAIL:
        found.add(Channel.MAIL.value)
    if settings.ALERTS_WEBHOOK_URL:
        found.add(Channel.WEBHOOK.value)
    return found


def told_by_mail() -> QuerySet[User]:
    """Everybody who has an address and wants to be told of something."""
    concerned = Q(role=Role.ADMINISTRATOR) | Q(is_superuser=True)
    subscribed = Q(subscriptions__isnull=False)
    people = User.objects.filter(is_active=True, mail=True).exclude(email="")
    return people.filter(concerned | subscribed).distinct().order_by("username")


def listeners(moment: datetime, channels: Collection[str]) -> list[Listener]:
    """Everybody to tell now by these ways; nobody else is told anything more.

    Inside the transaction that writes what to tell.
    """
    wanted: dict[int | None, User | None] = {}
    if Channel.MAIL in channels:
        wanted.update({user.pk: user for user in told_by_mail()})
    if Channel.WEBHOOK in channels:
        wanted[None] = None
    known = {row.user_id: row for row in AlertRecipient.objects.all()}
    gone = [row for key, row in known.items() if row.since and key not in wanted]
    if gone:
        _say_no_more(gone, moment)
    subscribed = _subscriptions([key for key in wanted if key])
    return [
        _listener(known.get(key), user, subscribed.get(key, frozenset()), moment)
        for key, user in wanted.items()
    ]


def _listener(
    row: AlertRecipient | None,
    user: User | None,
    mappings: frozenset[int],
    moment: datetime,
) -> Listener:
    is_new = row is None or row.since is None
    if row is None:
        channel = Channel.MAIL if user else Channel.WEBHOOK
        row = AlertRecipient(channel=channel, user=user)
    if is_new:
        row.since = moment
        row.save()
    return Listener(row, user, mappings, is_new)


def _subscriptions(people: Collection[int]) -> Mapping[int | None, frozenset[int]]:
    through = User.subscriptions.through.objects.filter(user_id__in=people)
    found: dict[int | None, set[int]] = {}
    for user, mapping in through.values_list("user_id", "tablemapping_id"):
        found.setdefault(user, set()).add(mapping)
    return {user: frozenset(mappings) for user, mappings in found.items()}


def _say_no_more(gone: Collection[AlertRecipient], moment: datetime) -> None:
    """What has not gone yet does not go; it stays in sight as given up."""
    ids = [row.pk for row in gone]
    AlertRecipient.objects.filter(pk__in=ids).update(since=None)
    Alert.objects.filter(recipient__in=ids, message=None).delete()
    waiting = AlertMessage.objects.filter(recipient__in=ids, state=Delivery.WAITING)
    why = sentence(gettext_noop("Not wanted any more."))
    waiting.update(
        state=Delivery.GIVEN_UP,
        finished_at=moment,
        answer=why.english,
        told=why.key,
    )


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person chose on the account page."""

    mail: bool
    mappings: Collection[TableMapping]
    quiet_from: time | None = None
    quiet_until: time | None = None

    @property
    def result(self) -> dict[str, Any]:
        """As the operation keeps it."""
        hours = (
            f"{self.quiet_from:%H:%M}–{self.quiet_until:%H:%M}"
            if self.quiet_from and self.quiet_until
            else ""
        )
        return {
            "mail": str(self.mail),
            "mappings": sorted(str(one) for one in self.mappings),
            "quiet": hours,
        }


def save_wish(user: User, wish: Wish) -> Operation:
    """Keep it; an operation, because it decides who hears of a problem."""
    with transaction.atomic():
        user.mail = wish.mail
        user.quiet_from, user.quiet_until = wish.quiet_from, wish.quiet_until
        user.save(update_fields=["mail", "quiet_from", "quiet_until"])
        user.subscriptions.set(wish.mappings)
        return record_operation(
            OperationKind.USER,
            by=user,
            reason=sentence(gettext_noop("Chose what to be told of.")),
            scope={"user": str(user), "user_id": user.pk},
            result=wish.result,
        )
