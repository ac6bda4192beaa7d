"""The connectors meet both APIs as the simulators speak them, written independently."""

from collections.abc import Iterable, Sequence
from uuid import uuid4

import pytest

from integration.connectors.base import Connector, Create, Update, WriteResult, Written
from integration.connectors.errors import (
    ConnectionRefused,
    CursorExpired,
    NotFound,
    Refused,
    Throttled,
)
from integration.core.failures import Failure, FailureKind
from integration.core.records import Page, Record
from integration.simulators.faults import Faults
from tests.connectors.simulated import Simulated

CUSTOMER = ("number", "displayName", "city", "creditLimit", "currencyCode")
ACCOUNT = ("name", "accountnumber", "address1_city", "_transactioncurrencyid_value")


@pytest.fixture
def empty() -> Simulated:
    return Simulated()


@pytest.fixture
def filled() -> Simulated:
    return Simulated(records=30)


def records(pages: Iterable[Page]) -> list[Record]:
    return [record for page in pages for record in page.records]


def all_of(connector: Connector, entity: str, fields: Sequence[str]) -> list[Record]:
    return records(connector.read_all(entity, fields))


def accounts(count: int, *, bad: int = 0) -> list[Create]:
    """The last ``bad`` of them have a name too long for the column."""
    names = [f"Account {n}" for n in range(count - bad)] + ["x" * 200] * bad
    return [
        Create(str(uuid4()), {"name": name, "customertypecode": 3}) for name in names
    ]


def done(results: Sequence[WriteResult]) -> list[Record]:
    return [result.record for result in results if isinstance(result, Written)]


def failures(results: Sequence[WriteResult]) -> list[Failure]:
    return [result for result in results if isinstance(result, Failure)]


def test_business_central_reads_all_and_then_only_what_changed(
    filled: Simulated,
) -> None:
    bc = filled.bc()
    first = list(bc.read_changes("customers", CUSTOMER, ""))
    customer = records(first)[3]

    bc.update_many(
        "customers", CUSTOMER, [Update(customer.id, {"city": "Bern"}, customer.etag)]
    )
    second = list(bc.read_changes("customers", CUSTOMER, first[-1].cursor))

    assert len(records(first)) == 30
    changed = {record.id: record.values["city"] for record in records(second)}
    assert changed[customer.id] == "Bern"
    assert second[-1].cursor >= first[-1].cursor


def test_business_central_creates_and_answers_the_record(empty: Simulated) -> None:
    wanted = [Create("ignored", {"displayName": f"Zoë {n}"}) for n in range(250)]

    results = empty.bc().create_many("customers", CUSTOMER, wanted)

    made = done(results)
    assert [record.values["displayName"] for record in made][:2] == ["Zoë 0", "Zoë 1"]
    assert all(record.values["number"] and record.etag for record in made)
    assert empty.writes == 3


def test_business_central_refuses_single_parts_with_its_own_words(
    empty: Simulated,
) -> None:
    wanted = [Create("", {"displayName": "A"}), Create("", {"displayName": "x" * 101})]

    good, bad = empty.bc().create_many("customers", CUSTOMER, wanted)

    assert isinstance(good, Written)
    assert isinstance(bad, Failure)
    assert bad.code == "Application_StringExceededLength"
    assert "CorrelationId" not in bad.message
    assert bad.request_id
    assert "x" * 101 in bad.request


def test_business_central_tells_a_stale_write(filled: Simulated) -> None:
    bc = filled.bc()
    customer = all_of(bc, "customers", CUSTOMER)[0]
    update = Update(customer.id, {"city": "Bern"}, customer.etag)

    (first,) = bc.update_many("customers", CUSTOMER, [update])
    (second,) = bc.update_many("customers", CUSTOMER, [update])

    assert isinstance(first, Written)
    assert first.record.etag != customer.etag
    assert isinstance(second, Failure)
    assert second.kind is FailureKind.STALE


def test_business_central_finds_records_by_id(filled: Simulated) -> None:
    bc = filled.bc()
    ids = [record.id for record in all_of(bc, "customers", CUSTOMER)]

    found = bc.read_many("customers", CUSTOMER, [*ids, str(uuid4())])

    assert set(found) == set(ids)
    assert bc.read_one("customers", CUSTOMER, ids[0]).id == ids[0]
    with pytest.raises(NotFound):
        bc.read_one("customers", CUSTOMER, str(uuid4()))


def test_business_central_tells_where_it_is(filled: Simulated) -> None:
    bc = filled.bc()

    name = bc.identity().name

    assert name in [company["name"] for company in bc.companies()]
    assert bc.ledger_setup()["localCurrencyCode"]
    assert isinstance(bc.job_queue_entries(), list)
    assert bc.server_time() is not None


def test_a_company_that_is_gone_refuses_the_connection(filled: Simulated) -> None:
    with pytest.raises(ConnectionRefused, match="company-not-found"):
        filled.bc(company_id=str(uuid4())).identity()


def test_a_wrong_environment_refuses_the_connection(filled: Simulated) -> None:
    with pytest.raises(ConnectionRefused, match="NoEnvironment"):
        filled.bc(environment="elsewhere").identity()


def test_sales_reads_all_then_changes_and_deletions(empty: Simulated) -> None:
    sales = empty.sales()
    made = done(sales.create_many("accounts", ACCOUNT, accounts(3)))
    first = list(sales.read_changes("accounts", ACCOUNT, ""))
    kept, changed, gone = (record for record in records(first))

    sales.update_many(
        "accounts", ACCOUNT, [Update(changed.id, {"name": "New"}, changed.etag)]
    )
    empty.store.table("sales:accounts").delete(gone.id)
    (second,) = sales.read_changes("accounts", ACCOUNT, first[-1].cursor)

    assert {record.id for record in made} == {kept.id, changed.id, gone.id}
    assert [record.values["name"] for record in second.records] == ["New"]
    assert second.deleted == (gone.id,)


def test_a_delta_link_that_is_too_old_has_expired(empty: Simulated) -> None:
    sales = empty.sales()
    (page,) = sales.read_changes("accounts", ACCOUNT, "")

    empty.store.move_clock(8 * 86_400)

    with pytest.raises(CursorExpired):
        list(empty.sales().read_changes("accounts", ACCOUNT, page.cursor))


def test_a_thousand_creates_are_one_call(empty: Simulated) -> None:
    sales = empty.sales()

    results = sales.create_many("accounts", ACCOUNT, accounts(1000))

    assert len(done(results)) == 1000
    assert empty.writes == 1
    assert len(all_of(sales, "accounts", ACCOUNT)) == 1000


def test_ten_refused_of_a_thousand_creates_take_two_calls(empty: Simulated) -> None:
    results = empty.sales().create_many("accounts", ACCOUNT, accounts(1000, bad=10))

    assert empty.writes == 2
    assert len(done(results)) == 990
    assert {(f.code, f.field) for f in failures(results)} == {("0x80044331", "name")}


def test_a_repeated_create_says_that_it_exists(empty: Simulated) -> None:
    sales = empty.sales()
    wanted = accounts(12)
    sales.create_many("accounts", ACCOUNT, wanted)

    again = sales.create_many("accounts", ACCOUNT, wanted)

    assert {failure.kind for failure in failures(again)} == {FailureKind.EXISTS}
    assert len(all_of(sales, "accounts", ACCOUNT)) == 12


def test_a_thousand_updates_are_one_call_and_the_stale_stand_alone(
    empty: Simulated,
) -> None:
    sales = empty.sales()
    sales.create_many("accounts", ACCOUNT, accounts(1000))
    known = all_of(sales, "accounts", ACCOUNT)
    before = empty.writes
    updates = [
        Update(record.id, {"address1_city": "Bern"}, record.etag if n > 9 else 'W/"1"')
        for n, record in enumerate(known)
    ]

    results = sales.update_many("accounts", ACCOUNT, updates)

    assert empty.writes - before == 1
    assert {record.values["address1_city"] for record in done(results)} == {"Bern"}
    assert [failure.kind for failure in failures(results)] == [FailureKind.STALE] * 10


def test_lookups_are_bound_and_read_back(filled: Simulated) -> None:
    sales = filled.sales()
    base = sales.base_currency()
    rows = all_of(sales, "transactioncurrencies", ("isocurrencycode",))
    [currency] = [row for row in rows if row.values["isocurrencycode"] == base]
    bound = {
        "name": "A",
        "transactioncurrencyid@odata.bind": f"/transactioncurrencies({currency.id})",
    }

    (result,) = done(
        sales.create_many("accounts", ACCOUNT, [Create(str(uuid4()), bound)])
    )

    column = "_transactioncurrencyid_value"
    assert result.values[column] == currency.id
    assert len(base) == 3


def test_sales_finds_records_by_id(empty: Simulated) -> None:
    sales = empty.sales()
    sales.create_many("accounts", ACCOUNT, accounts(300))
    ids = [record.id for record in all_of(sales, "accounts", ACCOUNT)]
    before = len(empty.sent)

    found = sales.read_many("accounts", ACCOUNT, [*ids, str(uuid4())])

    assert set(found) == set(ids)
    assert len(empty.sent) - before == 2
    with pytest.raises(NotFound):
        sales.read_one("accounts", ACCOUNT, str(uuid4()))


def test_sales_tells_what_is_gone_from_what_may_not_be_read(empty: Simulated) -> None:
    sales = empty.sales()
    sales.create_many("accounts", ACCOUNT, accounts(3))
    hidden, *seen = [r.id for r in all_of(sales, "accounts", ACCOUNT)]
    fault = {"id": "dv-record-access-denied", "entity": "accounts", "record": hidden}
    Faults.of(empty.store).add(fault)
    ids = [*seen, str(uuid4()), hidden]

    listed = sales.read_many("accounts", ACCOUNT, ids)
    one, two, gone, denied = sales.read_each("accounts", ACCOUNT, ids)

    assert set(listed) == set(seen)
    assert done([one, two]) == [listed[key] for key in seen]
    [missing, denied_us] = failures([gone, denied])
    assert missing.kind is FailureKind.NOT_FOUND
    assert denied_us.kind is FailureKind.REFUSED
    assert "ReadAccess" in denied_us.message


def test_business_central_tells_what_is_gone(filled: Simulated) -> None:
    bc = filled.bc()
    ids = [record.id for record in all_of(bc, "customers", CUSTOMER)][:120]

    results = bc.read_each("customers", CUSTOMER, [*ids, str(uuid4())])

    assert [record.id for record in done(results)] == ids
    assert [one.kind for one in failures(results)] == [FailureKind.NOT_FOUND]


def test_sales_says_who_we_are(filled: Simulated) -> None:
    who = filled.sales(strong_consistency=True).identity()

    assert who.user_id
    assert who.role_names
    assert not who.is_disabled


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("aad-secret-invalid", "AADSTS7000215"),
        ("aad-secret-expired", "AADSTS7000222"),
        ("aad-app-disabled", "AADSTS7000112"),
    ],
)
def test_a_refused_app_names_its_code(filled: Simulated, fault: str, code: str) -> None:
    filled.faults.add({"id": fault})

    for connector in (filled.bc(), filled.sales()):
        with pytest.raises(ConnectionRefused, match=code):
            connector.identity()


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("aad-password-must-change", "AADSTS50055"),
        ("aad-account-locked", "AADSTS50053"),
        ("aad-account-disabled", "AADSTS50057"),
    ],
)
def test_a_refused_user_account_names_its_code(
    filled: Simulated, fault: str, code: str
) -> None:
    filled.faults.add({"id": fault})

    with pytest.raises(ConnectionRefused, match=code):
        filled.sales(sign_in=filled.user_account()).identity()


def test_a_wrong_password_is_sent_once(filled: Simulated) -> None:
    sales = filled.sales(sign_in=filled.user_account(password="wrong"))

    for _ in range(20):
        with pytest.raises(ConnectionRefused, match="AADSTS50126"):
            sales.identity()

    account = filled.user_account()
    assert filled.sales(sign_in=account).identity().user_id


def test_a_missing_privilege_is_one_refusal_per_record(empty: Simulated) -> None:
    empty.faults.add({"id": "dv-missing-privilege", "verb": "Create"})

    results = empty.sales().create_many("accounts", ACCOUNT, accounts(12))

    assert {(f.code, f.kind, f.status) for f in failures(results)} == {
        ("0x80040220", FailureKind.REFUSED, 403)
    }
    assert len(done(results)) == 0


@pytest.mark.parametrize("side", ["bc", "sales"])
def test_html_instead_of_json_refuses_the_connection(
    filled: Simulated, side: str
) -> None:
    connector: Connector = filled.bc() if side == "bc" else filled.sales()
    filled.faults.add({"id": "net-html-instead-of-json"})

    with pytest.raises(ConnectionRefused, match="net-html-instead-of-json"):
        connector.identity()


@pytest.mark.parametrize(
    ("fault", "waits"),
    [("bc-tenant-unavailable", 1), ("bc-bad-gateway", 1), ("bc-throttle", 1)],
)
def test_what_passes_by_itself_passes_unnoticed(
    filled: Simulated, fault: str, waits: int
) -> None:
    bc = filled.bc()
    filled.faults.add({"id": fault, "times": 1, "retry_after": 1})

    assert bc.identity().name
    assert filled.slept == [1.0] * waits


def test_a_long_wait_is_the_jobs(filled: Simulated) -> None:
    filled.faults.add({"id": "dv-throttle-requests", "retry_after": 120})

    with pytest.raises(Throttled) as caught:
        filled.sales().identity()

    assert caught.value.retry_after_seconds == 120
    assert filled.slept == []


def test_admin_only_mode_refuses_the_connection(filled: Simulated) -> None:
    filled.faults.add({"id": "dv-admin-only-mode", "times": 9})

    with pytest.raises(ConnectionRefused, match="0x8004a113"):
        filled.sales().create_many("accounts", ACCOUNT, accounts(12))


def test_a_lost_create_in_business_central_is_never_repeated(
    empty: Simulated,
) -> None:
    empty.faults.add({"drop_after_write": True, "side": "business_central"})
    bc = empty.bc()
    wanted = [Create("", {"displayName": str(n)}) for n in range(3)]

    results = bc.create_many("customers", CUSTOMER, wanted)

    assert {f.kind for f in failures(results)} == {FailureKind.LOST_ANSWER}
    assert len(all_of(bc, "customers", CUSTOMER)) == 3


@pytest.mark.parametrize("count", [3, 30])
def test_a_lost_create_in_sales_ends_in_one_record_each(
    empty: Simulated, count: int
) -> None:
    empty.faults.add({"drop_after_write": True, "side": "sales"})
    sales = empty.sales()

    results = sales.create_many("accounts", ACCOUNT, accounts(count))

    assert {f.kind for f in failures(results)} == {FailureKind.EXISTS}
    assert len(all_of(sales, "accounts", ACCOUNT)) == count


def test_a_lost_update_is_found_stale_and_done(empty: Simulated) -> None:
    sales = empty.sales()
    made = done(sales.create_many("accounts", ACCOUNT, accounts(4)))
    empty.faults.add({"drop_after_write": True, "side": "sales"})
    updates = [Update(record.id, {"name": "New"}, record.etag) for record in made]

    results = sales.update_many("accounts", ACCOUNT, updates)

    assert {f.kind for f in failures(results)} == {FailureKind.STALE}
    names = {r.values["name"] for r in all_of(sales, "accounts", ACCOUNT)}
    assert names == {"New"}


def test_a_field_that_does_not_exist_is_refused(filled: Simulated) -> None:
    with pytest.raises(Refused):
        all_of(filled.bc(), "customers", ("noSuchField",))
    with pytest.raises(Refused):
        all_of(filled.sales(), "accounts", ("nosuchfield",))
