import re
from typing import Any

import pytest

from integration.simulators.entra import RefusedError, resource_of
from tests.simulators.desk import ROOT, TENANT, USER, Desk

TWO = "https://a/.default https://b/.default"
ELSEWHERE = "https://x.crm4.dynamics.com/.default"
WITH_PASSWORD = {
    "grant_type": "password",
    "username": USER,
    "password": "a password",
    "client_secret": "",
}


def refusal(desk: Desk, **form: str) -> tuple[int, str, int]:
    """Status, error and AADSTS number."""
    answer = desk.sign_in(**form)
    body: dict[str, Any] = answer.get_json()
    return answer.status_code, body["error"], body["error_codes"][0]


def set_state(desk: Desk, table: str, state: str) -> None:
    rows = desk.store.table(f"entra:{table}")
    rows.update(rows.rows()[0], {"state": state})


def test_a_secret_gives_a_token_for_one_hour(desk: Desk) -> None:
    body = desk.sign_in().get_json()

    assert (body["token_type"], body["expires_in"]) == ("Bearer", 3599)
    assert len(body["access_token"]) > 40


def test_a_password_gives_a_token_that_works(desk: Desk) -> None:
    token = desk.sign_in(**WITH_PASSWORD).get_json()["access_token"]

    answer = desk.call("GET", "customers", Authorization=f"Bearer {token}")

    assert answer.status_code == 200
    assert desk.store.requests()[-1]["client"] == USER


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ({"client_secret": "wrong"}, (401, "invalid_client", 7000215)),
        ({"client_secret": ""}, (401, "invalid_client", 7000218)),
        ({"client_assertion": "a.b.c"}, (401, "invalid_client", 700027)),
        ({"client_id": "nobody"}, (400, "unauthorized_client", 700016)),
        ({"client_id": ""}, (400, "invalid_request", 900144)),
        ({"scope": ""}, (400, "invalid_request", 900144)),
        ({"scope": "everything"}, (400, "invalid_scope", 70011)),
        (
            {"scope": TWO},
            (400, "invalid_request", 700022),
        ),
        (
            {"scope": ELSEWHERE},
            (400, "invalid_resource", 500011),
        ),
        ({"grant_type": "implicit"}, (400, "unsupported_grant_type", 70003)),
        (WITH_PASSWORD | {"password": "wrong"}, (400, "invalid_grant", 50126)),
        (WITH_PASSWORD | {"password": ""}, (400, "invalid_request", 900144)),
        (WITH_PASSWORD | {"username": "nobody@x"}, (400, "invalid_grant", 50034)),
    ],
)
def test_a_bad_request_is_refused(
    desk: Desk, form: dict[str, str], expected: tuple[int, str, int]
) -> None:
    assert refusal(desk, **form) == expected


@pytest.mark.parametrize(
    ("state", "number"),
    [
        ("mustChange", 50055),
        ("expired", 50055),
        ("expiredOnPrem", 50144),
        ("riskReset", 50135),
        ("locked", 50053),
        ("disabled", 50057),
    ],
)
def test_the_state_of_an_account_decides(desk: Desk, state: str, number: int) -> None:
    set_state(desk, "accounts", state)

    assert refusal(desk, **WITH_PASSWORD) == (400, "invalid_grant", number)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("expired", (401, "invalid_client", 7000222)),
        ("invalid", (401, "invalid_client", 7000215)),
        ("disabled", (400, "unauthorized_client", 7000112)),
    ],
)
def test_the_state_of_an_app_decides(
    desk: Desk, state: str, expected: tuple[int, str, int]
) -> None:
    set_state(desk, "apps", state)

    assert refusal(desk) == expected


def test_a_wrong_password_is_wrong_whatever_the_state(desk: Desk) -> None:
    set_state(desk, "accounts", "mustChange")

    assert refusal(desk, **WITH_PASSWORD | {"password": "x"})[2] == 50126


def test_ten_wrong_passwords_lock_the_account(desk: Desk) -> None:
    for _ in range(10):
        desk.sign_in(**WITH_PASSWORD | {"password": "x"})

    assert refusal(desk, **WITH_PASSWORD)[2] == 50053


def test_a_refusal_reads_like_one_of_entra(desk: Desk) -> None:
    set_state(desk, "accounts", "mustChange")

    body = desk.sign_in(**WITH_PASSWORD).get_json()

    assert re.fullmatch(
        r"AADSTS50055: The password is expired\.\r\nTrace ID: [-\w]{36}\r\n"
        r"Correlation ID: [-\w]{36}\r\nTimestamp: \d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ",
        body["error_description"],
    )
    assert body["error_uri"].endswith("error?code=50055")
    assert body["trace_id"] in body["error_description"]


def test_an_unknown_tenant_is_refused(desk: Desk) -> None:
    form = {"grant_type": "client_credentials"}

    answer = desk.http.post("/other.example/oauth2/v2.0/token", data=form)

    assert answer.get_json()["error_codes"] == [90002]
    assert "other.example" in answer.get_json()["error_description"]


def test_a_token_outlives_a_change_of_state(desk: Desk) -> None:
    desk.token()
    set_state(desk, "apps", "expired")

    assert desk.call("GET", "customers").status_code == 200


def test_a_token_ends_by_the_simulators_clock(desk: Desk) -> None:
    desk.token()

    desk.store.move_clock(3600)

    assert desk.call("GET", "customers").status_code == 401


def test_a_token_is_for_one_side(desk: Desk) -> None:
    token = desk.sign_in("sales").get_json()["access_token"]

    answer = desk.call("GET", f"{ROOT}/companies", Authorization=f"Bearer {token}")

    assert answer.status_code == 401


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_the_token_address_takes_a_post_only(desk: Desk, method: str) -> None:
    answer = desk.http.open(f"/{TENANT}/oauth2/v2.0/token", method=method)

    assert answer.status_code == 404


@pytest.mark.parametrize(
    ("scope", "side"),
    [
        ("https://api.businesscentral.dynamics.com/.default", "business_central"),
        ("http://h:1/bc/.default", "business_central"),
        ("http://h:1/bc/v2.0/t/e/api/v2.0/.default offline_access", "business_central"),
        ("http://h:1/sales/.default", "sales"),
        ("http://h:1/.default", "sales"),
        ("http://h:1//.default", "sales"),
    ],
)
def test_the_scope_names_the_side(scope: str, side: str) -> None:
    assert resource_of(scope, "http://h:1") == side


def test_a_scope_of_another_host_is_no_side() -> None:
    with pytest.raises(RefusedError):
        resource_of("http://h:2/sales/.default", "http://h:1")
