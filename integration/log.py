"""How a log line looks: an event word, then ids; no secret, no customer's data."""

from collections.abc import MutableMapping
from typing import Any

import structlog

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


SHARED: list[Any] = [
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.ExtraAdder(),
    without_traceback,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]
PROCESSORS: list[Any] = [
    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
    structlog.processors.format_exc_info,
    structlog.processors.KeyValueRenderer(key_order=["timestamp", "level", "event"]),
]
