from datetime import datetime
from typing import Any

import pytest

from integration import clock
from tests.simulators.desk import COMPANY, CUSTOMER, ROOT, USER, Desk, error_of

BC = {"system": "business_central", "entity": "customers"}
ONE = f"customers({CUSTOMER})"


@pytest.mark.parametrize("peer", ["192.0.2.1", "", "2001:db8::1"])
def test_another_machine_is_refused(desk: Desk, peer: str) -> None:
    answer = desk.ask_control("GET", "records", peer=peer)

    assert answer.status_code == 403
    assert answer.get_json()["error"] == "The controls answer this machine only."


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.0.0.5", "::1"])
def test_this_machine_is_answered(desk: Desk, peer: str) -> None:
    assert desk.ask_control("GET", "records", peer=peer).status_code == 200


def test_requests_are_written_down(desk: Desk) -> None:
    desk.get("customers?$top=5", Prefer="odata.maxpagesize=2")

    *_, entry = desk.control("GET", "requests")["requests"]
    assert datetime.fromisoformat(entry.pop("at")).tzinfo
    assert entry.pop("ms") >= 0
    assert entry == {
        "n": 2,
        "target": "business_central",
        "method": "GET",
        "path": f"{ROOT}/companies({COMPANY})/customers?$top=5",
        "status": 200,
        "records": 1,
        "entity": "customers",
        "parts": [],
        "client": "bbbbbbbb-0000-4000-8000-000000000002",
        "fault": "",
    }


def test_each_side_has_its_name_in_the_log_and_controls_are_not_in_it(
    desk: Desk,
) -> None:
    desk.sign_in()
    desk.call("GET", "/sales/api/data/v9.2/WhoAmI")
    desk.call("GET", "/sales/main.aspx")
    desk.control("GET", "records")

    entries = desk.control("GET", "requests?since=1")["requests"]
    assert [entry["target"] for entry in entries] == ["entra", "sales", "page"]


def test_a_refused_list_counts_no_records(desk: Desk) -> None:
    desk.call("GET", "customers?$filter=nonsense")

    assert desk.store.requests()[-1]["records"] == 0


def test_both_stores_are_shown_as_they_are(desk: Desk) -> None:
    desk.store.table("sales:accounts").insert({"name": "Käser AG"})

    found = desk.control("GET", "records")

    [customer] = found["business_central"][COMPANY]["customers"]
    assert (customer["id"], customer["displayName"]) == (CUSTOMER, "Käser AG")
    assert customer["_version"] == desk.customer.version
    assert found["sales"]["accounts"][0]["name"] == "Käser AG"
    assert found["entra"]["accounts"][0]["upn"] == USER


def test_tokens_are_not_shown(desk: Desk) -> None:
    token = desk.token()

    assert token not in desk.ask_control("GET", "records").text


def test_records_are_narrowed(desk: Desk) -> None:
    query = f"records?system=business_central&entity=currencies&company={COMPANY}"

    found = desk.control("GET", query)

    assert list(found["business_central"][COMPANY]) == ["currencies"]
    assert (found["sales"], found["entra"]) == ({}, {})


def test_records_are_added_without_a_rule(desk: Desk) -> None:
    record = {"id": COMPANY, "number": "X", "displayName": "x" * 500}

    answer = desk.control(
        "POST", "records", {**BC, "action": "add", "records": [record]}
    )

    assert answer["count"] == 1
    assert desk.get(f"customers({COMPANY})")["displayName"] == "x" * 500


@pytest.mark.parametrize(
    "which",
    [
        {"where": {"number": "10000"}, "values": {"city": "Nyon"}},
        {"where": {"id": CUSTOMER.upper()}, "values": {"city": "Nyon"}},
        {"records": [{"id": CUSTOMER, "city": "Nyon"}]},
    ],
)
def test_records_are_changed_behind_the_api(desk: Desk, which: dict[str, Any]) -> None:
    etag = desk.get(ONE)["@odata.etag"]

    answer = desk.control("POST", "records", {**BC, "action": "change", **which})

    assert answer["count"] == 1
    assert desk.customer.values["city"] == "Nyon"
    stale = desk.call("PATCH", ONE, {}, If_Match=etag)
    assert error_of(stale)[1] == "Request_EntityChanged"


def test_records_are_deleted(desk: Desk) -> None:
    body = {**BC, "action": "delete", "where": {}, "company": COMPANY}

    assert desk.control("POST", "records", body)["count"] == 1
    assert len(desk.table("customers")) == 0


def test_accounts_and_apps_are_found_by_their_name(desk: Desk) -> None:
    record = {"upn": "new@fabrique.example", "password": "p", "state": "ok"}
    body = {"system": "entra", "entity": "accounts", "action": "add"}

    desk.control("POST", "records", {**body, "records": [record]})

    assert desk.store.table("entra:accounts").get("new@fabrique.example")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "'entity' names the set"),
        ({"entity": "customers"}, "'system' is"),
        ({**BC, "company": "None"}, "There is no company 'None'."),
        (BC, "'action' is add, change or delete."),
        ({**BC, "action": "add"}, "'records' must be a list"),
        ({**BC, "action": "change"}, "Give 'records', or 'where'"),
        ({**BC, "action": "change", "records": [{"id": "x"}]}, "no record with the id"),
        ({**BC, "action": "add", "records": [{"id": CUSTOMER}]}, "already has a row"),
        ([], "must be a JSON object"),
    ],
)
def test_nonsense_is_a_sentence(desk: Desk, body: Any, words: str) -> None:
    answer = desk.ask_control("POST", "records", body)

    assert answer.status_code == 400
    assert words in answer.get_json()["error"]


def test_a_body_that_is_no_json_is_a_sentence(desk: Desk) -> None:
    local = {"REMOTE_ADDR": "127.0.0.1"}

    answer = desk.http.post("/control/records", data=b"{", environ_base=local)

    assert "The body is not JSON" in answer.get_json()["error"]


@pytest.mark.parametrize("name", ["", "nothing", "reset"])
def test_an_unknown_control_names_the_known_ones(desk: Desk, name: str) -> None:
    answer = desk.ask_control("GET", name)

    assert answer.status_code == 404
    assert "POST faults" in answer.get_json()["error"]


def test_a_reset_brings_fresh_data(desk: Desk) -> None:
    desk.table("customers").delete(CUSTOMER)
    desk.fault(id="bc-throttle")

    desk.control("POST", "reset")

    assert desk.customer.values["number"] == "10000"
    assert desk.control("GET", "faults")["active"] == []


def test_the_clock_is_moved_by_an_offset(desk: Desk) -> None:
    answer = desk.control("POST", "clock", {"offset_seconds": 3600})

    assert answer["offset_seconds"] == 3600
    assert desk.control("GET", "clock")["now"] > clock.now().isoformat()


def test_the_clock_is_moved_to_a_moment(desk: Desk) -> None:
    answer = desk.control("POST", "clock", {"at": "2027-03-28T01:00:00+01:00"})

    assert answer["now"].startswith("2027-03-28T00:00:0")


@pytest.mark.parametrize(
    "body", [{}, {"at": "soon"}, {"at": "2027-03-28T01:00:00"}, {"offset_seconds": "x"}]
)
def test_no_moment_is_a_sentence(desk: Desk, body: dict[str, Any]) -> None:
    assert desk.ask_control("POST", "clock", body).status_code == 400


def test_since_must_be_a_number(desk: Desk) -> None:
    assert desk.ask_control("GET", "requests?since=x").status_code == 400


def test_companies_are_rows_too(desk: Desk) -> None:
    body = {"system": "business_central", "entity": "companies", "action": "change"}

    changed = {**body, "where": {}, "values": {"displayName": "New"}}
    desk.control("POST", "records", changed)

    assert desk.get(f"{ROOT}/companies")["value"][0]["displayName"] == "New"


def test_a_condition_that_nothing_meets_changes_nothing(desk: Desk) -> None:
    body = {**BC, "action": "delete", "where": {"number": "20000"}}

    assert desk.control("POST", "records", body)["count"] == 0
