"""Values no database and no header can hold harm nothing but themselves."""

import json
from collections.abc import Iterator

import httpx2
import pytest

from integration.models import Coupling
from integration.simulators.store import Store
from tests.connectors.simulated import Simulated
from tests.services.beginnings import Beginning, accepted
from tests.services.engine import Engine

NOBODY = Beginning(0, accepted)

HALF = "half-of-a-sign"
"""As a field leaves an emoji that it cuts after so many units of UTF-16."""

WHOLE = '"in-place-of-a-text"'
"""What stands for it is no text at all."""


class Torn(Simulated):
    """Business Central's answers, with what no simulator can store."""

    def __init__(self, store: Store, hostile: bytes) -> None:
        super().__init__(store=store)
        self.hostile = hostile

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        response = super().handle_request(request)
        body = response.read().replace(WHOLE.encode(), self.hostile)
        body = body.replace(HALF.encode(), self.hostile)
        kept = {k: v for k, v in response.headers.items() if k != "content-length"}
        return httpx2.Response(response.status_code, headers=kept, content=body)


class Mistaken(Simulated):
    """Names one and the same record in the answer to each creation."""

    named: str = ""

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        response = super().handle_request(request)
        body = response.read()
        if request.url.path.endswith("/$batch") and b'"POST"' in request.content:
            answers = json.loads(body)
            for part in answers["responses"]:
                self.named = self.named or part["body"]["id"]
                part["body"]["id"] = self.named
            body = json.dumps(answers).encode()
        kept = {k: v for k, v in response.headers.items() if k != "content-length"}
        return httpx2.Response(response.status_code, headers=kept, content=body)


@pytest.fixture
def engine(db: None) -> Iterator[Engine]:
    with NOBODY.begin() as engine:
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


@pytest.mark.parametrize(
    "hostile", [b"[1.5]", b'{"a": {"b": [1E+30, null]}}', b"1.5", b"true", b"-0"]
)
def test_what_should_be_a_text_and_is_none_stops_no_other(
    engine: Engine, hostile: bytes
) -> None:
    sound = engine.add_customer("S1")
    odd = engine.add_customer("H1", city=WHOLE.strip('"'))
    engine.bc = Torn(engine.systems.store, hostile).bc()

    first = engine.sync("CUSTOMER")["to_sales"]

    assert first["inserted"] + first.get("failed", 0) == 2
    assert Coupling.objects.filter(bc_id=sound.id).exists()
    assert Coupling.objects.filter(bc_id=odd.id).exists() or engine.errors()


@pytest.mark.parametrize("is_known", [False, True])
def test_a_creation_answered_with_anothers_record_is_looked_for_and_not_repeated(
    engine: Engine, is_known: bool
) -> None:
    """It was called inserted, was no pair, and was created once more on both sides."""
    coupled = engine.add_customer("S1")
    engine.sync("CUSTOMER")
    names = ["One", "Two", "Three"]
    for name in names:
        engine.add_account(name)
    mistaken = Mistaken(store=engine.systems.store)
    mistaken.named = coupled.id if is_known else ""
    sound, engine.bc = engine.bc, mistaken.bc()

    counts = engine.sync("CUSTOMER")["to_business_central"]

    assert counts["failed"] == (3 if is_known else 2)
    assert set(engine.articles()) == {"lost-answer"}

    engine.bc = sound
    engine.make_due()
    engine.sync("CUSTOMER")

    assert not engine.errors()
    assert len(engine.accounts) == len(engine.customers) == 4
    pairs = Coupling.objects.filter(mapping=engine.mapping(), bc_name__in=names)
    assert all(pair.bc_name == pair.sales_name for pair in pairs)
    assert pairs.count() == 3


def test_a_stored_link_that_nobody_can_follow_is_not_in_the_way_for_ever(
    engine: Engine,
) -> None:
    mapping = engine.mapping()
    mapping.sales_cursor = "http://[::1"
    mapping.save()
    engine.add_account("New there")

    counts = engine.sync("CUSTOMER")

    assert counts["to_business_central"]["inserted"] == 1
    assert engine.mapping().sales_cursor.startswith(engine.systems.url)


def test_a_record_stamped_at_the_beginning_of_time_is_read_again(
    engine: Engine,
) -> None:
    mapping = engine.mapping()
    mapping.bc_cursor = "0001-01-01T00:00:00.000Z"
    mapping.save()
    engine.add_customer("S1")

    assert engine.sync("CUSTOMER")["to_sales"]["inserted"] == 1
