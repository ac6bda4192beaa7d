"""Pausing and resuming a connection, by a person or because nothing would pass."""

from typing import Any

from django.utils.translation import gettext_noop

from integration import clock
from integration.choices import OperationKind
from integration.core.causes import Cause
from integration.models import Connection, User
from integration.services.articles import title_of
from integration.services.operations import record_operation
from integration.services.sentences import Told, of_cause, sentence

ENGINE_NAME = "Sync Errors"
"""Who did it, where no person did."""


def is_paused_by_failure(connection: Connection) -> bool:
    """Whether a check that passes may resume it; a person's pause stays."""
    return bool(connection.paused_at and connection.pause_article)


def pause(connection: Connection, by: User, reason: str = "") -> bool:
    """By hand; ``False`` when it was paused already."""
    why = reason or sentence(gettext_noop("Paused by hand."))
    return _pause(connection, by, why, pause_reason=reason)


def pause_for(connection: Connection, cause: Cause) -> bool:
    """Because of a cause that stops everything (promise 9)."""
    return _pause(
        connection,
        None,
        of_cause(cause),
        pause_reason=cause.title,
        pause_article=cause.article or "unknown",
        pause_params=dict(cause.params),
    )


def reason_of(connection: Connection, language: str) -> str:
    """Why it is paused, in the reader's language; a person's own words as they are."""
    article = connection.pause_article
    if not article or article == "unknown":
        return connection.pause_reason
    params = connection.pause_params
    return title_of(article, params, language, connection.pause_reason)


def resume(connection: Connection, by: User | None, reason: str | Told = "") -> bool:
    """Go on, every mapping at once; ``False`` when it was not paused."""
    why = reason or sentence(gettext_noop("Resumed by hand."))
    changed = Connection.objects.filter(
        pk=connection.pk, paused_at__isnull=False
    ).update(paused_at=None, pause_reason="", pause_article="", pause_params={})
    connection.refresh_from_db()
    if changed:
        connection.mappings.update(next_run_at=clock.now())
        _record(connection, by, why, "resumed")
    return bool(changed)


def _pause(
    connection: Connection, by: User | None, why: str | Told, **because: Any
) -> bool:
    changed = Connection.objects.filter(pk=connection.pk, paused_at=None).update(
        paused_at=clock.now(), **because
    )
    connection.refresh_from_db()
    if changed:
        _record(connection, by, why, "paused")
    return bool(changed)


def _record(
    connection: Connection, by: User | None, why: str | Told, what: str
) -> None:
    record_operation(
        OperationKind.SET_UP,
        by=by,
        by_name=by.get_username() if by else ENGINE_NAME,
        reason=why,
        scope={"connection": connection.pk, "name": connection.name},
        result={"change": what},
    )
