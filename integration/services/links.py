"""Addresses of records in their own system, for people (protocols §4)."""

from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from integration.choices import System
from integration.models import Endpoint

__all__ = [
    "company_setup_link",
    "exchange_rates_link",
    "integration_user_link",
    "record_link",
    "role_link",
]


@dataclass(frozen=True, slots=True)
class CardPage:
    """A page of Business Central and the field that finds its one record."""

    number: int
    field: str


_CARDS = {
    "customers": CardPage(21, "No."),
    "vendors": CardPage(26, "No."),
    "contacts": CardPage(5050, "No."),
    "items": CardPage(30, "No."),
    "currencies": CardPage(495, "Code"),
    "currencyExchangeRates": CardPage(483, "Currency Code"),
}
_GENERAL_LEDGER_SETUP = 118
_IRREGULAR = {"transactioncurrencies": "transactioncurrency"}


def record_link(endpoint: Endpoint, entity: str, number: str, id: str) -> str:
    """Where a person opens the record; "" when it cannot be named.

    Business Central finds it by number, Sales by id. ``entity`` is the set's name on
    that side ("customers", "accounts").
    """
    if endpoint.kind == System.SALES:
        return _sales_form(endpoint, _logical_name(entity), id)
    card = _CARDS.get(entity)
    if card is None or not number:
        return ""
    quoted = number.replace("'", "''")
    return _client_page(endpoint, card.number, f"'{card.field}' IS '{quoted}'")


def exchange_rates_link(endpoint: Endpoint, currency: str) -> str:
    """The exchange rates of one currency in Business Central."""
    return record_link(endpoint, "currencyExchangeRates", currency, "")


def company_setup_link(endpoint: Endpoint) -> str:
    """General Ledger Setup, where the local currency is."""
    return _client_page(endpoint, _GENERAL_LEDGER_SETUP, "")


def integration_user_link(endpoint: Endpoint, user_id: str) -> str:
    """The user we act as in Sales."""
    return _sales_form(endpoint, "systemuser", user_id)


def role_link(endpoint: Endpoint, role_id: str) -> str:
    """A security role in Sales."""
    return _sales_form(endpoint, "role", role_id)


def _client_page(endpoint: Endpoint, page: int, filter_text: str) -> str:
    path = f"{_segment(endpoint.tenant_id)}/{_segment(endpoint.environment)}/"
    query = f"?company={_segment(endpoint.company_name)}&page={page}"
    if filter_text:
        query += f"&filter={_segment(filter_text)}"
    return _own(endpoint, f"{endpoint.web_url.rstrip('/')}/{path}{query}")


def _sales_form(endpoint: Endpoint, logical_name: str, id: str) -> str:
    if not id:
        return ""
    app = endpoint.app_unique_name
    chosen = f"appname={_segment(app)}&" if app else ""
    query = f"{chosen}pagetype=entityrecord&etn={logical_name}&id={_segment(id)}"
    return _own(endpoint, f"{endpoint.web_url.rstrip('/')}/main.aspx?{query}")


def _logical_name(table: str) -> str:
    return _IRREGULAR.get(table) or table.removesuffix("s")


def _segment(text: str) -> str:
    """Fully percent-encoded: ``&``, ``+``, ``/`` and quotes are data here."""
    return quote(text, safe="")


def _own(endpoint: Endpoint, link: str) -> str:
    """The link, or "" if the stored address is not one a browser may be sent to."""
    scheme = urlsplit(endpoint.web_url).scheme
    allowed = {"https", "http"} if endpoint.is_simulator else {"https"}
    return link if scheme in allowed else ""
