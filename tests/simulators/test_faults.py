from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from integration.simulators.fault_states import UnknownFaultError
from integration.simulators.faults import KNOWN, Faults
from integration.simulators.seed_demo import seed_demo
from integration.simulators.store import Store
from tests.simulators.desk import CUSTOMER, EURO, Desk, error_of, fill

ONE = f"customers({CUSTOMER})"
STATES = sorted(fault.id for fault in KNOWN.values() if fault.place == "state")


def content(store: Store) -> dict[str, Any]:
    return {
        place: {row.id: row.values for row in store.table(place).rows()}
        for place in store.table_names()
        if len(store.table(place))
    }


@pytest.mark.parametrize(
    ("fault", "expected", "wait"),
    [
        ("bc-throttle", (429, "Application_TooManyRequests"), None),
        ("bc-tenant-unavailable", (503, "Internal_TenantUnavailable"), "1"),
        ("bc-sql-unavailable", (500, "Internal_ServerError"), None),
    ],
)
def test_a_request_is_refused_as_often_as_asked(
    desk: Desk, fault: str, expected: tuple[int, str], wait: str | None
) -> None:
    desk.token()
    desk.fault(id=fault, times=2)

    for _ in range(2):
        answer = desk.call("GET", ONE)
        assert error_of(answer) == expected
        assert answer.headers.get("Retry-After") == wait
    assert desk.call("GET", ONE).status_code == 200


@pytest.mark.parametrize(("asked", "header"), [(7, "7"), (None, None)])
def test_the_time_to_wait_can_be_chosen(
    desk: Desk, asked: int | None, header: str | None
) -> None:
    desk.token()
    desk.fault(id="bc-tenant-unavailable", retry_after=asked)

    assert desk.call("GET", ONE).headers.get("Retry-After") == header


def test_a_gateway_answers_in_plain_text(desk: Desk) -> None:
    desk.token()
    desk.fault(id="bc-queue-timeout")

    answer = desk.call("GET", ONE)

    assert (answer.status_code, answer.mimetype) == (503, "text/plain")


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ("dv-throttle-requests", 429, "0x80072322"),
        ("dv-maintenance", 503, "0x80048543"),
        ("dv-admin-only-mode", 403, "0x8004A113"),
    ],
)
def test_the_sales_side_has_its_own(
    desk: Desk, fault: str, status: int, code: str
) -> None:
    desk.fault(id=fault)

    answer = desk.call("GET", "/sales/api/data/v9.2/WhoAmI")

    assert error_of(answer) == (status, code)
    assert desk.call("GET", ONE).status_code == 200


def test_an_expired_ticket_has_no_body(desk: Desk) -> None:
    desk.fault(id="dv-token-expired")

    answer = desk.call("GET", "/sales/api/data/v9.2/WhoAmI")

    assert (answer.status_code, answer.data) == (401, b"")


def test_the_token_endpoint_can_be_busy(desk: Desk) -> None:
    desk.fault(id="aad-transient", times=1)

    assert desk.sign_in().get_json()["error_codes"] == [90033]
    assert desk.sign_in().status_code == 200


@pytest.mark.parametrize("address", [ONE, "/sales/api/data/v9.2/WhoAmI"])
def test_a_web_page_comes_instead_of_json(desk: Desk, address: str) -> None:
    desk.token()
    desk.fault(id="net-html-instead-of-json")

    answer = desk.call("GET", address)

    assert (answer.status_code, answer.mimetype) == (200, "text/html")


def test_an_entity_and_a_method_narrow_a_fault(desk: Desk) -> None:
    desk.token()
    desk.fault(id="bc-throttle", entity="currencies", method="GET", times=1)

    assert desk.call("GET", ONE).status_code == 200
    assert desk.batch(("GET", ONE, None))[0]["status"] == 200
    assert desk.call("GET", "currencies").status_code == 429


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("bc-duplicate-key", "Internal_EntityWithSameKeyExists"),
        ("bc-string-too-long", "Application_StringExceededLength"),
        ("bc-field-mandatory", "Application_FieldValidationException"),
    ],
)
def test_one_record_is_refused_inside_a_batch(
    desk: Desk, fault: str, code: str
) -> None:
    desk.fault(id=fault, entity="customers", record="10000", times=1)
    parts = [("POST", "customers", {"displayName": "A"}), ("PATCH", ONE, {})]

    created, changed = desk.batch(*parts)

    assert created["status"] == 201
    assert (changed["status"], changed["body"]["error"]["code"]) == (400, code)
    assert desk.call("PATCH", ONE, {}, If_Match="*").status_code == 200


def test_a_record_is_edited_just_before_its_write(desk: Desk) -> None:
    etag = desk.get(ONE)["@odata.etag"]
    desk.fault(id="bc-record-changed", times=1, values={"phoneNumber": "5"})

    answer = desk.call("PATCH", ONE, {"city": "Nyon"}, If_Match=etag)

    assert error_of(answer) == (409, "Request_EntityChanged")
    assert desk.customer.values["phoneNumber"] == "5"
    again = desk.get(ONE)["@odata.etag"]
    assert desk.call("PATCH", ONE, {}, If_Match=again).status_code == 200


def test_an_edit_stays_when_a_snapshot_is_taken_back(desk: Desk) -> None:
    desk.fault(id="bc-record-changed", times=1)
    bad = ("POST", "customers", {"displayName": ""})

    desk.batch(("PATCH", ONE, {"city": "Nyon"}), bad, Isolation="snapshot")

    assert desk.customer.values["phoneNumber"].startswith("+41 ")
    assert "city" not in desk.customer.values


def test_each_part_of_a_snapshot_is_edited_once(desk: Desk) -> None:
    desk.fault(id="bc-record-changed", times=5)
    version = desk.customer.version

    desk.batch(("PATCH", ONE, {}), ("PATCH", ONE, {}), Isolation="snapshot")

    assert desk.control("GET", "faults")["active"][0]["left"] == 3
    assert desk.customer.version > version


def test_a_fault_for_one_request_meets_one_of_many_threads(desk: Desk) -> None:
    desk.token()
    desk.fault(id="bc-throttle", times=3)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: desk.call("GET", ONE).status_code, range(24)))

    assert sorted(answers) == [200] * 21 + [429] * 3


def test_the_answer_to_a_write_is_lost_and_the_write_stays(desk: Desk) -> None:
    desk.token()
    desk.fault(drop_after_write=True)
    assert desk.call("GET", ONE).status_code == 200

    with pytest.raises(ConnectionError):
        desk.call("POST", "customers", {"displayName": "A"})

    assert len(desk.table("customers")) == 2
    assert desk.store.requests()[-1]["fault"] == "drop_after_write"
    assert desk.call("POST", "customers", {"displayName": "B"}).status_code == 201


def test_a_batch_of_reads_is_no_write(desk: Desk) -> None:
    desk.fault(drop_after_write=True)

    assert desk.batch(("GET", ONE, None))[0]["status"] == 200
    assert desk.batch(("POST", "customers", {"displayName": ""}))[0]["status"] == 400
    with pytest.raises(ConnectionError):
        desk.batch(("GET", ONE, None), ("PATCH", ONE, {}))


def test_a_denied_permission_is_given_back(desk: Desk) -> None:
    desk.fault(id="bc-permission-denied", entity="customers", right="Modify")
    assert desk.call("PATCH", ONE, {}, If_Match="*").status_code == 403
    assert desk.call("POST", "customers", {"displayName": "A"}).status_code == 201

    desk.control("POST", "faults", {"clear": True})

    assert desk.call("PATCH", ONE, {}, If_Match="*").status_code == 200


def test_the_rates_of_one_currency_go_and_come_back(desk: Desk) -> None:
    desk.fault(id="bc-currency-no-exchange-rate", record="EUR")
    assert desk.find("currencyExchangeRates") == []
    assert desk.get(f"currencies({EURO})")["code"] == "EUR"

    desk.control("DELETE", "faults?id=bc-currency-no-exchange-rate")

    assert len(desk.find("currencyExchangeRates")) == 1


def test_an_absent_sales_currency_is_added_as_inactive(desk: Desk) -> None:
    desk.fault(id="dv-currency-not-found", record="eur")

    [row] = desk.store.table("sales:transactioncurrencies").rows()
    assert (row.values["isocurrencycode"], row.values["statecode"]) == ("EUR", 1)


@pytest.mark.parametrize("fault", STATES)
def test_every_state_can_be_set_and_put_back(fault: str) -> None:
    store = Store()
    seed_demo(store, 1)
    before, faults = content(store), Faults.of(store)

    faults.add({"id": fault, "record": record_for(fault)})
    changed = content(store)
    faults.clear({"id": fault})

    assert changed != before
    assert content(store) == before
    assert faults.active() == []


def record_for(fault: str) -> str:
    return "EUR" if "currency" in fault else ""


def test_healing_by_a_person_is_not_undone(desk: Desk) -> None:
    desk.fault(id="aad-password-must-change")
    accounts = desk.store.table("entra:accounts")
    accounts.update(accounts.rows()[0], {"state": "ok", "password": "new"})

    desk.control("POST", "faults", {"clear": True})

    assert accounts.rows()[0].values["password"] == "new"


@pytest.mark.parametrize("name", ["prvCreateAccount", "prvWriteAccount"])
def test_the_privileges_of_a_table_are_taken_from_the_roles(name: str) -> None:
    store = Store()
    seed_demo(store, 1)

    Faults.of(store).add({"id": "dv-missing-privilege", "entity": "accounts"})

    roles = store.table("sales:roles").rows()
    holders = [role for role in roles if name in role.values["privileges"]]
    assert [role.values["name"] for role in holders] == ["System Administrator"]


def test_faults_survive_a_restart_with_what_is_left(tmp_path: Path) -> None:
    path = tmp_path / "simulators.sqlite3"
    desk = Desk(fill(Store(path)))
    desk.token()
    desk.fault(id="bc-throttle", times=2)
    desk.call("GET", ONE)
    desk.store.close()

    again = Store(path)
    [entry] = Faults.of(again).active()
    assert (entry["id"], entry["left"]) == ("bc-throttle", 1)
    again.close()


def test_cleared_faults_are_gone(desk: Desk) -> None:
    first, second = desk.fault(id="bc-throttle"), desk.fault(id="aad-transient")

    assert desk.control("DELETE", f"faults?n={first['n']}") == {"cleared": 1}
    assert [e["n"] for e in desk.control("GET", "faults")["active"]] == [second["n"]]
    assert desk.control("POST", "faults", {"clear": True}) == {"cleared": 1}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"id": "bc-nothing"}, "There is no fault 'bc-nothing'. Known are aad-"),
        ({}, "There is no fault None"),
        ({"kill_at_request": 0}, "above zero"),
        ({"kill_at_request": 3, "target": "beat"}, "worker, broker, web"),
        ({"id": "bc-throttle", "times": 0}, "above zero"),
        ({"latency_ms": "long"}, "must be a number"),
        ({"id": "bc-permission-denied", "entity": "orders"}, "No permissions"),
        ({"id": "aad-secret-expired", "record": "x"}, "nothing here"),
    ],
)
def test_an_unknown_fault_is_a_sentence(
    desk: Desk, body: dict[str, Any], words: str
) -> None:
    answer = desk.ask_control("POST", "faults", body)

    assert answer.status_code == 400
    assert words in answer.get_json()["error"]


def test_a_store_has_one_set_of_faults() -> None:
    store = Store()

    assert Faults.of(store) is Faults.of(store)
    with pytest.raises(UnknownFaultError):
        Faults.of(store).add({"id": "nothing"})


@pytest.mark.parametrize("fault", KNOWN.values(), ids=lambda fault: fault.id)
def test_every_fault_is_a_whole_row(fault: Any) -> None:
    assert fault.place in ("request", "page", "record", "edit", "hidden", "state")
    assert fault.side in ("", "business_central", "sales", "entra")
    assert bool(fault.status) == (fault.place not in ("edit", "state"))


def test_an_integration_user_becomes_administrator_where_no_such_role_was(
    desk: Desk,
) -> None:
    app = desk.store.table("entra:apps").rows()[0]
    users = desk.store.table("sales:systemusers")
    users.insert({"applicationid": app.id, "roles": []})

    desk.fault(id="setup-integration-user-is-admin")

    [role], [user] = desk.store.table("sales:roles").rows(), users.rows()
    assert user.values["roles"] == [role.id]
    assert user.values["accessmode"] == 0


def test_a_delete_meets_no_fault_of_saving(desk: Desk) -> None:
    desk.fault(id="bc-duplicate-key")

    assert desk.call("DELETE", ONE, If_Match="*").status_code == 204
