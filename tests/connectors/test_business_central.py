import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest

from integration.connectors.base import Create, Update, Written
from integration.connectors.errors import (
    ConnectionRefused,
    CursorExpired,
    NotFound,
    Refused,
    Throttled,
)
from integration.core.failures import Failure, FailureKind
from integration.core.records import Page
from tests.connectors.wire import BASE, COMPANY, Wire, guid, refusal, reply

DATE = "Sun, 22 Nov 2026 08:05:00 GMT"
EARLIER = "2026-11-22T08:00:00.000Z"
ROOT = f"{BASE}/v2.0/contoso/Production/api/v2.0"
FIELDS = ("number", "displayName")


def row(number: int, modified: str = EARLIER) -> dict[str, Any]:
    return {
        "@odata.etag": f'W/"{number}"',
        "id": guid(number),
        "lastModifiedDateTime": modified,
        "number": str(number),
    }


def listed(*rows: dict[str, Any], link: str = "", date: str = DATE) -> httpx2.Response:
    body: dict[str, Any] = {"value": list(rows)}
    if link:
        body["@odata.nextLink"] = link
    return reply(body, 200, **({"Date": date} if date else {}))


def changes(wire: Wire, cursor: str = "") -> list[Page]:
    return list(wire.bc().read_changes("customers", FIELDS, cursor))


def options(request: httpx2.Request) -> dict[str, str]:
    return dict(request.url.params)


def parts_of(request: httpx2.Request) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(request.content)["requests"]
    return found


def done(request: httpx2.Request) -> httpx2.Response:
    """Every part of a batch succeeds."""
    answers = [
        {"id": part["id"], "status": 200, "body": row(int(part["id"]))}
        for part in parts_of(request)
    ]
    return reply({"responses": answers}, Request_Id="batch-1")


def test_the_first_read_takes_all_by_id_and_starts_from_the_servers_time() -> None:
    later = "Sun, 22 Nov 2026 08:09:00 GMT"
    wire = Wire(
        listed(row(1), link=f"{BASE}/next"), listed(row(2, EARLIER), date=later)
    )

    first, last = changes(wire)

    assert (first.cursor, last.cursor) == ("", "2026-11-22T08:05:00.000Z")
    assert [record.id for record in (*first.records, *last.records)] == [
        guid(1),
        guid(2),
    ]
    sent = wire.calls[0]
    assert str(sent.url).startswith(f"{ROOT}/companies({COMPANY})/customers?")
    assert options(sent) == {
        "$select": "id,lastModifiedDateTime,number,displayName",
        "$orderby": "id",
    }
    assert sent.headers["accept-language"] == "en-US"
    assert sent.headers["prefer"] == "odata.maxpagesize=5000"
    assert "data-access-intent" not in sent.headers


def test_a_later_read_takes_what_changed_since() -> None:
    wire = Wire(
        listed(row(1, "2026-11-22T08:01:00.5Z"), row(2, "2026-11-22T08:02:00Z"))
    )

    (page,) = changes(wire, EARLIER)

    assert page.cursor == "2026-11-22T08:05:00.000Z"
    assert options(wire.calls[0])["$filter"] == f"lastModifiedDateTime ge {EARLIER}"
    assert options(wire.calls[0])["$orderby"] == "lastModifiedDateTime,id"


@pytest.mark.parametrize(
    ("cursor", "rows", "date", "following"),
    [
        (EARLIER, [], DATE, "2026-11-22T08:05:00.000Z"),
        (EARLIER, [], "", EARLIER),
        (EARLIER, [row(1, "2026-11-22T09:00:00Z")], DATE, "2026-11-22T08:05:00.000Z"),
        (EARLIER, [row(1, "2026-11-22T09:00:00Z")], "", "2026-11-22T09:00:00.000Z"),
        ("", [row(1, "2026-11-22T07:00:00Z")], "", "2026-11-22T07:00:00.000Z"),
        ("", [], "", ""),
        ("", [row(1, "")], "", ""),
    ],
)
def test_the_next_cursor_never_goes_back_nor_past_the_servers_time(
    cursor: str, rows: list[dict[str, Any]], date: str, following: str
) -> None:
    (page,) = changes(Wire(listed(*rows, date=date)), cursor)

    assert page.cursor == following


def test_a_cursor_of_the_future_has_expired() -> None:
    """The server's clock has gone back: changes stamped meanwhile would be lost."""
    with pytest.raises(CursorExpired):
        changes(Wire(listed(date=DATE)), "2026-11-22T08:30:00.000Z")


def test_a_cursor_that_is_no_moment_has_expired() -> None:
    wire = Wire()

    with pytest.raises(CursorExpired):
        changes(wire, "x' or true")

    assert wire.calls == []


def test_read_all_passes_the_filter_on() -> None:
    wire = Wire(listed(row(1)))

    pages = list(wire.bc().read_all("currencies", ("code",), "code eq 'EUR'"))

    assert pages[0].records[0].etag == 'W/"1"'
    assert options(wire.calls[0])["$filter"] == "code eq 'EUR'"


def test_read_many_asks_for_many_ids_per_call_in_short_addresses() -> None:
    ids = [guid(number) for number in range(60)]
    wire = Wire(listed(row(0), row(1)), listed(row(2)))

    found = wire.bc().read_many("customers", FIELDS, ids)

    assert set(found) == {guid(0), guid(1), guid(2)}
    assert len(wire.calls) == 2
    assert all(len(str(call.url)) <= 2_000 for call in wire.calls)


def test_read_one_gives_the_record() -> None:
    wire = Wire(reply(row(7)))

    assert wire.bc().read_one("customers", FIELDS, guid(7)).id == guid(7)


def test_read_one_of_a_missing_record_is_not_found() -> None:
    missing = refusal(404, "Internal_RecordNotFound", "The Customer does not exist.")

    with pytest.raises(NotFound):
        Wire(missing).bc().read_one("customers", FIELDS, guid(7))


def test_creates_go_by_the_hundred_and_never_bring_an_id() -> None:
    wire = Wire(done, done, done)
    creates = [Create(guid(n), {"displayName": str(n)}) for n in range(201)]

    results = wire.bc().create_many("customers", FIELDS, creates)

    assert len(results) == 201
    assert [len(parts_of(call)) for call in wire.calls] == [100, 100, 1]
    part = parts_of(wire.calls[0])[0]
    assert part["url"] == f"companies({COMPANY})/customers"
    assert part["body"] == {"displayName": "0"}
    assert wire.calls[0].headers["prefer"] == "odata.continue-on-error"
    assert isinstance(results[0], Written)


def test_updates_carry_their_etag() -> None:
    wire = Wire(done)

    (result,) = wire.bc().update_many(
        "customers", FIELDS, [Update(guid(1).upper(), {"city": "Bern"}, 'W/"a"')]
    )

    assert isinstance(result, Written)
    (part,) = parts_of(wire.calls[0])
    assert part["method"] == "PATCH"
    assert part["url"] == f"companies({COMPANY})/customers({guid(1)})"
    assert part["headers"]["If-Match"] == 'W/"a"'


def lost(request: httpx2.Request) -> httpx2.Response:
    raise httpx2.ReadTimeout("slow", request=request)


@pytest.mark.parametrize(
    "trouble",
    [
        lost,
        refusal(500, "Internal_ServerError", "Cannot reach SQL"),
        httpx2.Response(200, content=b'{"responses": [{"id": "1", "sta'),
    ],
)
def test_creates_without_an_answer_are_never_sent_twice(
    trouble: httpx2.Response | Callable[[httpx2.Request], httpx2.Response],
) -> None:
    wire = Wire(trouble)
    creates = [Create(guid(n), {}) for n in range(4)]

    results = wire.bc().create_many("customers", FIELDS, creates)

    assert len(wire.calls) == 1
    kinds = {result.kind for result in results if isinstance(result, Failure)}
    assert kinds == {FailureKind.LOST_ANSWER}


def test_a_batch_that_stops_leaves_the_rest_without_an_answer() -> None:
    failed = {"error": {"code": "Unknown", "message": "no"}}
    answers = [
        {"id": "1", "status": 201, "body": row(1)},
        {"id": "2", "status": 400, "body": failed},
    ]
    wire = Wire(reply({"responses": answers}))
    creates = [Create(guid(n), {}) for n in range(3)]

    first, second, third = wire.bc().create_many("customers", FIELDS, creates)

    assert isinstance(first, Written)
    assert isinstance(second, Failure)
    assert isinstance(third, Failure)
    assert (second.kind, third.kind) == (FailureKind.REFUSED, FailureKind.LOST_ANSWER)


def test_updates_without_an_answer_are_tried_in_halves() -> None:
    wire = Wire(lost, done, done)
    # Each half holds one part, which is its first.
    updates = [Update(guid(1), {}, "W/1") for _ in range(2)]

    results = wire.bc().update_many("customers", FIELDS, updates)

    assert [isinstance(result, Written) for result in results] == [True, True]


def test_throttling_between_two_batches_keeps_what_was_written() -> None:
    wire = Wire(done, refusal(429, "Application_TooManyRequests", "", Retry_After="60"))
    creates = [Create(guid(n), {}) for n in range(150)]

    results = wire.bc().create_many("customers", FIELDS, creates)

    assert [isinstance(result, Written) for result in results].count(True) == 100
    last = results[-1]
    assert isinstance(last, Failure)
    assert (last.kind, last.retry_after_seconds) == (FailureKind.THROTTLED, 60)


def test_throttling_before_anything_is_raised() -> None:
    wire = Wire(refusal(429, "Application_TooManyRequests", "", Retry_After="60"))

    with pytest.raises(Throttled):
        wire.bc().create_many("customers", FIELDS, [Create(guid(1), {})])


def test_identity_is_the_companys_name() -> None:
    wire = Wire(reply({"id": COMPANY, "name": "CRONUS"}, Date=DATE))
    bc = wire.bc()

    assert bc.server_time() is None
    assert bc.identity().name == "CRONUS"
    assert bc.server_time() == datetime(2026, 11, 22, 8, 5, tzinfo=UTC)


def test_a_company_that_is_not_there_refuses_the_connection() -> None:
    missing = refusal(404, "BadRequest_NotFound", "Not there")

    with pytest.raises(ConnectionRefused, match="company-not-found"):
        Wire(missing).bc().identity()


def test_what_a_check_reads_comes_as_the_api_gives_it() -> None:
    wire = Wire(
        listed({"localCurrencyCode": "CHF"}),
        listed({"status": "Ready"}, link=f"{BASE}/next"),
        listed({"status": "On Hold"}),
    )
    bc = wire.bc()

    assert bc.ledger_setup() == {"localCurrencyCode": "CHF"}
    entries = bc.job_queue_entries("objectIdToRun eq 5339")
    assert [entry["status"] for entry in entries] == ["Ready", "On Hold"]
    assert options(wire.calls[1])["$filter"] == "objectIdToRun eq 5339"


def test_an_empty_set_up_is_refused_in_words() -> None:
    with pytest.raises(Refused, match="generalLedgerSetup is empty"):
        Wire(listed()).bc().ledger_setup()


def test_no_secret_is_in_what_a_connector_shows() -> None:
    assert "wire-secret-value" not in repr(Wire().bc())
