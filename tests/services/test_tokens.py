"""Tokens that two processes share through a real Valkey."""

import threading
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from redis import Redis

from integration import clock
from integration.connectors.auth import Token
from integration.services.shared_memory import SharedMemory
from integration.services.tokens import SharedTokenCache

Memories = tuple[SharedMemory, SharedMemory]


def a_token(seconds: float = 600) -> Token:
    return Token("eyJ-secret", clock.now() + timedelta(seconds=seconds))


def everything_in(memory: SharedMemory) -> bytes:
    def dump(redis: Redis) -> list[Any]:
        keys: Any = redis.keys("*")
        return [(key, redis.dump(key)) for key in keys]

    return repr(memory.ask(dump)).encode()


def test_one_signs_in_and_the_others_find_its_token_encrypted(
    memories: Memories,
) -> None:
    one, other = map(SharedTokenCache, memories)
    name, token = str(uuid4()), a_token()

    one.put(name, token)

    assert other.get(name) == token
    held = everything_in(memories[0])
    assert b"syncerrors:token:" in held
    assert token.value.encode() not in held
    assert name.encode() not in held


def test_one_that_is_to_be_renewed_is_not_shared(memories: Memories) -> None:
    one, other = map(SharedTokenCache, memories)
    name = str(uuid4())

    one.put(name, a_token(seconds=-1))

    assert other.get(name) is None


def test_what_another_key_has_encrypted_is_not_there(
    memories: Memories, settings: Any
) -> None:
    one, other = map(SharedTokenCache, memories)
    name = str(uuid4())
    one.put(name, a_token())

    settings.CREDENTIAL_KEYS = ["AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="]

    assert other.get(name) is None


def test_one_renews_while_the_others_wait_for_its_token(memories: Memories) -> None:
    name, signed_in = str(uuid4()), []

    def renew(cache: SharedTokenCache) -> None:
        with cache.lock(name):
            if cache.get(name) is None:
                signed_in.append(cache)
                cache.put(name, a_token())

    threads = [
        threading.Thread(target=renew, args=(SharedTokenCache(memory),))
        for memory in memories * 3
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(signed_in) == 1


def test_without_a_broker_each_process_has_its_own(nobody: SharedMemory) -> None:
    one, other = SharedTokenCache(nobody), SharedTokenCache(nobody)
    name, token = str(uuid4()), a_token()

    with one.lock(name):
        one.put(name, token)

    assert one.get(name) == token
    assert other.get(name) is None


@pytest.mark.parametrize("lasted", [True, False])
def test_a_renewal_that_took_too_long_ends_quietly(
    memories: Memories, monkeypatch: pytest.MonkeyPatch, lasted: bool
) -> None:
    monkeypatch.setattr("integration.services.tokens._SIGN_IN_SECONDS", 0.05)
    one, other = map(SharedTokenCache, memories)
    name = str(uuid4())

    with one.lock(name):
        if lasted:
            with other.lock(name):  # that one's time is over
                other.put(name, a_token())

    with one.lock(name):
        assert (one.get(name) is not None) == lasted
