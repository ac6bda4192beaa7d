"""Addresses of records in their own system, for people (protocols §4)."""

from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from integration.choices import System
from integration.connectors.sales import logical_name
from integration.models import Endpoint
from integration.services.addresses import split_plain

ENTRA = "https://entra.microsoft.com"
POWER_PLATFORM = "https://admin.powerplatform.microsoft.com"
PUBLIC_SIGN_IN = "login.microsoftonline.com"
"""The cloud whose portals these are; of another one we know no portal."""


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
PAGES = {
    "ledger-setup": 118,  # where the local currency is
    "job-queue": 672,  # where Microsoft's own synchronization is put on hold
    "number-series": 456,
    "applications": 9861,  # of Microsoft Entra
}
"""Pages of Business Central without a record, as articles name them."""
_ONLY_REAL = {"number-series", "applications"}
_NAME = "00000000-no-such-record"
"""Holds the place of what names a record."""


@dataclass(frozen=True, slots=True)
class RecordLinks:
    """Links to the records of one kind, made but for what names the record.

    ``before`` is "" where none can be opened.
    """

    before: str
    after: str
    by_number: bool

    def to(self, number: str, id: str) -> str:
        """Where a person opens the record; "" when it cannot be named."""
        name = number.replace("'", "''") if self.by_number else id
        if not (name and self.before):
            return ""
        return f"{self.before}{_segment(name)}{self.after}"


def record_links(endpoint: Endpoint, entity: str) -> RecordLinks:
    """Business Central finds a record by number, Sales by id.

    ``entity`` is the set's name on that side ("customers", "accounts").
    """
    if endpoint.kind == System.SALES:
        form = _sales_form(endpoint, logical_name(entity), _NAME)
        before, _name, after = form.rpartition(_NAME)
        return RecordLinks(before, after, by_number=False)
    card = _CARDS.get(entity)
    if card is None:
        return RecordLinks("", "", by_number=True)
    page = _client_page(endpoint, card.number, f"'{card.field}' IS '{_NAME}'")
    before, _name, after = page.rpartition(_NAME)
    return RecordLinks(before, after, by_number=True)


def record_link(endpoint: Endpoint, entity: str, number: str, id: str) -> str:
    """Where a person opens the record; "" when it cannot be named."""
    return record_links(endpoint, entity).to(number, id)


def exchange_rates_link(endpoint: Endpoint, currency: str) -> str:
    """The exchange rates of one currency in Business Central."""
    return record_link(endpoint, "currencyExchangeRates", currency, "")


def page_link(endpoint: Endpoint, name: str) -> str:
    """One of ``PAGES``; "" where a simulated company has no such page."""
    if endpoint.is_simulator and name in _ONLY_REAL:
        return ""
    return _client_page(endpoint, PAGES[name], "")


def currencies_link(endpoint: Endpoint) -> str:
    """The list of currencies in Sales."""
    app = _chosen_app(endpoint)
    query = f"{app}pagetype=entitylist&etn=transactioncurrency"
    return _own(endpoint, f"{endpoint.web_url.rstrip('/')}/main.aspx?{query}")


def environment_link(endpoint: Endpoint) -> str:
    """Where environments are administered; a simulated one has no such page."""
    return f"{POWER_PLATFORM}/environments" if _is_in_public_cloud(endpoint) else ""


def account_link(endpoint: Endpoint) -> str:
    """The user account that signs in; in the real portal the list it is found in.

    "" for an endpoint that signs in as an app.
    """
    if not endpoint.user_name:
        return ""
    if endpoint.is_simulator:
        return _simulated_entra(endpoint, f"users?upn={_segment(endpoint.user_name)}")
    blade = "Microsoft_AAD_UsersAndTenants/UserManagementMenuBlade/~/AllUsers"
    return _portal(endpoint, blade)


def app_link(endpoint: Endpoint) -> str:
    """The app registration that signs in."""
    if endpoint.is_simulator:
        query = f"apps?client_id={_segment(endpoint.client_id)}"
        return _simulated_entra(endpoint, query)
    place = f"~/Credentials/appId/{_segment(endpoint.client_id)}"
    return _portal(
        endpoint, f"Microsoft_AAD_RegisteredApps/ApplicationMenuBlade/{place}"
    )


def integration_user_link(endpoint: Endpoint, user_id: str) -> str:
    """The user we act as in Sales."""
    return _sales_form(endpoint, "systemuser", user_id)


def role_link(endpoint: Endpoint, role_id: str) -> str:
    """A security role in Sales; "" when it is not known yet."""
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
    app = _chosen_app(endpoint)
    query = f"{app}pagetype=entityrecord&etn={logical_name}&id={_segment(id)}"
    return _own(endpoint, f"{endpoint.web_url.rstrip('/')}/main.aspx?{query}")


def _chosen_app(endpoint: Endpoint) -> str:
    app = endpoint.app_unique_name
    return f"appname={_segment(app)}&" if app else ""


def _simulated_entra(endpoint: Endpoint, query: str) -> str:
    return _own(endpoint, f"{endpoint.authority.rstrip('/')}/entra/{query}")


def _portal(endpoint: Endpoint, blade: str) -> str:
    if not _is_in_public_cloud(endpoint):
        return ""
    return f"{ENTRA}/{_segment(endpoint.tenant_id)}/#view/{blade}"


def _is_in_public_cloud(endpoint: Endpoint) -> bool:
    return urlsplit(endpoint.authority).hostname == PUBLIC_SIGN_IN


def _segment(text: str) -> str:
    """Fully percent-encoded: ``&``, ``+``, ``/`` and quotes are data here."""
    return quote(text, safe="")


def _own(endpoint: Endpoint, link: str) -> str:
    """The link, or "" if the stored address is not one a browser may be sent to."""
    parts = split_plain(endpoint.web_url)
    allowed = {"https", "http"} if endpoint.is_simulator else {"https"}
    return link if parts and parts.scheme in allowed else ""
