"""How a log line looks: an event word, then ids; no secret, no customer's data."""

import sqlite3
from collections.abc import MutableMapping
from typing import Any

import structlog
from django.db import InterfaceError, OperationalError

FAULT_OF_OURS = 500
_AWAY = ("08", "53", "57P")
"""What PostgreSQL says of a connection, of what it has used up, and of its end."""
Event = MutableMapping[str, Any]


def without_traceback(logger: object, method: str, event: Event) -> Event:
    """What a page refuses, or cannot do for now, is a line: who, and why."""
    if event.get("status_code", FAULT_OF_OURS) == FAULT_OF_OURS:
        return event
    # Asking for the person now could ask a database that is away.
    person = getattr(event.get("request"), "_cached_user", None)
    if person:
        event["user"] = person.get_username()
    error = event.pop("exc_info", (None, None))[1]
    if error and str(error) not in event["event"]:
        event["reason"] = str(error).strip()
    return event


def without_storage(logger: object, method: str, event: Event) -> Event:
    """What a worker could not do because the database is away, or full, or locked, is
    a line: each tick would write its call stack until it is there again."""
    error = (event.get("exc_info") or (None, None))[1]
    if event["logger"] == "celery.app.trace" and _is_unusable(error):
        del event["exc_info"]
        event["event"] = "the database cannot be used"
        event["task"] = event.pop("data")["name"]
        event["reason"] = str(error).strip()
    return event


def _is_unusable(error: BaseException | None) -> bool:
    """Not a statement that is wrong, or in another's way: a deadlock is operational."""
    if not isinstance(error, OperationalError | InterfaceError):
        return False
    state = getattr(error.__cause__, "sqlstate", None)
    if state:
        return str(state).startswith(_AWAY)
    code = getattr(error.__cause__, "sqlite_errorcode", None)
    return bool(code != sqlite3.SQLITE_ERROR)


SHARED: list[Any] = [
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.ExtraAdder(),
    without_traceback,
    without_storage,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]
PROCESSORS: list[Any] = [
    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
    structlog.processors.format_exc_info,
    structlog.processors.KeyValueRenderer(key_order=["timestamp", "level", "event"]),
]
