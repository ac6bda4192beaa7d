import re
from datetime import timedelta

import pytest
from werkzeug.test import Client

from integration import clock
from integration.simulators.app import Simulators
from integration.simulators.business_central_rules import increment
from integration.simulators.entities import ZERO_ID, escape_enum, unescape_enum
from tests.simulators.desk import (
    COMPANY,
    COMPANY_NAME,
    CUSTOMER,
    EURO,
    ROOT,
    TENANT,
    Desk,
    error_of,
    message_of,
)

ONE = f"customers({CUSTOMER})"
NOWHERE = "99999999-0000-4000-8000-000000000000"


def test_both_forms_of_the_address_answer(desk: Desk) -> None:
    short = ROOT.replace(f"/{TENANT}", "")

    assert desk.get(f"{ROOT}/companies")["value"][0]["name"] == COMPANY_NAME
    assert desk.get(f"{short}/companies({COMPANY})")["id"] == COMPANY


@pytest.mark.parametrize("address", ["customers?company={}", "companies({})/customers"])
def test_a_company_is_named_in_two_ways(desk: Desk, address: str) -> None:
    assert len(desk.get(f"{ROOT}/{address.format(COMPANY)}")["value"]) == 1


@pytest.mark.parametrize(
    ("address", "refusal"),
    [
        (ROOT.replace("production", "nowhere") + "/companies", (404, "NoEnvironment")),
        (f"{ROOT}/companies({NOWHERE})/customers", (404, "Internal_CompanyNotFound")),
        (f"{ROOT}/customers", (404, "Internal_CompanyNotFound")),
        ("orders", (404, "BadRequest_ResourceNotFound")),
        ("customers/orders", (404, "BadRequest_ResourceNotFound")),
        (f"{ROOT}/", (404, "BadRequest_ResourceNotFound")),
        (f"customers({NOWHERE})", (404, "Internal_RecordNotFound")),
        ("customers(10000)", (400, "BadRequest_NotFound")),
        ("customers?$filter=nothing eq 1", (400, "BadRequest")),
        ("customers?$expand=orders", (400, "BadRequest")),
    ],
)
def test_what_does_not_exist_is_refused(
    desk: Desk, address: str, refusal: tuple[int, str]
) -> None:
    assert error_of(desk.call("GET", address)) == refusal


def test_a_call_without_a_token_is_refused(desk: Desk) -> None:
    answer = desk.call("GET", "customers", Authorization="Bearer nothing")

    assert error_of(answer) == (401, "Authentication_InvalidCredentials")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_every_message_ends_with_a_correlation_id(desk: Desk) -> None:
    text = desk.call("GET", f"customers({NOWHERE})").text

    assert re.search(r"  CorrelationId:  [0-9a-f-]{36}\.\"", text)


def test_a_record_is_complete_and_its_blanks_are_not_null(desk: Desk) -> None:
    record = desk.get(ONE)

    assert record["@odata.etag"].startswith('W/"')
    assert record["@odata.context"].endswith("/customers/$entity")
    assert record["taxAreaId"] == ZERO_ID
    assert record["blocked"] == "_x0020_"
    assert record["city"] == ""
    assert None not in record.values()


def test_the_etag_is_in_the_body_only(desk: Desk) -> None:
    assert "ETag" not in desk.call("GET", ONE).headers


def test_the_local_currency_is_shown_by_its_code_without_an_id(desk: Desk) -> None:
    record = desk.get(ONE)

    assert (record["currencyCode"], record["currencyId"]) == ("CHF", ZERO_ID)
    assert desk.find(filter="currencyCode eq 'CHF'")[0]["id"] == CUSTOMER


def test_decimals_keep_their_digits(desk: Desk) -> None:
    text = desk.call("GET", "currencyExchangeRates").text

    assert '"exchangeRateAmount":100.00,' in text


def test_a_customer_without_a_number_takes_the_next_of_the_series(desk: Desk) -> None:
    first = desk.call("POST", "customers", {"displayName": "A"})
    second = desk.call("POST", "customers", {"displayName": "B", "number": ""})

    assert first.status_code == 201
    assert [first.get_json()["number"], second.get_json()["number"]] == [
        "C00010",
        "C00011",
    ]


def test_codes_are_upper_cased_and_trimmed(desk: Desk) -> None:
    body = {"displayName": "A", "number": " c01 ", "country": "ch"}

    record = desk.call("POST", "customers", body).get_json()

    assert (record["number"], record["country"]) == ("C01", "CH")


@pytest.mark.parametrize(
    ("body", "status", "code", "text"),
    [
        (
            {"id": NOWHERE, "displayName": "A"},
            400,
            "BadRequest_InvalidOperation",
            "Control 'id' is read-only.",
        ),
        (
            {"displayName": "A", "number": "10000"},
            400,
            "Internal_EntityWithSameKeyExists",
            "The Customer already exists. Identification fields and values:"
            " No.='10000'",
        ),
        ({}, 400, "Application_DialogException", 'A "displayName" must be provided.'),
        (
            {"displayName": " "},
            400,
            "Application_DialogException",
            'The blank "displayName" is not allowed.',
        ),
        (
            {"displayName": "A", "city": "x" * 31},
            400,
            "Application_StringExceededLength",
            "The length of the string is 31, but it must be less than or equal to 30"
            f" characters. Value: {'x' * 31}",
        ),
        (
            {"displayName": "A", "country": "XX"},
            400,
            "Internal_InvalidTableRelation",
            "The field Country/Region Code of table Customer contains a value (XX) that"
            " cannot be found in the related table (Country/Region).",
        ),
        (
            {"displayName": "A", "paymentTermsId": NOWHERE},
            400,
            "Application_DialogException",
            'The "paymentTermsId" does not match to a Payment Terms.',
        ),
        (
            {"displayName": "A", "blocked": "Never"},
            400,
            "Unknown",
            "'Never' is not an option. The existing options are:  ,Ship,Invoice,All",
        ),
        (
            {"displayName": 5},
            400,
            "BadRequest",
            "Cannot convert the literal '5' to the expected type 'Edm.String'.",
        ),
        (
            {"displayName": "A", "taxLiable": "yes"},
            400,
            "BadRequest",
            "Cannot convert the literal 'yes' to the expected type 'Edm.Boolean'.",
        ),
        (
            {"nickname": "A"},
            400,
            "BadRequest",
            "The property 'nickname' does not exist on type 'Microsoft.NAV.customer'."
            " Make sure to only use property names that are defined by the type.",
        ),
    ],
)
def test_a_bad_customer_is_refused(
    desk: Desk, body: dict[str, object], status: int, code: str, text: str
) -> None:
    answer = desk.call("POST", "customers", body)

    assert error_of(answer) == (status, code)
    assert message_of(answer) == text
    assert len(desk.table("customers")) == 1


@pytest.mark.parametrize(
    ("body", "stored"),
    [
        ({"currencyCode": "eur"}, "EUR"),
        ({"currencyId": EURO}, "EUR"),
        ({"currencyId": EURO, "currencyCode": "EUR"}, "EUR"),
        ({"currencyCode": "CHF"}, ""),
        ({"currencyId": ZERO_ID}, ""),
        ({"currencyId": ZERO_ID, "currencyCode": "EUR"}, "EUR"),
    ],
)
def test_a_currency_is_set_by_id_or_code(
    desk: Desk, body: dict[str, str], stored: str
) -> None:
    record = desk.call("PATCH", ONE, body, If_Match="*").get_json()

    assert desk.customer.values["currencyCode"] == stored
    assert record["currencyCode"] == (stored or "CHF")
    assert record["currencyId"] == (EURO if stored else ZERO_ID)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"currencyCode": "XYZ"}, 'The "currencyCode" does not match to a Currency.'),
        ({"currencyId": NOWHERE}, 'The "currencyId" does not match to a Currency.'),
        (
            {"currencyId": EURO, "currencyCode": "CHF"},
            "The currency values do not match to a specific Currency.",
        ),
    ],
)
def test_a_wrong_currency_is_refused(
    desk: Desk, body: dict[str, str], text: str
) -> None:
    answer = desk.call("PATCH", ONE, body, If_Match="*")

    assert (error_of(answer)[1], message_of(answer)) == (
        "Application_DialogException",
        text,
    )


def test_a_patch_answers_the_whole_record_with_a_new_etag(desk: Desk) -> None:
    before = desk.get(ONE)

    answer = desk.call("PATCH", ONE, {"city": "Nyon"}, If_Match=before["@odata.etag"])

    after = answer.get_json()
    assert (answer.status_code, after["city"]) == (200, "Nyon")
    assert after["@odata.etag"] != before["@odata.etag"]
    assert after["lastModifiedDateTime"] > before["lastModifiedDateTime"]


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
@pytest.mark.parametrize("header", [{}, {"If_Match": "5"}, {"If_Match": 'W/""'}])
def test_a_write_needs_an_etag(desk: Desk, method: str, header: dict[str, str]) -> None:
    answer = desk.call(method, ONE, {"city": "Nyon"}, **header)

    assert error_of(answer) == (400, "BadRequest_InvalidToken")


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_a_stale_write_is_refused_with_409(desk: Desk, method: str) -> None:
    etag = desk.get(ONE)["@odata.etag"]
    desk.table("customers").update(desk.customer, {"city": "Genève"})

    answer = desk.call(method, ONE, {"city": "Nyon"}, If_Match=etag)

    assert error_of(answer) == (409, "Request_EntityChanged")
    assert desk.customer.values["city"] == "Genève"


def test_texts_follow_the_language_of_the_request(desk: Desk) -> None:
    answer = desk.call(
        "PATCH", ONE, {}, If_Match='W/"YTsxOzA="', Accept_Language="fr-CH"
    )

    assert message_of(answer).startswith("Un autre utilisateur")


def test_a_deleted_customer_is_gone(desk: Desk) -> None:
    assert desk.call("DELETE", ONE, If_Match="*").status_code == 204
    assert desk.call("GET", ONE).status_code == 404
    assert desk.call("PATCH", ONE, {}, If_Match="*").status_code == 404


@pytest.mark.parametrize(
    ("method", "address"),
    [
        ("PUT", ONE),
        ("POST", ONE),
        ("PATCH", "customers"),
        ("POST", "currencyExchangeRates"),
        ("POST", "generalLedgerSetup"),
    ],
)
def test_other_verbs_are_refused(desk: Desk, method: str, address: str) -> None:
    answer = desk.call(method, address, {"displayName": "A"})

    assert error_of(answer) == (405, "BadRequest_MethodNotAllowed")


def test_a_body_that_is_no_object_is_refused(desk: Desk) -> None:
    assert error_of(desk.call("POST", "customers", [])) == (400, "BadRequest")


def test_a_replica_takes_no_writes(desk: Desk) -> None:
    header = {"Data_Access_Intent": "ReadOnly"}

    assert desk.call("GET", ONE, **header).status_code == 200
    assert desk.call("POST", "customers", {}, **header).status_code == 400


def test_pages_are_followed_to_the_end(desk: Desk) -> None:
    for number in range(5):
        desk.table("customers").insert({"number": f"{number}", "displayName": "A"})
    address, seen = "customers?$select=number&$orderby=number", []

    while address:
        page = desk.get(address, Prefer="odata.maxpagesize=4")
        seen += [record["number"] for record in page["value"]]
        address = page.get("@odata.nextLink", "")
        assert not address or address.startswith("http://localhost/bc/v2.0/")

    assert seen == ["0", "1", "10000", "2", "3", "4"]


def test_pages_above_the_limit_are_refused(desk: Desk) -> None:
    answer = desk.call("GET", "customers", Prefer="odata.maxpagesize=20001")

    assert answer.status_code == 413


def test_a_list_is_counted_chosen_and_cut(desk: Desk) -> None:
    desk.call("POST", "customers", {"displayName": "A"})

    answer = desk.get("customers?$count=true&$top=1&$select=number&$skip=1")

    assert answer["@odata.count"] == 2
    assert [set(record) for record in answer["value"]] == [{"@odata.etag", "number"}]
    assert desk.call("GET", "customers/$count").text == "2"


def test_changes_are_found_by_their_modified_time(desk: Desk) -> None:
    seen = desk.get(ONE)["lastModifiedDateTime"]
    new = desk.call("POST", "customers", {"displayName": "A"}).get_json()

    later = desk.find(filter=f"lastModifiedDateTime gt {seen}")

    assert [record["id"] for record in later] == [new["id"]]
    assert re.fullmatch(r"[-\d]+T[:\d]+\.\d{3}Z", seen)


def test_or_over_two_fields_is_refused(desk: Desk) -> None:
    answer = desk.call("GET", "customers?$filter=number eq '1' or city eq 'Nyon'")

    assert message_of(answer).startswith("The 'OR' operator is not supported")


def test_a_rate_moves_its_own_modified_time_only(desk: Desk) -> None:
    before = desk.find("currencies")[0]["lastModifiedDateTime"]
    rates = desk.table("currencyExchangeRates")

    rates.update(rates.rows()[0], {"exchangeRateAmount": 99})

    assert desk.find("currencies")[0]["lastModifiedDateTime"] == before
    assert desk.find("currencyExchangeRates")[0]["lastModifiedDateTime"] > before


def test_a_missing_permission_names_the_table_in_brackets(desk: Desk) -> None:
    desk.store.table("bc:denied").insert({"tableNo": 18, "right": "Modify"})

    answer = desk.call("PATCH", ONE, {}, If_Match="*", Accept_Language="fr-CH")

    assert error_of(answer) == (403, "Internal_ServerError")
    assert "(TableData 18 Customer Modify: Base Application)" in message_of(answer)
    assert message_of(answer).startswith("Désolé")
    assert desk.call("GET", ONE).status_code == 200


def test_metadata_tells_the_lengths(desk: Desk) -> None:
    text = desk.call("GET", f"{ROOT}/$metadata").text

    assert '<Property Name="website" Type="Edm.String" MaxLength="255"/>' in text
    assert '<EntitySet Name="customers" EntityType="Microsoft.NAV.customer"/>' in text


def test_a_job_queue_entry_is_restarted(desk: Desk) -> None:
    row = desk.table("jobQueueEntries").insert({"status": "On Hold"})
    address = f"jobQueueEntries({row.id})"
    assert desk.get(address)["status"] == "On_x0020_Hold"

    answer = desk.call("POST", f"{address}/Microsoft.NAV.restart")

    assert answer.status_code == 204
    assert desk.get(address)["status"] == "Ready"


def test_the_date_of_an_answer_is_the_simulators_time(desk: Desk) -> None:
    desk.store.move_clock(86400 * 365)

    answer = desk.http.post(f"/{TENANT}/oauth2/v2.0/token")

    assert answer.date
    assert answer.date > clock.now() + timedelta(days=364)


@pytest.mark.parametrize("plain", [" ", "Non-Inventory", "In Process", "Adjmt."])
def test_options_are_escaped_and_back(plain: str) -> None:
    assert re.fullmatch(r"\w+", escape_enum(plain))
    assert unescape_enum(escape_enum(plain)) == plain


def test_numbers_count_up_and_keep_their_width() -> None:
    assert increment("C00099") == "C00100"
    assert increment("A-9-X") == "A-10-X"


def test_minimal_answers_are_empty(desk: Desk) -> None:
    answer = desk.call("PATCH", ONE, {}, If_Match="*", Prefer="return=minimal")

    assert (answer.status_code, answer.data) == (204, b"")


def test_the_links_carry_the_host_of_the_request(desk: Desk) -> None:
    desk.call("POST", "customers", {"displayName": "A"})
    client = Client(Simulators(desk.store).wsgi)
    headers = {
        "Authorization": f"Bearer {desk.token()}",
        "Prefer": "odata.maxpagesize=1",
        "X-Forwarded-Host": "elsewhere.example",
    }

    answer = client.get(
        f"{ROOT}/companies({COMPANY})/customers",
        base_url="http://127.0.0.1:8100",
        headers=headers,
    )

    assert answer.get_json()["@odata.nextLink"].startswith("http://127.0.0.1:8100/bc/")


def test_a_body_above_the_limit_is_not_read(desk: Desk) -> None:
    answer = desk.http.post(
        f"{ROOT}/companies({COMPANY})/customers",
        environ_overrides={"CONTENT_LENGTH": str(351 * 1024 * 1024)},
    )

    assert answer.status_code == 413


def test_a_body_that_is_no_json_is_refused(desk: Desk) -> None:
    answer = desk.http.post(
        f"{ROOT}/companies({COMPANY})/customers",
        data=b"{",
        headers={"Authorization": f"Bearer {desk.token()}"},
    )

    assert error_of(answer) == (400, "BadRequest")


@pytest.mark.parametrize("etag", ['W/"bm90IGFuIGV0YWc="', 'W/"%%%"'])
def test_an_etag_of_another_kind_is_stale(desk: Desk, etag: str) -> None:
    answer = desk.call("PATCH", ONE, {}, If_Match=etag)

    assert error_of(answer)[1] == "Request_EntityChanged"


def test_annotations_in_a_body_are_passed_over(desk: Desk) -> None:
    record = desk.get(ONE)
    body = {"@odata.etag": record["@odata.etag"], "blocked": "_x0020_", "city": "Nyon"}

    assert desk.call("PATCH", ONE, body, If_Match="*").status_code == 200


def test_a_currency_is_renamed_and_needs_its_code(desk: Desk) -> None:
    address = f"currencies({EURO})"
    rounding = {"code": "eur2", "amountRoundingPrecision": 0.01}

    assert desk.call("PATCH", address, {"code": ""}, If_Match="*").status_code == 400
    assert desk.call("PATCH", address, rounding, If_Match="*").status_code == 200
    assert desk.get(address)["code"] == "EUR2"


def test_without_a_ledger_setup_the_company_tells_the_local_currency(
    desk: Desk,
) -> None:
    setup, company = desk.table("generalLedgerSetup"), desk.table("companyInformation")
    setup.update(setup.rows()[0], {"localCurrencyCode": ""})
    assert desk.get(ONE)["currencyCode"] == ""

    company.update(company.rows()[0], {"currencyCode": "SEK"})

    assert desk.get(ONE)["currencyCode"] == "SEK"
