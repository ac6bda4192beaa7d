"""Where the links of an article lead, (``core.articles`` lists them)."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from django.urls import reverse

from integration.models import Connection, Coupling, SyncError, TableMapping
from integration.services import links
from integration.services.places import Place, place_of

__all__ = ["Case", "addresses"]

ENTITIES = {"currency": "currencies", "customer": "customers"}


@dataclass(frozen=True, slots=True)
class Case:
    """Both systems, and the record it is about, if it is about one."""

    connection: Connection
    mapping: TableMapping | None = None
    error: SyncError | None = None

    @property
    def place(self) -> Place | None:
        return place_of(self.mapping) if self.mapping and self.error else None


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
    if kind == "ledger-setup":
        return links.company_setup_link(endpoint)
    entity = ENTITIES.get(kind.casefold(), "")
    return links.record_link(endpoint, entity, number, "") if entity else ""


def in_sales(case: Case, rest: str) -> str:
    kind, _colon, number = rest.partition(":")
    endpoint = case.connection.sales
    if kind == "record" and case.place and case.error:
        return case.place.sales_link(case.error.sales_id)
    if kind == "currency":
        return currency_in_sales(case, number)
    if kind in {"user", "role"}:
        return links.integration_user_link(endpoint, endpoint.integration_user_id)
    return ""


def currency_in_sales(case: Case, code: str) -> str:
    """The currency coupled with this one, if there is one."""
    coupling = Coupling.objects.filter(
        mapping__connection=case.connection,
        mapping__entity="currencies",
        bc_number=code,
        sales_deleted_at=None,
    ).first()
    if coupling is None:
        return ""
    return links.record_link(
        case.connection.sales, "transactioncurrencies", code, coupling.sales_id
    )


def on_our_pages(case: Case, rest: str) -> str:
    if rest == "connection":
        return reverse("connection", args=[case.connection.pk])
    if rest == "mapping" and case.mapping:
        return reverse("mapping", args=[case.mapping.pk])
    return ""


FINDERS: Mapping[str, Callable[[Case, str], str]] = {
    "bc": in_business_central,
    "sales": in_sales,
    "page": on_our_pages,
}
