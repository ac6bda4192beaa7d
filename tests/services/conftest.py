"""An engine on the simulators, new or with a first synchronization behind it."""

from collections.abc import Iterator

import pytest

from tests.running import Systems, running_systems
from tests.services.engine import Engine, running_engine


@pytest.fixture
def bare_systems() -> Iterator[Systems]:
    """One company without customers."""
    with running_systems(records=0) as systems:
        yield systems


@pytest.fixture
def bare(db: None, bare_systems: Systems) -> Iterator[Engine]:
    """Nothing reviewed, no customers, no accounts."""
    with running_engine(bare_systems) as engine:
        yield engine


@pytest.fixture
def fresh(db: None, systems: Systems) -> Iterator[Engine]:
    """Nothing reviewed; eight customers."""
    with running_engine(systems) as engine:
        yield engine


@pytest.fixture
def engine(fresh: Engine) -> Engine:
    """Eight customers that are in step."""
    fresh.accept()
    fresh.sync()
    fresh.sync("CUSTOMER")
    return fresh
