"""An engine on the simulators, new or with a first synchronization behind it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.services.shared_memory import SharedMemory
from tests.services.beginnings import BARE, FRESH, IN_STEP
from tests.services.engine import Engine


@pytest.fixture
def bare(db: None) -> Iterator[Engine]:
    """Nothing reviewed, no customers, no accounts."""
    with BARE.begin() as engine:
        yield engine


@pytest.fixture
def fresh(db: None) -> Iterator[Engine]:
    """Nothing reviewed; eight customers."""
    with FRESH.begin() as engine:
        yield engine


@pytest.fixture
def engine(db: None) -> Iterator[Engine]:
    """Eight customers that are in step."""
    with IN_STEP.begin() as engine:
        yield engine


@pytest.fixture
def memories(broker_url: str) -> tuple[SharedMemory, SharedMemory]:
    """Those of two processes."""
    return SharedMemory(broker_url), SharedMemory(broker_url)


@pytest.fixture
def nobody(tmp_path: Path) -> SharedMemory:
    """A broker that does not answer."""
    return SharedMemory(f"redis+socket://{tmp_path}/none.sock?virtual_host=0")
