"""Addresses a person can open."""

from urllib.parse import parse_qs, urlsplit

import pytest

from integration.models import Endpoint
from integration.services.links import (
    account_link,
    app_link,
    currencies_link,
    environment_link,
    exchange_rates_link,
    integration_user_link,
    page_link,
    record_link,
    role_link,
)

ID = "5a1c2f9e-77e0-4c65-9a54-0c4d0f3d8c11"


def business_central(**values: str) -> Endpoint:
    defaults = {
        "kind": "business_central",
        "web_url": "https://businesscentral.dynamics.com/",
        "tenant_id": "fabrique.example",
        "environment": "Production",
        "company_name": "Fabrique du Léman SA",
    }
    return Endpoint(**(defaults | values))


def sales(**values: str) -> Endpoint:
    defaults = {
        "kind": "sales",
        "web_url": "https://fabrique.crm4.dynamics.com",
        "app_unique_name": "msdynce_saleshub",
    }
    return Endpoint(**(defaults | values))


def query(link: str) -> dict[str, str]:
    return {name: found[0] for name, found in parse_qs(urlsplit(link).query).items()}


@pytest.mark.parametrize(
    ("entity", "page", "filter_text"),
    [
        ("customers", "21", "'No.' IS '10000'"),
        ("currencies", "495", "'Code' IS '10000'"),
        ("currencyExchangeRates", "483", "'Currency Code' IS '10000'"),
    ],
)
def test_business_central_finds_a_record_by_its_number(
    entity: str, page: str, filter_text: str
) -> None:
    found = query(record_link(business_central(), entity, "10000", ID))

    assert found["page"] == page
    assert found["filter"] == filter_text
    assert found["company"] == "Fabrique du Léman SA"


def test_the_place_is_tenant_and_environment() -> None:
    link = record_link(business_central(), "customers", "10000", ID)

    place = "https://businesscentral.dynamics.com/fabrique.example/Production/?"
    assert link.startswith(place)


def test_nothing_in_a_company_name_or_number_escapes_its_place() -> None:
    name = 'Müller & Söhne + Co\'s "Test"'
    endpoint = business_central(company_name=name)

    link = record_link(endpoint, "customers", "O'1 & /2", ID)

    assert query(link) == {
        "company": name,
        "page": "21",
        "filter": "'No.' IS 'O''1 & /2'",
    }
    assert "+" not in link
    assert '"' not in link


def test_without_a_number_business_central_has_no_link() -> None:
    assert record_link(business_central(), "customers", "", ID) == ""
    assert record_link(business_central(), "unheardOf", "1", ID) == ""


@pytest.mark.parametrize(
    ("table", "logical_name"),
    [("accounts", "account"), ("transactioncurrencies", "transactioncurrency")],
)
def test_sales_opens_a_record_by_id_in_its_app(table: str, logical_name: str) -> None:
    link = record_link(sales(), table, "10000", ID)

    assert link.startswith("https://fabrique.crm4.dynamics.com/main.aspx?")
    assert query(link) == {
        "appname": "msdynce_saleshub",
        "pagetype": "entityrecord",
        "etn": logical_name,
        "id": ID,
    }


def test_without_an_id_sales_has_no_link() -> None:
    assert record_link(sales(), "accounts", "10000", "") == ""
    assert integration_user_link(sales(), "") == ""


def test_set_up_has_links_of_its_own() -> None:
    bc = business_central()

    assert query(page_link(bc, "ledger-setup"))["page"] == "118"
    assert query(exchange_rates_link(bc, "EUR"))["page"] == "483"
    assert query(integration_user_link(sales(), ID))["etn"] == "systemuser"
    assert query(role_link(sales(), ID))["etn"] == "role"


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        "http://evil.example",
        "https://evil.example\\.dynamics.com",
    ],
)
def test_a_real_system_is_linked_by_https_only(address: str) -> None:
    assert record_link(sales(web_url=address), "accounts", "", ID) == ""


def test_pages_without_a_record_are_found_by_their_number() -> None:
    assert query(page_link(business_central(), "job-queue"))["page"] == "672"
    assert query(page_link(business_central(), "applications"))["page"] == "9861"


def test_the_currencies_of_sales_are_a_list() -> None:
    assert query(currencies_link(sales())) == {
        "appname": "msdynce_saleshub",
        "pagetype": "entitylist",
        "etn": "transactioncurrency",
    }


def test_accounts_and_apps_are_in_the_portal_of_the_tenant() -> None:
    endpoint = sales(tenant_id="fabrique.example", client_id=ID, user_name="a@b.ch")

    assert account_link(endpoint).startswith(
        "https://entra.microsoft.com/fabrique.example/#view/"
    )
    assert app_link(endpoint).endswith(f"/appId/{ID}")
    assert environment_link(endpoint).startswith("https://admin.powerplatform")


def test_of_another_cloud_no_portal_is_known() -> None:
    endpoint = sales(authority="https://login.partner.example", user_name="a@b.ch")

    assert {account_link(endpoint), app_link(endpoint), environment_link(endpoint)} == {
        ""
    }


def test_a_simulated_account_has_a_page_of_its_own() -> None:
    endpoint = sales(authority="http://127.0.0.1:8100", user_name="a+b@c.ch")
    endpoint.web_url, endpoint.is_simulator = "http://127.0.0.1:8100/sales", True

    link = account_link(endpoint)

    assert link == "http://127.0.0.1:8100/entra/users?upn=a%2Bb%40c.ch"


def test_who_signs_in_as_an_app_has_no_account() -> None:
    assert account_link(sales()) == ""
