import json
from typing import Any

import pytest

from integration.connectors.calls import Answer, Call
from integration.connectors.refusals import failure_of_answer, problem_of
from integration.core.failures import FailureKind
from integration.core.records import System

BC, SALES = System.BUSINESS_CENTRAL, System.SALES
ME = "aaaaaaaa-0000-4000-8000-000000000001"
OTHER = "bbbbbbbb-0000-4000-8000-000000000002"
CORRELATION = "12345678-1234-1234-1234-123456789012"


def call(system: System, method: str = "PATCH", record_id: str = ME) -> Call:
    return Call(system, "update", method, "https://x.example/y", record_id=record_id)


def answer(status: int, code: str, message: str, **headers: str) -> Answer:
    body: Any = {"error": {"code": code, "message": message}}
    return Answer(status, headers, json.dumps(body).encode())


@pytest.mark.parametrize(
    ("system", "status", "code", "kind"),
    [
        (BC, 401, "Authentication_InvalidCredentials", FailureKind.CONNECTION),
        (BC, 404, "NoEnvironment", FailureKind.CONNECTION),
        (BC, 404, "Internal_CompanyNotFound", FailureKind.CONNECTION),
        (BC, 403, "Internal_ServerError", FailureKind.REFUSED),
        (BC, 500, "Internal_ServerError", FailureKind.TRANSIENT),
        (BC, 409, "Request_EntityChanged", FailureKind.STALE),
        (BC, 409, "Internal_EntityWithSameKeyExists", FailureKind.REFUSED),
        (BC, 400, "Internal_EntityWithSameKeyExists", FailureKind.REFUSED),
        (BC, 429, "Application_TooManyRequests", FailureKind.THROTTLED),
        (BC, 503, "Internal_TenantUnavailable", FailureKind.TRANSIENT),
        (BC, 404, "Internal_RecordNotFound", FailureKind.NOT_FOUND),
        (BC, 501, "BadRequest_MethodNotImplemented", FailureKind.REFUSED),
        (SALES, 403, "0x80040220", FailureKind.REFUSED),
        (SALES, 403, "0x8004D24B", FailureKind.CONNECTION),
        (SALES, 403, "0x8004A113", FailureKind.CONNECTION),
        (SALES, 429, "-2147015902", FailureKind.THROTTLED),
        (SALES, 500, "0x80040333", FailureKind.REFUSED),
        (SALES, 400, "0x80044151", FailureKind.TRANSIENT),
        (SALES, 412, "0x80060882", FailureKind.STALE),
        (SALES, 412, "", FailureKind.STALE),
        (SALES, 412, "0x80060892", FailureKind.REFUSED),
        (SALES, 412, "0x80040237", FailureKind.STALE),
        (SALES, 413, "", FailureKind.REFUSED),
    ],
)
def test_what_the_engine_may_do_follows_from_code_and_status(
    system: System, status: int, code: str, kind: FailureKind
) -> None:
    failure = failure_of_answer(call(system), answer(status, code, "words"))

    assert failure.kind is kind


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("0x80040237", "Cannot insert duplicate key."),
        ("", "A record with matching key values already exists."),
    ],
)
def test_a_key_that_exists_is_told_from_other_refusals_of_a_create(
    code: str, message: str
) -> None:
    create = call(SALES, "POST", "")

    failure = failure_of_answer(create, answer(412, code, message))

    assert failure.kind is FailureKind.EXISTS


def test_an_alternate_key_that_exists_is_a_refusal() -> None:
    create = call(SALES, "POST", "")

    failure = failure_of_answer(
        create, answer(412, "0x80060892", "Entity Key violated")
    )

    assert failure.kind is FailureKind.REFUSED


@pytest.mark.parametrize(
    ("record_id", "message", "kind"),
    [
        (ME, f"account With Id = {ME.upper()} Does Not Exist", FailureKind.NOT_FOUND),
        (ME, "The Customer does not exist.", FailureKind.NOT_FOUND),
        (ME, f"pricelevel With Id = {OTHER} Does Not Exist", FailureKind.REFUSED),
        (ME, "Resource not found for the segment 'acounts'", FailureKind.REFUSED),
        ("", f"account With Id = {ME} Does Not Exist", FailureKind.REFUSED),
    ],
)
def test_only_the_record_itself_can_be_not_found(
    record_id: str, message: str, kind: FailureKind
) -> None:
    failure = failure_of_answer(
        call(SALES, record_id=record_id), answer(404, "0x80040217", message)
    )

    assert failure.kind is kind


def test_the_correlation_suffix_becomes_the_request_id() -> None:
    message = f"Something\r\n  is wrong.  CorrelationId:  {CORRELATION}."

    failure = failure_of_answer(call(BC), answer(400, "Unknown", message))

    assert failure.message == "Something is wrong."
    assert failure.request_id == CORRELATION


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("0x8004D24B", "0x8004d24b"),
        ("-2147220960", "0x80040220"),
        ("", "http-400"),
        ("0x0", "0x0"),
    ],
)
def test_dataverse_codes_have_one_spelling(code: str, shown: str) -> None:
    assert failure_of_answer(call(SALES), answer(400, code, "words")).code == shown


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ("The length of the 'name' attribute of the 'account' entity", "name"),
        ("The value 7 of 'statecode' on record of type 'x' is outside", "statecode"),
        ("Could not find a property named 'foo' on type", "foo"),
        ("Control 'id' is read-only", "id"),
        ('The "currencyId" does not match to a Currency.', "currencyId"),
        ('The blank "displayName" is not allowed.', "displayName"),
        ('A "displayName" must be provided.', "displayName"),
        ("The field Country of table Customer contains a value (X) that", "Country"),
        ("Something else", ""),
    ],
)
def test_the_field_is_read_where_the_message_names_it(message: str, field: str) -> None:
    assert failure_of_answer(call(BC), answer(400, "Unknown", message)).field == field


def test_a_503_that_says_how_long_is_throttling() -> None:
    late = Answer(503, {"retry-after": "20"})

    failure = failure_of_answer(call(BC), late)

    assert failure.kind is FailureKind.THROTTLED
    assert failure.retry_after_seconds == 20


def test_too_many_parts_is_no_outage() -> None:
    message = "The maximum number of '100' query operations is allowed"

    failure = failure_of_answer(call(BC), answer(500, "Unknown", message))

    assert failure.kind is FailureKind.REFUSED


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (502, b"", "Bad Gateway"),
        (502, b"Bad Gateway", "Bad Gateway"),
        (504, b"upstream", "Gateway Timeout: upstream"),
        (599, b'"text"', 'Unknown status: "text"'),
        (503, b"<html><b>Down</b>", "Service Unavailable"),
    ],
)
def test_a_body_without_error_object_gets_words_of_ours(
    status: int, body: bytes, message: str
) -> None:
    failure = failure_of_answer(call(BC), Answer(status, {}, body))

    assert failure.message == message
    assert failure.code == f"http-{status}"


@pytest.mark.parametrize(
    ("found", "code"),
    [
        (Answer(302, {"location": "/login"}), "net-wrong-address"),
        (Answer(404, {}, b"no such page"), "net-wrong-address"),
        (Answer(200, {}, b"<html> Sign in </html>"), "net-html-instead-of-json"),
        (Answer(403, {"content-type": "text/html"}), "net-html-instead-of-json"),
    ],
)
def test_what_is_not_the_api_refuses_the_connection(found: Answer, code: str) -> None:
    failure = problem_of(call(SALES), found)

    assert failure is not None
    assert (failure.kind, failure.code) == (FailureKind.CONNECTION, code)


def test_a_gateway_page_passes_by_itself() -> None:
    failure = problem_of(call(SALES), Answer(502, {}, b"<html>Bad gateway"))

    assert failure is not None
    assert failure.kind is FailureKind.TRANSIENT


def test_an_empty_code_on_a_missing_record_is_no_wrong_address() -> None:
    message = f"account With Id = {ME} Does Not Exist"

    failure = problem_of(call(SALES), answer(404, "", message))

    assert failure is not None
    assert failure.kind is FailureKind.NOT_FOUND


def test_a_success_is_no_problem() -> None:
    assert problem_of(call(SALES), Answer(204, {})) is None
