import json
import re

import pytest
from werkzeug.test import TestResponse

from integration.simulators.faults import Faults
from integration.simulators.http import SimulatorError
from integration.simulators.sales_batch import parse
from tests.simulators.sales_client import SalesClient, error_of

MIXED = "multipart/mixed; boundary=b"


def part(request: str, body: object = None, *headers: str, boundary: str = "b") -> str:
    """One request with CRLF line ends; ``request`` is ``PATCH accounts(…)``."""
    content = [h for h in headers if h.startswith("Content-ID")]
    lines = [
        f"--{boundary}",
        "Content-Type: application/http",
        "Content-Transfer-Encoding: binary",
        *content,
        "",
        f"{request} HTTP/1.1",
        "Content-Type: application/json",
        *(h for h in headers if h not in content),
        "",
        "" if body is None else json.dumps(body),
        "",
    ]
    return "\r\n".join(lines)


def change_set(*parts: str) -> str:
    head = "--b\r\nContent-Type: multipart/mixed; boundary=bc\r\n\r\n"
    return head + "".join(parts) + "--bc--\r\n"


def send(client: SalesClient, *parts: str, **headers: str) -> TestResponse:
    body = ("".join(parts) + "--b--\r\n").encode()
    return client.call("POST", "$batch", body, Content_Type=MIXED, **headers)


def statuses(answer: TestResponse) -> list[int]:
    return [int(found) for found in re.findall(r"HTTP/1.1 (\d+)", answer.text)]


def test_each_part_is_answered_in_order(client: SalesClient) -> None:
    key = client.create(name="A")

    answer = send(
        client,
        part("GET /sales/api/data/v9.2/WhoAmI"),
        part(f"PATCH accounts({key})", {"name": "B"}, "Prefer: return=representation"),
        part("POST http://localhost/sales/api/data/v9.2/accounts", {"name": "C"}),
        part(f"DELETE accounts({key})"),
    )

    assert answer.status_code == 200
    assert statuses(answer) == [200, 200, 204, 204]
    assert '"name":"B"' in answer.text
    assert (
        "OData-EntityId: http://localhost/sales/api/data/v9.2/accounts(" in answer.text
    )


def test_the_first_failure_ends_the_batch_and_is_its_status(
    client: SalesClient,
) -> None:
    answer = send(
        client,
        part("POST accounts", {"name": "A"}),
        part("POST accounts", {"name": "x" * 200}),
        part("POST accounts", {"name": "C"}),
    )

    assert answer.status_code == 400
    assert statuses(answer) == [204, 400]
    assert "0x80044331" in answer.text
    assert [row["name"] for row in client.get("accounts")["value"]] == ["A"]


def test_with_continue_on_error_all_parts_run(client: SalesClient) -> None:
    parts = [part("POST accounts", {"name": name}) for name in ("A", "x" * 200, "C")]

    answer = send(client, *parts, Prefer="odata.continue-on-error")

    assert answer.status_code == 200
    assert statuses(answer) == [204, 400, 204]


def test_stale_parts_are_refused_one_by_one(client: SalesClient) -> None:
    keys = [client.create(name=name) for name in "AB"]
    etags = [client.get(f"accounts({key})")["@odata.etag"] for key in keys]
    client.call("PATCH", f"accounts({keys[0]})", {"fax": "1"})

    parts = [
        part(f"PATCH accounts({key})", {"fax": "2"}, f"If-Match: {etag}")
        for key, etag in zip(keys, etags, strict=True)
    ]
    answer = send(client, *parts, Prefer="odata.continue-on-error")

    assert statuses(answer) == [412, 204]
    assert client.get(f"accounts({keys[0]})")["fax"] == "1"


def test_a_change_set_is_done_together(client: SalesClient) -> None:
    parts = [
        part("POST accounts", {"name": "A"}, "Content-ID: 1", boundary="bc"),
        part("PATCH $1", {"fax": "1"}, "Content-ID: 2", boundary="bc"),
    ]

    answer = send(client, change_set(*parts))

    assert statuses(answer) == [204, 204]
    assert re.findall(r"Content-ID: (\d)", answer.text) == ["1", "2"]
    row = client.get("accounts")["value"][0]
    assert (row["name"], row["fax"]) == ("A", "1")


def test_a_failing_change_set_leaves_nothing(client: SalesClient) -> None:
    parts = [
        part("POST accounts", {"name": "A"}, "Content-ID: 1", boundary="bc"),
        part("POST accounts", {"name": "x" * 200}, "Content-ID: 2", boundary="bc"),
    ]

    answer = send(client, change_set(*parts), part("POST accounts", {"name": "C"}))

    assert answer.status_code == 400
    assert re.findall(r"Content-ID: (\d)", answer.text) == ["2"]
    assert client.get("accounts")["value"] == []


def test_a_reference_can_be_bound_within_a_change_set(client: SalesClient) -> None:
    euro = {"isocurrencycode": "EUR", "exchangerate": 1.1}
    bound = {"name": "A", "transactioncurrencyid@odata.bind": "$1"}
    parts = [
        part("POST transactioncurrencies", euro, "Content-ID: 1", boundary="bc"),
        part("POST accounts", bound, "Content-ID: 2", boundary="bc"),
    ]

    assert statuses(send(client, change_set(*parts))) == [204, 204]
    assert client.get("accounts")["value"][0]["_transactioncurrencyid_value"]


def test_a_thousand_updates_fit_and_one_more_does_not(client: SalesClient) -> None:
    key = client.create(name="A")
    one = part(f"PATCH accounts({key})", {"fax": "1"}, "If-Match: *")

    assert statuses(send(client, *[one] * 1000)) == [204] * 1000
    assert error_of(send(client, *[one] * 1001)) == (400, "0x80048d19")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--b--\r\n",
        part("GET WhoAmI").replace("\r\n", "\n").encode() + b"--b--\n",
        part("GET WhoAmI").encode(),
        part("POST $batch").encode() + b"--b--\r\n",
        part("GET").encode() + b"--b--\r\n",
        change_set(part("GET WhoAmI", boundary="bc")).encode() + b"--b--\r\n",
        b"--b\r\nContent-Type: text/plain\r\n\r\nGET WhoAmI HTTP/1.1\r\n--b--\r\n",
    ],
    ids=["nothing", "empty", "LF", "open", "nested", "verb", "get", "type"],
)
def test_a_malformed_batch_is_refused(body: bytes) -> None:
    with pytest.raises(SimulatorError) as refusal:
        parse(MIXED, body)

    assert (refusal.value.status, refusal.value.code) == (400, "0x80048d19")


def test_a_batch_needs_its_content_type(client: SalesClient) -> None:
    answer = client.call("POST", "$batch", b"{}", Content_Type="application/json")

    assert error_of(answer) == (400, "0x80048d19")


def test_a_planted_fault_hits_its_part_only(client: SalesClient) -> None:
    fault = {"id": "dv-duplicate-alternate-key", "entity": "accounts", "record": "B"}
    Faults.of(client.store).add(fault)
    parts = [part("POST accounts", {"name": name}) for name in "ABC"]

    answer = send(client, *parts, Prefer="odata.continue-on-error")

    assert statuses(answer) == [204, 412, 204]
