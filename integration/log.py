"""How a log line looks: an event word, then ids; no secret, no customer's data."""

import sqlite3
from collections.abc import MutableMapping
from typing import Any

import structlog
from django.db import InterfaceError, OperationalError

FAULT_OF_OURS = 500
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
    """Not a statement that is wrong, which SQLite calls operational, too."""
    code = getattr(getattr(error, "__cause__", None), "sqlite_errorcode", None)
    is_wrong = code == sqlite3.SQLITE_ERROR
    return isinstance(error, OperationalError | InterfaceError) and not is_wrong


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
