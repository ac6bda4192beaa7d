"""Tokens that all workers share: one of them signs in, the others find its token."""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime

from redis import Redis
from redis.exceptions import LockError
from redis.lock import Lock

from integration import clock
from integration.connectors.auth import InProcessTokenCache, Token
from integration.services.credentials import decrypt, encrypt
from integration.services.shared_memory import SharedMemory, entry_name

_SIGN_IN_SECONDS = 60.0
"""Nobody holds the others up for longer, a killed worker neither."""


class SharedTokenCache:
    """Tokens are encrypted, because the broker writes what it holds to its disk."""

    def __init__(self, memory: SharedMemory) -> None:
        self._memory = memory
        self._alone = InProcessTokenCache()

    def get(self, key: str) -> Token | None:
        held = self._memory.ask(lambda redis: redis.get(_name(key)))
        text = decrypt(held.decode()) if isinstance(held, bytes) else None
        if text is None:
            return self._alone.get(key)
        value, renew_at = json.loads(text)
        return Token(value, datetime.fromisoformat(renew_at))

    def put(self, key: str, token: Token) -> None:
        self._alone.put(key, token)
        left = round((token.renew_at - clock.now()).total_seconds() / clock.rate())
        if left > 0:
            held = encrypt(json.dumps([token.value, token.renew_at.isoformat()]))
            self._memory.ask(lambda redis: redis.set(_name(key), held, ex=left))

    @contextmanager
    def lock(self, key: str) -> Iterator[None]:
        """Between the threads of this process, then between processes."""
        with self._alone.lock(key):
            lock = self._memory.ask(lambda redis: _locked(redis, key))
            try:
                yield
            finally:
                if lock:
                    self._memory.ask(lambda _: _unlock(lock))


def _name(key: str) -> str:
    return entry_name("token", key)


def _locked(redis: Redis, key: str) -> Lock | None:
    """``None`` after a minute: two sign-ins do less harm than none."""
    lock = redis.lock(f"{_name(key)}:lock", timeout=_SIGN_IN_SECONDS)
    return lock if lock.acquire(blocking_timeout=_SIGN_IN_SECONDS) else None


def _unlock(lock: Lock) -> None:
    with suppress(LockError):  # it took so long that another has it
        lock.release()
