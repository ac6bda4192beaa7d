"""What changed since it was last told, and what is to be told of it to whom.

State is compared with state; nothing hangs on an event that may be lost. One
transaction holds the new told state and the alerts, under the lock of one row, so that
two at once tell nothing twice.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from django.db import transaction
from django.db.models import Q, QuerySet

from integration import clock
from integration.choices import AlertChange, Chip, Delivery, JobState
from integration.models import (
    Alert,
    AlertMessage,
    AlertRecipient,
    AlertSubject,
    ErrorTotal,
    Job,
    OperationCell,
    Problem,
    SyncError,
    TableMapping,
)
from integration.models.errors import RELEVANT_CHIPS
from integration.services.alert_looks import look
from integration.services.alert_recipients import (
    Concern,
    Listener,
    channels_on,
    listeners,
)
from integration.services.causes import CauseCount, cause_counts
from integration.services.overview import mappings_with_last_success
from integration.services.silence import change_of_mapping, watched

HOUR = timedelta(hours=1)
MICROSECOND = timedelta(microseconds=1)
WHOLE_NUMBER = timedelta(minutes=5)
"""So long the first message of a problem waits for the end of the run that meets it."""
MOST_IN_AN_HOUR = 10
"""Messages to one recipient; what comes on top goes together."""
_UNSENT = (Delivery.WAITING, Delivery.SENDING)


@dataclass(frozen=True, slots=True)
class Changed:
    """One change of a subject, not yet told."""

    subject: AlertSubject
    change: AlertChange
    concern: Concern
    records: int = 0
    last_success: datetime | None = None


def tell_what_changed() -> None:
    """Write down what is to be told; a few queries when nothing is. Sends nothing."""
    if not channels_on() and not AlertRecipient.objects.exclude(since=None).exists():
        return
    with transaction.atomic():
        now = clock.now()
        looked = look(now)
        everybody = listeners(now, looked.channels)
        if all(one.is_new for one in everybody):
            _know_every_problem(now)
        changes = [
            *_changed_problems(now),
            *_spread_problems(),
            *_changed_mappings(now, looked.before),
        ]
        known = [one for one in everybody if not one.is_new]
        for listener in known:
            _tell(listener, [c for c in changes if listener.cares_for(c.concern)], now)
        _tell_newcomers([one for one in everybody if one.is_new], now)
        _send_digests(known, now)


def note_removed(problems: Collection[int], moment: datetime) -> None:
    """A clean-up removes relevant errors of these for good: that heals nothing."""
    AlertSubject.objects.filter(problem__in=problems).update(removed_at=moment)


def note_moved(source: Problem, target: Problem) -> None:
    """Errors of one problem are counted under another: that is no news to tell.

    In the transaction that moves them. Whoever was told of the one was told of both.
    """
    told = AlertSubject.objects.filter(problem=source, stands=True).first()
    if told is None:
        return
    subject, _is_new = AlertSubject.objects.get_or_create(
        problem=target, defaults={"stands": True, "since": told.since}
    )
    if not subject.stands:
        AlertSubject.objects.filter(pk=subject.pk).update(
            stands=True, since=told.since, removed_at=None
        )
    left = SyncError.objects.relevant().filter(problem=source)
    if not left.exists():
        AlertSubject.objects.filter(pk=told.pk).update(stands=False)


def _know_every_problem(now: datetime) -> None:
    """Nobody was told so far: what is past did not appear today, it comes back."""
    past = Problem.objects.filter(alert_subject=None).exclude(
        pk__in=_in_sight().values("problem_id")
    )
    AlertSubject.objects.bulk_create(
        [AlertSubject(problem=problem, since=now) for problem in past],
        ignore_conflicts=True,
    )


# --- Problems -----------------------------------------------------------------


def _in_sight() -> QuerySet[Any, Any]:
    """Errors in the list that need somebody: not ignored."""
    return ErrorTotal.objects.filter(state__in=(Chip.OPEN, Chip.WAITING), n__gt=0)


def _changed_problems(now: datetime) -> list[Changed]:
    """One query finds them. What a clean-up only hid has not changed."""
    rows = OperationCell.objects.filter(state__in=RELEVANT_CHIPS, n__gt=0)
    hidden = rows.values("problem_id")
    told = Q(alert_subject__stands=True)
    untold = Q(alert_subject=None) | Q(alert_subject__stands=False)
    in_sight = Q(pk__in=_in_sight().values("problem_id"))
    begun = untold & in_sight
    over = told & ~in_sight & ~Q(pk__in=hidden)
    found = list(Problem.objects.filter(begun | over).order_by("pk"))
    growing = _growing(found, now)
    found = [problem for problem in found if problem.pk not in growing]
    if not found:
        return []
    subjects = {
        one.problem_id: one for one in AlertSubject.objects.filter(problem__in=found)
    }
    concerns, counts = _concerns(found), cause_counts(Q(problem__in=found))
    changes = []
    for problem in found:
        count = counts.get(problem.pk, CauseCount())
        concern = concerns[problem.pk]
        subject, change = _change_of(problem, subjects.get(problem.pk), count, now)
        if subject.stands:
            subject.mappings = sorted(concern.mappings)
            subject.save(update_fields=["mappings"])
        if change:
            changes.append(Changed(subject, change, concern, count.relevant))
    return changes


def _growing(found: Sequence[Problem], now: datetime) -> set[int]:
    """Those that only a run which began just now has met, and may go on to meet.

    What another run has met as well waits for none: there could always be a next one.
    """
    if not found:
        return set()
    young = Job.objects.filter(
        state=JobState.RUNNING, started_at__gt=now - WHOLE_NUMBER
    )
    rows = SyncError.objects.relevant().order_by()
    here = Q(job__in=list(young))
    met = set(
        rows.filter(here, problem__in=found)
        .values_list("problem", flat=True)
        .distinct()
    )
    others = rows.filter(~here, problem__in=met)
    return met - set(others.values_list("problem", flat=True).distinct())


def _change_of(
    problem: Problem, subject: AlertSubject | None, count: CauseCount, now: datetime
) -> tuple[AlertSubject, AlertChange | None]:
    """The subject as it is told from now on, and what is told of it, if anything."""
    if subject is None:
        # Errors that have moved to it since were told of already (``note_moved``).
        subject, is_new = AlertSubject.objects.get_or_create(
            problem=problem, defaults={"stands": True, "since": now}
        )
        return subject, AlertChange.APPEARED if is_new else None
    change = AlertChange.CAME_BACK if count.needs_someone else _ending(subject, count)
    subject.stands, subject.since = count.needs_someone, now
    subject.removed_at = None
    subject.save(update_fields=["stands", "since", "removed_at"])
    return subject, change


def _ending(subject: AlertSubject, count: CauseCount) -> AlertChange | None:
    """Why it needs nobody any more; nothing is told of what was ignored or removed."""
    if count.ignored:
        return None
    settled = SyncError.objects.filter(problem=subject.problem_id)
    if subject.removed_at is not None and not (
        settled.filter(settled_at__gt=subject.removed_at).exists()
    ):
        return None
    by_hand = settled.filter(handled_by__isnull=False, settled_at__gte=subject.since)
    return AlertChange.RESOLVED if by_hand.exists() else AlertChange.HEALED


def _spread_problems() -> list[Changed]:
    """What stands and is on another mapping since: news for those who follow that."""
    subjects = AlertSubject.objects.filter(stands=True, problem__isnull=False)
    standing = {one.problem_id: one for one in subjects.select_related("problem")}
    if not standing:
        return []
    spread = []
    for key, now_on in _mappings_of(_in_sight()).items():
        subject = standing.get(key)
        if subject is None or not now_on - set(subject.mappings or ()):
            continue
        told = now_on if subject.mappings is None else set(subject.mappings)
        subject.mappings = sorted(told | now_on)
        subject.save(update_fields=["mappings"])
        if subject.problem and now_on - told:
            concern = Concern(subject.problem.who, now_on - told, told)
            spread.append((subject, concern))
    counts = cause_counts(Q(problem__in=[s.problem_id for s, _concern in spread]))
    return [
        Changed(
            subject,
            AlertChange.APPEARED,
            concern,
            counts.get(subject.problem_id or 0, CauseCount()).relevant,
        )
        for subject, concern in spread
    ]


def _concerns(problems: Sequence[Problem]) -> Mapping[int, Concern]:
    """Whom each concerns; of what is over, those of every mapping it was on."""
    models = (ErrorTotal, OperationCell)
    found = _mappings_of(
        *(model.objects.filter(problem__in=problems) for model in models)
    )
    return {
        problem.pk: Concern(problem.who, found.get(problem.pk, set()))
        for problem in problems
    }


def _mappings_of(*totals: QuerySet[Any, Any]) -> dict[int, set[int]]:
    """By problem, the mappings of these roll-ups; one query more."""
    ids = {
        (connection, name): key
        for key, connection, name in TableMapping.objects.values_list(
            "pk", "connection_id", "name"
        )
    }
    found: dict[int, set[int]] = {}
    for rows in totals:
        columns = ("problem_id", "connection_id", "mapping_key")
        for problem, *place in rows.order_by().values_list(*columns).distinct():
            mapping = ids.get((place[0], place[1]))
            if mapping:
                found.setdefault(problem, set()).add(mapping)
    return found


# --- Mappings -----------------------------------------------------------------


def _changed_mappings(now: datetime, looked_at: datetime | None) -> list[Changed]:
    """Silence and its end: no success for three times the interval."""
    running = set(
        TableMapping.objects.running()
        .exclude(reviewed_at=None)
        .values_list("pk", flat=True)
    )
    subjects = {
        one.mapping_id: one for one in AlertSubject.objects.exclude(mapping=None)
    }
    found = []
    for mapping in mappings_with_last_success():
        subject = subjects.get(mapping.pk)
        if mapping.pk in running:
            subject = watched(mapping, subject, now, looked_at)
        change = subject and change_of_mapping(
            mapping, subject, now, is_running=mapping.pk in running
        )
        if subject and change:
            concern = Concern("", {mapping.pk})
            last = mapping.last_success
            found.append(Changed(subject, change, concern, last_success=last))
    return found


# --- Alerts and messages ------------------------------------------------------


def _tell(listener: Listener, changes: Sequence[Changed], now: datetime) -> None:
    """Each problem in a message of its own, silent mappings in one; or held back."""
    if not changes:
        return
    recipient = listener.recipient
    quiet_until = listener.quiet_until(now)
    if quiet_until:
        _write(recipient, changes, now, due_at=quiet_until)
        return
    busy, room = _busy(recipient, now), _room(recipient, now)
    free = [one for one in changes if one.subject.pk not in busy]
    problems = [[one] for one in free if one.subject.problem_id]
    mappings = [one for one in free if one.subject.mapping_id]
    parts = [*([mappings] if mappings else []), *problems]
    for part in parts[:room]:
        message = _message(recipient, now)
        _write(recipient, part, now, message=message)
    late = [one for part in parts[room:] for one in part]
    late += [one for one in changes if one.subject.pk in busy]
    _write(recipient, late, now, due_at=now + HOUR)


def _busy(recipient: AlertRecipient, now: datetime) -> set[int]:
    """Subjects this recipient was, or is about to be, told of within the hour."""
    recent = Q(message__state__in=_UNSENT) | Q(message__finished_at__range=_hour(now))
    rows = Alert.objects.filter(recent, recipient=recipient)
    return set(rows.values_list("subject", flat=True))


def _room(recipient: AlertRecipient, now: datetime) -> int:
    sent = AlertMessage.objects.filter(
        recipient=recipient, created_at__range=_hour(now)
    )
    return max(MOST_IN_AN_HOUR - sent.count(), 0)


def _hour(now: datetime) -> tuple[datetime, datetime]:
    """The last one: what lies further ahead was before the clock was set back."""
    return now - HOUR + MICROSECOND, now + clock.AHEAD


def _write(
    recipient: AlertRecipient,
    changes: Sequence[Changed],
    now: datetime,
    *,
    message: AlertMessage | None = None,
    due_at: datetime | None = None,
) -> None:
    """In this message, or held back until ``due_at``."""
    Alert.objects.bulk_create(
        [
            Alert(
                recipient=recipient,
                subject=one.subject,
                change=one.change,
                noticed_at=now,
                due_at=due_at or now,
                records=one.records,
                last_success=one.last_success,
                message=message,
            )
            for one in changes
        ]
    )


def _message(recipient: AlertRecipient, now: datetime) -> AlertMessage:
    return AlertMessage.objects.create(
        recipient=recipient, key=uuid4(), created_at=now, due_at=now
    )


def _tell_newcomers(newcomers: Sequence[Listener], now: datetime) -> None:
    """What stands already, once and in one message, however much it is."""
    if not newcomers:
        return
    standing = _standing()
    for listener in newcomers:
        theirs = [one for one in standing if listener.cares_for(one.concern)]
        quiet_until = listener.quiet_until(now)
        if theirs and quiet_until:
            _write(listener.recipient, theirs, now, due_at=quiet_until)
        elif theirs:
            message = _message(listener.recipient, now)
            _write(listener.recipient, theirs, now, message=message)


def _standing() -> list[Changed]:
    subjects = list(
        AlertSubject.objects.filter(stands=True)
        .select_related("problem", "mapping")
        .order_by("pk")
    )
    problems = [one.problem for one in subjects if one.problem]
    concerns, counts = _concerns(problems), cause_counts(Q(problem__in=problems))
    return [
        Changed(
            subject,
            AlertChange.STANDS,
            concerns[subject.problem_id]
            if subject.problem_id
            else Concern("", {subject.mapping_id or 0}),
            counts.get(subject.problem_id or 0, CauseCount()).relevant,
        )
        for subject in subjects
        if subject.mapping_id or subject.problem_id in counts
    ]


def _send_digests(known: Sequence[Listener], now: datetime) -> None:
    """Whoever has something held back that is due gets all of it that may go."""
    come = Q(due_at__lte=now) | Q(noticed_at__gt=now + clock.AHEAD)
    due = Alert.objects.filter(come, message=None)
    waiting = set(due.values_list("recipient", flat=True))
    for listener in known:
        recipient = listener.recipient
        if recipient.pk not in waiting or listener.quiet_until(now):
            continue
        held = Alert.objects.filter(recipient=recipient, message=None)
        free = held.exclude(subject__in=_busy(recipient, now))
        ids = list(free.values_list("pk", flat=True))
        if ids:
            message = _message(recipient, now)
            Alert.objects.filter(pk__in=ids).update(message=message)
