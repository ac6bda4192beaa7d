import pytest

from tests.simulators.desk import COMPANY, COMPANY_NAME, CUSTOMER, ROOT, Desk, error_of

ONE = f"customers({CUSTOMER})"
GOOD = ("POST", "customers", {"displayName": "A"})
BAD = ("POST", "customers", {"displayName": ""})


def test_parts_are_answered_in_order(desk: Desk) -> None:
    responses = desk.batch(GOOD, ("PATCH", ONE, {"city": "Nyon"}), ("GET", ONE, None))

    assert [(r["id"], r["status"]) for r in responses] == [
        ("0", 201),
        ("1", 200),
        ("2", 200),
    ]
    assert responses[2]["body"]["city"] == "Nyon"


def test_it_stops_at_the_first_failure(desk: Desk) -> None:
    responses = desk.batch(GOOD, BAD, GOOD)

    assert [r["status"] for r in responses] == [201, 400]
    assert len(desk.table("customers")) == 2


def test_it_goes_on_when_asked_to(desk: Desk) -> None:
    responses = desk.batch(GOOD, BAD, GOOD, Prefer="odata.continue-on-error")

    assert [r["status"] for r in responses] == [201, 400, 201]
    assert len(desk.table("customers")) == 3


def test_a_snapshot_keeps_nothing_when_a_part_fails(desk: Desk) -> None:
    responses = desk.batch(GOOD, BAD, GOOD, Isolation="snapshot")

    assert [r["status"] for r in responses] == [201, 400, 201]
    assert len(desk.table("customers")) == 1


def test_a_snapshot_that_fails_at_once_answers_once(desk: Desk) -> None:
    assert len(desk.batch(BAD, GOOD, Isolation="snapshot")) == 1


def test_a_snapshot_that_works_stays(desk: Desk) -> None:
    desk.batch(GOOD, GOOD, Isolation="snapshot")

    assert len(desk.table("customers")) == 3


def test_a_part_judges_its_own_etag(desk: Desk) -> None:
    parts = [{"method": "PATCH", "url": f"companies({COMPANY})/{ONE}", "body": {}}]

    answer = desk.call("POST", f"{ROOT}/$batch", {"requests": parts}).get_json()

    [response] = answer["responses"]
    assert response["id"] is None
    assert response["body"]["error"]["code"] == "BadRequest_InvalidToken"


def test_a_part_names_its_company_in_a_header(desk: Desk) -> None:
    part = {
        "id": "1",
        "method": "GET",
        "url": "customers?$select=number",
        "headers": {"Company": COMPANY_NAME},
    }

    answer = desk.call("POST", f"{ROOT}/$batch", {"requests": [part]}).get_json()

    assert answer["responses"][0]["body"]["value"][0]["number"] == "10000"


def test_a_hundred_parts_are_the_limit(desk: Desk) -> None:
    parts = [("GET", ONE, None)] * 100
    assert len(desk.batch(*parts)) == 100

    requests = [{"method": "GET", "url": "companies"}] * 101
    answer = desk.call("POST", f"{ROOT}/$batch", {"requests": requests})

    assert error_of(answer)[0] == 500
    assert "maximum number of '100' query operations" in answer.text


@pytest.mark.parametrize("body", [{}, {"requests": ["GET"]}, []])
def test_a_batch_without_requests_is_refused(desk: Desk, body: object) -> None:
    assert desk.call("POST", f"{ROOT}/$batch", body).status_code == 400


def test_other_formats_and_verbs_are_refused(desk: Desk) -> None:
    text = {"Content_Type": "multipart/mixed; boundary=b"}

    assert desk.call("POST", f"{ROOT}/$batch", **text).status_code == 415
    assert desk.call("GET", f"{ROOT}/$batch").status_code == 405


def test_a_batch_in_a_batch_is_refused(desk: Desk) -> None:
    part = {"method": "POST", "url": "$batch", "body": {"requests": []}}

    answer = desk.call("POST", f"{ROOT}/$batch", {"requests": [part]}).get_json()

    assert answer["responses"][0]["status"] == 404


def test_the_log_knows_every_part(desk: Desk) -> None:
    desk.batch(("GET", "customers?$top=5", None), GOOD)

    entry = desk.store.requests()[-1]
    parts = [(p["method"], p["status"], p["records"]) for p in entry["parts"]]
    assert parts == [("GET", 200, 1), ("POST", 201, 0)]
    assert (entry["entity"], entry["records"]) == ("$batch", 1)
