"""How the sequences are drawn, and what asserts in them say."""

import pytest
from hypothesis import Phase, settings

from integration.core.records import Direction
from integration.services import behind, creations, sync

pytest.register_assert_rewrite("tests.statemachine.driver")
# For bugs that are planted: that one is found matters, not its shortest sequence.
settings.register_profile("first-failure", phases=[Phase.generate])


@pytest.fixture(autouse=True)
def _several_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run of a few records is one of several chunks.

    Each call is answered before anything else is done: a thread would be now quicker,
    now slower, and a sequence found could not be repeated. What is recorded behind a
    call dies with a worker that is killed in it.
    """
    monkeypatch.setattr(behind, "begin", behind.answered)
    monkeypatch.setattr(sync, "CHUNK", 2)
    monkeypatch.setattr(creations, "CHUNK", dict.fromkeys(Direction, 2))
