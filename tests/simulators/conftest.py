"""Who calls the simulators."""

import pytest

from tests.simulators.desk import Desk
from tests.simulators.sales_client import SalesClient, empty_client


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def client() -> SalesClient:
    return empty_client()
