"""How the sequences are drawn, and what asserts in them say."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest
from hypothesis import Phase, settings

from integration.core.records import Direction
from integration.services import behind, creations, sync

pytest.register_assert_rewrite("tests.statemachine.driver")
# For bugs that are planted: that one is found matters, not its shortest sequence.
settings.register_profile("first-failure", phases=[Phase.generate])


def answered(call: Callable[[], Any]) -> "Future[Any]":
    """A call that has been answered before anything else is done.

    A thread would be now quicker, now slower, and a sequence found could not be
    repeated. What is recorded behind a call dies with a worker that is killed in it.
    """
    future: Future[Any] = Future()
    try:
        future.set_result(call())
    except Exception as error:  # noqa: BLE001  # as a thread hands it over
        future.set_exception(error)
    return future


@pytest.fixture(autouse=True)
def _several_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run of a few records is one of several chunks."""
    monkeypatch.setattr(behind, "begin", answered)
    monkeypatch.setattr(sync, "CHUNK", 2)
    monkeypatch.setattr(creations, "CHUNK", dict.fromkeys(Direction, 2))
