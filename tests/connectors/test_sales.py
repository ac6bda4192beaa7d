import json
import re
from typing import Any

import httpx2
import pytest

from integration.connectors.base import Create, Update, WriteResult, Written
from integration.connectors.errors import (
    ConnectionRefused,
    CursorExpired,
    NotFound,
    Refused,
    Throttled,
)
from integration.connectors.sales import logical_name
from integration.core.failures import Failure, FailureKind
from integration.core.records import Page
from tests.connectors.wire import BASE, Wire, guid, refusal, reply

ROOT = f"{BASE}/api/data/v9.2"
SELECT = "accountid,modifiedon,name"
LINK = f"{ROOT}/accounts?$select={SELECT}&$deltatoken=1"
TOO_LONG = (400, "0x80044331", "The length of the 'name' attribute is exceeded")


def row(number: int) -> dict[str, Any]:
    return {
        "@odata.etag": f'W/"{number}"',
        "accountid": guid(number),
        "modifiedon": "2026-11-22T08:00:00Z",
        "name": f"Account {number}",
    }


def tracked(*rows: dict[str, Any], link: str = LINK) -> httpx2.Response:
    return reply({"value": list(rows), "@odata.deltaLink": link})


def changes(wire: Wire, cursor: str = "") -> list[Page]:
    return list(wire.sales().read_changes("accounts", ("name",), cursor))


def requests_of(batch: httpx2.Request) -> list[str]:
    """Request line, headers and body of each part."""
    boundary = batch.headers["content-type"].partition('boundary="')[2].rstrip('"')
    pieces = batch.content.decode().split(f"--{boundary}")[1:-1]
    return [piece.partition("\r\n\r\n")[2] for piece in pieces]


class Batch:
    """Answers a batch part by part; those whose text has ``refused`` in it fail."""

    def __init__(self, refused: str = r"$^", body: str = "") -> None:
        self.refused = re.compile(refused)
        self.body = body

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        lines = []
        for part in requests_of(request):
            lines += ["--b", "Content-Type: application/http", ""]
            lines += self.answer(part)
        text = "\r\n".join([*lines, "--b--", ""])
        headers = {"Content-Type": "multipart/mixed; boundary=b"}
        return httpx2.Response(200, headers=headers, content=text)

    def answer(self, part: str) -> list[str]:
        if self.refused.search(part):
            return ["HTTP/1.1 400 Bad Request", "", self.body]
        number = int(re.findall(r"-(\d{12})", part)[0])
        return ["HTTP/1.1 200 OK", "", json.dumps(row(number))]


def creates(count: int) -> list[Create]:
    return [Create(guid(n), {"name": f"Account {n}"}) for n in range(count)]


def written(results: list[WriteResult]) -> int:
    return sum(isinstance(result, Written) for result in results)


def test_the_first_read_asks_for_tracking_and_ends_with_a_link() -> None:
    wire = Wire(
        reply({"value": [row(1)], "@odata.nextLink": f"{BASE}/next"}), tracked(row(2))
    )

    first, last = changes(wire)

    assert (first.cursor, last.cursor) == ("", LINK)
    sent = wire.calls[0]
    assert str(sent.url) == f"{ROOT}/accounts?$select={SELECT}"
    assert sent.headers["prefer"] == "odata.track-changes,odata.maxpagesize=5000"
    assert sent.headers["odata-version"] == sent.headers["odata-maxversion"] == "4.0"
    assert sent.headers["if-none-match"] == "null"
    assert "consistency" not in sent.headers
    assert wire.calls[1].headers["prefer"] == sent.headers["prefer"]


def test_a_stored_link_brings_changes_and_deletions() -> None:
    gone = {
        "@odata.context": f"{ROOT}/$metadata#accounts/$deletedEntity",
        "id": guid(9).upper(),
        "reason": "deleted",
    }
    wire = Wire(tracked(row(1), gone, link=f"{LINK}2"))

    (page,) = changes(wire, LINK)

    assert [record.id for record in page.records] == [guid(1)]
    assert page.deleted == (guid(9),)
    assert page.cursor == f"{LINK}2"
    assert str(wire.calls[0].url) == LINK


@pytest.mark.parametrize("status", [400, 404, 410])
def test_a_refused_link_has_expired(status: int) -> None:
    wire = Wire(refusal(status, "0x80044352", "Version stamp has expired."))

    with pytest.raises(CursorExpired) as caught:
        changes(wire, LINK)

    assert caught.value.failure.kind is FailureKind.EXPIRED_CURSOR


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (refusal(403, "0x80040220", "missing prvReadAccount"), Refused),
        (httpx2.Response(404, content=b"no such host here"), ConnectionRefused),
    ],
)
def test_other_refusals_of_a_link_do_not_expire_it(
    answer: httpx2.Response, error: type[Exception]
) -> None:
    with pytest.raises(error):
        changes(Wire(answer), LINK)


def test_a_first_read_that_is_refused_has_no_cursor_to_expire() -> None:
    off = refusal(400, "0x80072491", "Entity account isn't enabled for tracking.")

    with pytest.raises(Refused, match="0x80072491"):
        changes(Wire(off))


@pytest.mark.parametrize(
    "link",
    [
        f"https://old.example/api/data/v9.2/accounts?$select={SELECT}&$deltatoken=1",
        f"{ROOT}/accounts?$select=accountid,modifiedon&$deltatoken=1",
    ],
)
def test_a_link_of_another_host_or_column_set_has_expired(link: str) -> None:
    wire = Wire()

    with pytest.raises(CursorExpired):
        changes(wire, link)

    assert wire.calls == []


def test_a_table_that_is_not_tracked_is_refused_in_words() -> None:
    with pytest.raises(Refused, match="not tracked"):
        changes(Wire(reply({"value": []})))


def test_read_all_pages_in_the_order_of_the_key() -> None:
    wire = Wire(reply({"value": [row(1)]}))

    pages = list(wire.sales().read_all("accounts", ("name",), "statecode eq 0"))

    assert pages[0].records[0].values["name"] == "Account 1"
    assert dict(wire.calls[0].url.params) == {
        "$select": SELECT,
        "$filter": "statecode eq 0",
        "$orderby": "accountid",
    }


def test_an_address_in_a_filter_is_no_address_to_call() -> None:
    wire = Wire(reply({"value": []}))

    list(wire.sales().read_all("accounts", (), "websiteurl eq 'https://x.example'"))

    assert wire.calls[0].url.host == "remote.example"


def test_read_many_takes_hundreds_of_ids_per_call() -> None:
    wire = Wire(*[reply({"value": [row(n)]}) for n in range(2)])
    ids = [guid(number) for number in range(400)]

    found = wire.sales().read_many("accounts", ("name",), ids)

    assert set(found) == {guid(0), guid(1)}
    assert len(wire.calls) == 2


def test_read_one_is_not_found_or_the_record() -> None:
    missing = f"account With Id = {guid(2)} Does Not Exist"
    sales = Wire(reply(row(1)), refusal(404, "0x80040217", missing)).sales()

    assert sales.read_one("accounts", ("name",), guid(1)).etag == 'W/"1"'
    with pytest.raises(NotFound):
        sales.read_one("accounts", ("name",), guid(2))


def made(request: httpx2.Request) -> httpx2.Response:
    """The ids of a bulk action, as the system spells them."""
    targets = json.loads(request.content)["Targets"]
    return reply({"Ids": [target["accountid"].upper() for target in targets]})


@pytest.mark.parametrize(
    "answer",
    [
        reply({}),
        reply([]),
        reply(None, 204),
        reply({"Ids": []}),
        reply({"Ids": [guid(n) for n in range(10)]}),
        reply({"Ids": [guid(n) for n in range(1, 12)]}),
        httpx2.Response(200, text="OK"),
    ],
)
def test_a_bulk_create_that_does_not_say_what_it_made_is_asked_one_by_one(
    answer: httpx2.Response,
) -> None:
    wire = Wire(answer, Batch())

    results = wire.sales().create_many("accounts", ("name",), creates(11))

    assert written(results) == 11
    assert [call.url.path.rpartition("/")[2] for call in wire.calls] == [
        "Microsoft.Dynamics.CRM.CreateMultiple",
        "$batch",
    ]


def test_many_creates_are_one_bulk_action_with_our_keys() -> None:
    wire = Wire(made, made)
    bound = {"name": "A", "transactioncurrencyid@odata.bind": f"/x({guid(5).upper()})"}
    wanted = [Create(guid(n), bound) for n in range(1500)]

    results = wire.sales().create_many("accounts", ("name",), wanted)

    assert written(results) == 1500
    assert [len(wire.sent_json(n)["Targets"]) for n in (0, 1)] == [1000, 500]
    assert wire.calls[0].url.path.endswith(
        "/accounts/Microsoft.Dynamics.CRM.CreateMultiple"
    )
    assert wire.sent_json(0)["Targets"][0] == {
        "@odata.type": "Microsoft.Dynamics.CRM.account",
        "accountid": guid(0),
        **bound,
    }


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        (
            {"transactioncurrencyid@odata.bind": f"/transactioncurrencies({guid(5)})"},
            {"_transactioncurrencyid_value": guid(5)},
        ),
        (
            {"customerid_account@odata.bind": f"/accounts({guid(5)})"},
            {"_customerid_value": guid(5)},
        ),
        ({"primarycontactid@odata.bind": None}, {"_primarycontactid_value": None}),
        ({"name": "A"}, {"name": "A"}),
    ],
)
def test_a_bulk_create_answers_what_was_sent_as_it_is_read(
    sent: dict[str, Any], read: dict[str, Any]
) -> None:
    wire = Wire(made)
    wanted = [Create(guid(n), sent) for n in range(11)]

    first = wire.sales().create_many("accounts", tuple(read), wanted)[0]

    assert isinstance(first, Written)
    assert first.record.values == read
    assert (first.record.id, first.record.etag) == (guid(0), "")


def test_few_creates_go_as_single_requests_that_answer_the_record() -> None:
    wire = Wire(Batch())

    results = wire.sales().create_many("accounts", ("name",), creates(10))

    (batch,) = wire.calls
    assert batch.url.path == "/api/data/v9.2/$batch"
    assert batch.headers["prefer"] == "odata.continue-on-error"
    part = requests_of(batch)[0]
    assert part.startswith(f"POST /api/data/v9.2/accounts?$select={SELECT} HTTP/1.1")
    assert "Prefer: return=representation" in part
    assert f'"accountid":"{guid(0)}"' in part
    assert isinstance(results[3], Written)
    assert results[3].record.etag == 'W/"3"'


def test_a_refused_bulk_action_becomes_one_batch_in_which_the_guilty_stand_alone() -> (
    None
):
    body = json.dumps({"error": {"code": TOO_LONG[1], "message": TOO_LONG[2]}})
    wire = Wire(refusal(*TOO_LONG), Batch(r"Account \d*77\b", body))

    results = wire.sales().create_many("accounts", ("name",), creates(1000))

    assert len(wire.calls) == 2
    failed = [result for result in results if isinstance(result, Failure)]
    assert len(failed) == 10
    assert failed[0].field == "name"
    assert '"Account 77"' in failed[0].request


def test_a_lost_bulk_action_is_repeated_harmlessly() -> None:
    body = json.dumps({"error": {"code": "0x80040237", "message": "duplicate key"}})
    wire = Wire(httpx2.ReadTimeout("slow"), Batch(r"POST", body))

    results = wire.sales().create_many("accounts", ("name",), creates(11))

    kinds = {result.kind for result in results if isinstance(result, Failure)}
    assert kinds == {FailureKind.EXISTS}


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (refusal(403, "0x8004A113", "admin mode"), ConnectionRefused),
        (refusal(429, "0x80072322", "", Retry_After="90"), Throttled),
    ],
)
def test_what_concerns_everybody_is_not_tried_one_by_one(
    answer: httpx2.Response, error: type[Exception]
) -> None:
    wire = Wire(answer)

    with pytest.raises(error):
        wire.sales().create_many("accounts", ("name",), creates(11))

    assert len(wire.calls) == 1


def test_updates_go_by_the_thousand_each_with_its_etag() -> None:
    body = json.dumps({"error": {"code": "0x80060882", "message": "version"}})
    wire = Wire(Batch(r"\(00000000-0000-4000-8000-0000000000\d7\)", body), Batch())
    updates = [Update(guid(n), {"name": "B"}, f'W/"{n}"') for n in range(1001)]

    results = wire.sales().update_many("accounts", ("name",), updates)

    assert len(wire.calls) == 2
    assert written(results) == 991
    failed = results[17]
    assert isinstance(failed, Failure)
    assert failed.kind is FailureKind.STALE
    part = requests_of(wire.calls[0])[1]
    assert part.startswith(f"PATCH /api/data/v9.2/accounts({guid(1)})?$select=")
    assert 'If-Match: W/"1"' in part
    assert "Prefer: return=representation" in part


def test_nothing_to_write_needs_no_call() -> None:
    wire = Wire()

    assert wire.sales().create_many("accounts", (), []) == []
    assert wire.sales().update_many("accounts", (), []) == []


def test_identity_is_the_user_with_roles() -> None:
    admin = "627090FF-40A3-4053-8790-584EDC5BE201"
    user = {
        "fullname": "Sync User",
        "isdisabled": False,
        "accessmode": 4,
        "applicationid": None,
        "islicensed": False,
        "systemuserroles_association": [
            {"name": "System Administrator", "_roletemplateid_value": admin},
            {"name": "Own", "_roletemplateid_value": None},
        ],
    }
    wire = Wire(reply({"UserId": guid(3)}), reply(user))

    who = wire.sales(strong_consistency=True).identity()

    assert (who.user_id, who.name, who.access_mode) == (guid(3), "Sync User", 4)
    assert who.role_template_ids == (admin.lower(),)
    assert who.role_names == ("System Administrator", "Own")
    assert (who.is_disabled, who.is_licensed) == (False, False)
    assert {call.headers["consistency"] for call in wire.calls} == {"Strong"}


def test_the_organization_names_its_base_currency() -> None:
    organization = {
        "organizationid": guid(1),
        "name": "org",
        "_basecurrencyid_value": guid(2),
    }
    currency = {"transactioncurrencyid": guid(2), "isocurrencycode": "CHF"}
    wire = Wire(reply({"value": [organization]}), reply(currency))
    sales = wire.sales()

    assert sales.base_currency() == "CHF"
    assert guid(2) in str(wire.calls[-1].url)
    assert sales.server_time() is None
    sales.close()


def test_an_environment_without_organization_is_refused_in_words() -> None:
    with pytest.raises(Refused, match="organization"):
        Wire(reply({"value": []})).sales().base_currency()


def test_the_scope_is_the_organizations_own_address() -> None:
    wire = Wire(reply(row(1)))

    wire.sales().read_one("accounts", (), guid(1))

    assert "scope=https%3A%2F%2Fremote.example%2F.default" in (
        wire.sign_ins[0].content.decode()
    )


@pytest.mark.parametrize(
    ("entity", "name"),
    [
        ("accounts", "account"),
        ("transactioncurrencies", "transactioncurrency"),
        ("opportunities", "opportunity"),
        ("systemusers", "systemuser"),
    ],
)
def test_tables_have_a_name_in_the_singular(entity: str, name: str) -> None:
    assert logical_name(entity) == name
