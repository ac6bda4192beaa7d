"""Where the links of an article lead, (``core.articles`` lists them)."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from django.urls import reverse

from integration.choices import System
from integration.models import Connection, Coupling, Endpoint, SyncError, TableMapping
from integration.services import links
from integration.services.places import Place, place_of

ENTITIES = {"currency": "currencies", "customer": "customers"}


@dataclass(frozen=True, slots=True)
class Case:
    """Both systems, and the record it is about, if it is about one.

    ``params`` are those of the cause.
    """

    connection: Connection
    mapping: TableMapping | None = None
    error: SyncError | None = None
    params: Mapping[str, str] = field(default_factory=dict)

    @property
    def place(self) -> Place | None:
        return place_of(self.mapping) if self.mapping and self.error else None

    @property
    def signs_in(self) -> Endpoint:
        """The endpoint whose sign-in it is about: Sales unless the cause says."""
        if self.params.get("system") == System.BUSINESS_CENTRAL:
            return self.connection.business_central
        return self.connection.sales


def addresses(case: Case, targets: Collection[str]) -> dict[str, str]:
    """Address by target; "" for a place nobody can link to: then it is plain text."""
    return {target: address(case, target) for target in targets}


def address(case: Case, target: str) -> str:
    """The address of one target."""
    system, _colon, rest = target.partition(":")
    finder = FINDERS.get(system)
    return finder(case, rest) if finder else ""


def in_business_central(case: Case, rest: str) -> str:
    kind, _colon, number = rest.partition(":")
    endpoint = case.connection.business_central
    if kind == "record" and case.place and case.error:
        error = case.error
        return case.place.business_central_link(error.bc_number, error.bc_id)
    if kind == "rates":
        return links.exchange_rates_link(endpoint, number)
    if kind in BC_PAGES:
        return BC_PAGES[kind](endpoint)
    entity = ENTITIES.get(kind.casefold(), "")
    return links.record_link(endpoint, entity, number, "") if entity else ""


def in_sales(case: Case, rest: str) -> str:
    kind, _colon, number = rest.partition(":")
    endpoint = case.connection.sales
    if kind == "record" and case.place and case.error:
        return case.place.sales_link(case.error.sales_id)
    if kind == "currency":
        return currency_in_sales(case, number)
    if kind == "environment":
        return links.environment_link(endpoint)
    user = links.integration_user_link(endpoint, endpoint.integration_user_id)
    if kind == "role":
        return links.role_link(endpoint, endpoint.integration_role_id) or user
    return user if kind == "user" else ""


def currency_in_sales(case: Case, code: str) -> str:
    """The currency coupled with this one, else the list of all."""
    endpoint = case.connection.sales
    coupling = Coupling.objects.filter(
        bc_number=code,
        mapping__connection=case.connection,
        mapping__entity="currencies",
        sales_deleted_at=None,
    ).first()
    if coupling is None:
        return links.currencies_link(endpoint)
    return links.record_link(endpoint, "transactioncurrencies", code, coupling.sales_id)


def in_entra(case: Case, rest: str) -> str:
    endpoint = case.signs_in
    return (
        links.account_link(endpoint) if rest == "account" else links.app_link(endpoint)
    )


def on_our_pages(case: Case, rest: str) -> str:
    if rest == "connection":
        return reverse("connection", args=[case.connection.pk])
    if rest == "mapping" and case.mapping:
        return reverse("mapping", args=[case.mapping.pk])
    return ""


BC_PAGES: Mapping[str, Callable[[Endpoint], str]] = {
    "ledger-setup": links.company_setup_link,
    "job-queue": links.job_queue_link,
    "number-series": links.number_series_link,
    "applications": links.applications_link,
}
FINDERS: Mapping[str, Callable[[Case, str], str]] = {
    "bc": in_business_central,
    "sales": in_sales,
    "entra": in_entra,
    "page": on_our_pages,
}
