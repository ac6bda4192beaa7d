"""Values no database and no header can hold harm nothing but themselves."""

from collections.abc import Iterator

import httpx2
import pytest

from integration.models import Coupling
from integration.simulators.store import Store
from tests.connectors.simulated import Simulated
from tests.running import running_systems
from tests.services.engine import Engine, running_engine

HALF = "half-of-a-sign"
"""As a field leaves an emoji that it cuts after so many units of UTF-16."""


class Torn(Simulated):
    """Business Central's answers, with what no simulator can store."""

    def __init__(self, store: Store, hostile: bytes) -> None:
        super().__init__(store=store)
        self.hostile = hostile

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        response = super().handle_request(request)
        body = response.read().replace(HALF.encode(), self.hostile)
        kept = {k: v for k, v in response.headers.items() if k != "content-length"}
        return httpx2.Response(response.status_code, headers=kept, content=body)


@pytest.fixture
def engine(db: None) -> Iterator[Engine]:
    with running_systems(records=0) as systems, running_engine(systems) as engine:
        engine.accept()
        engine.sync()
        yield engine


@pytest.mark.parametrize("column", ["displayName", "city", "number"])
@pytest.mark.parametrize(
    "hostile", [rb"\ud83d", rb"\uDC00", rb"\u0000", b"\xed\xa0\xbd"]
)
def test_a_text_that_no_database_takes_is_taken_without_it(
    engine: Engine, column: str, hostile: bytes
) -> None:
    sound = engine.add_customer("S1")
    named = {"number": "H1", "displayName": "Hostile", column: f"X{HALF}"}
    torn = engine.add_customer(named["number"], named["displayName"])
    engine.change(torn, **named)
    engine.bc = Torn(engine.systems.store, hostile).bc()

    first = engine.sync("CUSTOMER")
    again = engine.sync("CUSTOMER")

    assert first["to_sales"]["inserted"] == 2
    assert "inserted" not in again["to_sales"]
    assert Coupling.objects.filter(bc_id__in=[sound.id, torn.id]).count() == 2
    assert not engine.errors()
    sales_column = {"displayName": "name", "city": "address1_city"}
    [account] = [
        row.values
        for row in engine.accounts.rows()
        if row.values.get("name") in ("Hostile", "X\ufffd")
    ]
    assert account[sales_column.get(column, "accountnumber")] == "X\ufffd"
