"""An engine on the simulators, new or with a first synchronization behind it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.services.shared_memory import SharedMemory
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


@pytest.fixture
def memories(broker_url: str) -> tuple[SharedMemory, SharedMemory]:
    """Those of two processes."""
    return SharedMemory(broker_url), SharedMemory(broker_url)


@pytest.fixture
def nobody(tmp_path: Path) -> SharedMemory:
    """A broker that does not answer."""
    return SharedMemory(f"redis+socket://{tmp_path}/none.sock?virtual_host=0")
