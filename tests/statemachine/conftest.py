"""How the sequences are drawn, and what asserts in them say."""

from contextlib import suppress
from contextvars import copy_context
from typing import Any

import pytest
from hypothesis import Phase, settings

from integration.services import behind, creations, spool, sync

pytest.register_assert_rewrite("tests.statemachine.driver")
# For bugs that are planted: that one is found matters, not its shortest sequence.
settings.register_profile("first-failure", phases=[Phase.generate])


@pytest.fixture(autouse=True)
def _several_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run of a few records is one of several chunks, and of many for its spool.

    Each call is answered before anything else is done: a thread would be now quicker,
    now slower, and a sequence found could not be repeated. What is recorded behind a
    call dies with a worker that is killed in it.
    """
    monkeypatch.setattr(behind.Coming, "make_up", lambda coming: None)
    monkeypatch.setattr(behind.Coming, "go", _answered)
    monkeypatch.setattr(spool, "IN_MEMORY", 3)
    monkeypatch.setattr(sync, "CHUNKS", (2, 2))
    monkeypatch.setattr(creations, "CHUNKS", (2, 2))


_go = behind.Coming.go


def _answered(coming: behind.Coming[Any]) -> None:
    if coming.has_gone:
        return
    _go(coming)
    coming.run(copy_context())
    with suppress(Exception):  # What kills the worker kills it here.
        coming.result()
