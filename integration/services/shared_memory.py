"""What all processes of this installation know together, kept in the broker.

Nothing here must last: whoever asks has an answer of its own for when nobody answers.
"""

import logging
from collections.abc import Callable
from functools import lru_cache
from hashlib import sha256
from typing import TypeVar

from django.conf import settings
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from integration import clock

logger = logging.getLogger(__name__)

Found = TypeVar("Found")

_ANSWER_SECONDS = 1.0
_ALONE_SECONDS = 10.0
"""So long a broker that did not answer is not asked again."""


class SharedMemory:
    """The broker's Redis or Valkey, asked only while it answers."""

    def __init__(self, url: str) -> None:
        # Celery has its own way to write the socket of the embedded broker.
        address = url.replace("redis+socket:", "unix:")
        self._redis = Redis.from_url(
            address.replace("virtual_host=", "db="),
            socket_timeout=_ANSWER_SECONDS,
            socket_connect_timeout=_ANSWER_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )
        self._alone_until = 0.0

    def ask(self, question: Callable[[Redis], Found]) -> Found | None:
        """The answer, or ``None`` when nobody answers."""
        if clock.monotonic() < self._alone_until:
            return None
        try:
            found = question(self._redis)
        except RedisError as error:
            if not self._alone_until:
                logger.warning("broker not reached", extra={"reason": str(error)})
            self._alone_until = clock.monotonic() + _ALONE_SECONDS
            return None
        self._alone_until = 0.0
        return found

    def seconds_alone(self) -> float:
        """How long nobody is asked any more; 0 when the next question is put."""
        return max(0.0, self._alone_until - clock.monotonic())


@lru_cache(maxsize=1)
def shared_memory() -> SharedMemory:
    """The one of this process; nothing is sent yet."""
    return SharedMemory(settings.CELERY_BROKER_URL)


def entry_name(what: str, *parts: str) -> str:
    """The name of an entry; it tells nothing of its parts."""
    return f"syncerrors:{what}:{sha256(' '.join(parts).encode()).hexdigest()}"
