"""What every test can ask for."""

from collections.abc import Iterator

import pytest

from tests.running import Systems, running_systems


@pytest.fixture
def demo_systems() -> Iterator[Systems]:
    """Both systems on a port, with the demonstration's companies."""
    with running_systems() as systems:
        yield systems


@pytest.fixture
def systems() -> Iterator[Systems]:
    """Both systems on a port: one company, eight customers, nothing planted."""
    with running_systems(records=8) as systems:
        yield systems
