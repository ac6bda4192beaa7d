"""Pausing and resuming, by a person or because nothing would pass."""

from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext_noop

from integration import clock
from integration.choices import OperationKind
from integration.core.causes import Cause
from integration.core.records import Direction, System
from integration.models import Connection, SyncError, TableMapping, User
from integration.services.actors import ENGINE_NAME, require_administrator
from integration.services.may_run import pause_reason_of
from integration.services.operations import record_operation
from integration.services.runs import start_run
from integration.services.sentences import Told, in_words, of_cause, sentence
from integration.services.storms import TRIAL


def is_paused_by_failure(connection: Connection) -> bool:
    """Whether a check that passes may resume it; a person's pause stays."""
    return bool(connection.paused_at and connection.pause_article)


def pause(connection: Connection, by: User, reason: str = "") -> bool:
    """By hand; ``False`` when it was paused already."""
    why = reason or sentence(gettext_noop("Paused by hand."))
    return _pause(connection, by, why, pause_reason=reason)


def pause_for(connection: Connection, cause: Cause) -> None:
    """Because of a cause that stops everything (promise 9).

    Where another cause had paused it, this one is what has to be fixed now.
    """
    because: dict[str, Any] = {
        "pause_reason": cause.title,
        "pause_article": cause.article or "unknown",
        "pause_params": dict(cause.params),
    }
    if _pause(connection, None, of_cause(cause), **because):
        return
    paused = Connection.objects.filter(pk=connection.pk, paused_at__isnull=False)
    if paused.exclude(pause_article="").update(**because):  # not by hand
        connection.refresh_from_db()


def reason_of(one: Connection | TableMapping) -> str:
    """Why it is paused, in the active language; a person's own words as they are."""
    reason = pause_reason_of(one)
    return reason if isinstance(reason, str) else in_words(reason)


def resume(connection: Connection, by: User | None, reason: str | Told = "") -> bool:
    """Go on, every mapping at once; ``False`` when it was not paused."""
    why = reason or sentence(gettext_noop("Resumed by hand."))
    changed = Connection.objects.filter(
        pk=connection.pk, paused_at__isnull=False
    ).update(paused_at=None, pause_reason="", pause_article="", pause_params={})
    connection.refresh_from_db()
    if changed:
        connection.mappings.update(next_run_at=clock.now())
        record_switch(connection, by, why, "resumed")
    return bool(changed)


def is_paused_by_storm(mapping: TableMapping) -> bool:
    """Whether resuming begins with a trial; a person's pause has no such sentence."""
    return bool(mapping.paused_at and mapping.pause_told)


def pause_mapping(mapping: TableMapping, by: User, reason: str = "") -> bool:
    """By hand; ``False`` when it was paused already. Raises ``Refused``.

    No further run is started, and one on its way ends after its chunk: what it has not
    tried stays pending, and its cursors stay where they were.
    """
    require_administrator(by)
    why = reason or sentence(gettext_noop("Paused by hand."))
    return _pause(mapping, by, why, pause_reason=reason)


def pause_in_storm(mapping: TableMapping, why: Told) -> bool:
    """Because of a storm (promise 9); ``False`` when it was paused already."""
    because = {"pause_reason": why.english, "pause_told": dict(why.key)}
    return _pause(mapping, None, why, **because)


@transaction.atomic
def resume_mapping(mapping: TableMapping, by: User, reason: str = "") -> UUID | None:
    """Go on at once after a person's pause, and after a storm with ten that failed.

    Whatever passes of these lets the mapping go on; if none does, it pauses again.
    Returns the run to announce; ``None`` when the mapping was not paused, or runs as
    usual. What a person paused, an administrator resumes. Raises ``Refused``.
    """
    mapping.refresh_from_db()
    if not mapping.paused_at:
        return None
    by_storm = is_paused_by_storm(mapping)
    if not by_storm:
        require_administrator(by)
    because: dict[str, Any] = {"on_trial": True} if by_storm else {}
    # Of two clicks, or a resumption and another pause, only what was seen is ended.
    changed = TableMapping.objects.filter(
        pk=mapping.pk, paused_at=mapping.paused_at
    ).update(
        paused_at=None,
        pause_reason="",
        pause_told=None,
        next_run_at=clock.now(),
        **because,
    )
    mapping.refresh_from_db()
    if not changed:
        return None
    why = reason or sentence(gettext_noop("Resumed by hand."))
    record_switch(mapping, by, why, "resumed")
    failed = _latest_failed(mapping) if by_storm else []
    return start_run(mapping, only=failed) if failed else None


@transaction.atomic
def _pause(
    one: Connection | TableMapping, by: User | None, why: str | Told, **because: Any
) -> bool:
    running = type(one).objects.filter(pk=one.pk, paused_at=None)
    changed = running.update(paused_at=clock.now(), **because)
    one.refresh_from_db()
    if changed:
        record_switch(one, by, why, "paused")
    return bool(changed)


def _latest_failed(mapping: TableMapping) -> list[tuple[System, str]]:
    rows = SyncError.objects.of_mapping(mapping).relevant()
    failed = rows.filter(fingerprint=mapping.failing_cause)
    latest = failed.order_by("-last_seen", "-id")[:TRIAL]
    return [(Direction(row.direction).source, row.record_key) for row in latest]


def record_switch(
    one: Connection | TableMapping, by: User | None, why: str | Told, what: str
) -> None:
    """The operation that says what became of it: paused, resumed, enabled."""
    mapping = {"mapping": one.name} if isinstance(one, TableMapping) else {}
    connection = one.connection if isinstance(one, TableMapping) else one
    record_operation(
        OperationKind.SET_UP,
        by=by or ENGINE_NAME,
        reason=why,
        scope={"connection": connection.pk, "name": connection.name, **mapping},
        result={"change": what},
    )
