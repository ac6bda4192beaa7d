"""Where the links of an article lead, (``core.articles`` lists them)."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from django.urls import reverse

from integration.choices import Direction, System
from integration.models import (
    Connection,
    Coupling,
    Endpoint,
    ErrorTotal,
    Problem,
    SyncError,
    TableMapping,
)
from integration.models.errors import RELEVANT_CHIPS
from integration.services import links
from integration.services.places import Place, place_of

ENTITIES = {"currency": "currencies", "customer": "customers"}
NOT_COUPLED = "dependency-not-coupled"


@dataclass(frozen=True, slots=True)
class Case:
    """Both systems, and the record it is about, if it is about one.

    ``problem`` is its cause, where that is stored; ``params`` are those of the cause.
    """

    connection: Connection
    mapping: TableMapping | None = None
    error: SyncError | None = None
    params: Mapping[str, str] = field(default_factory=dict)
    problem: Problem | None = None

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
    if kind in links.PAGES:
        return links.page_link(endpoint, kind)
    entity = ENTITIES.get(kind.casefold(), "")
    if not entity or only_sales_names_it(case):
        return ""
    return links.record_link(endpoint, entity, number, "")


def only_sales_names_it(case: Case) -> bool:
    """Whether a record that has no partner is named by records of Sales alone.

    Whoever names it has it: Business Central has no card of what only Sales names.
    """
    if case.problem is None or case.problem.article != NOT_COUPLED:
        return False
    rows = ErrorTotal.objects.filter(
        problem=case.problem, state__in=RELEVANT_CHIPS, n__gt=0
    )
    ways = set(rows.order_by().values_list("direction", flat=True))
    if not ways and case.error:
        ways = {case.error.direction}
    return ways == {Direction.TO_BUSINESS_CENTRAL}


def in_sales(case: Case, rest: str) -> str:
    kind, _colon, number = rest.partition(":")
    endpoint = case.connection.sales
    if kind == "record" and case.place and case.error:
        return case.place.sales_link(case.error.sales_id)
    if kind.casefold() in ENTITIES:
        return named_in_sales(case, kind.casefold(), number)
    if kind == "environment":
        return links.environment_link(endpoint)
    user = links.integration_user_link(endpoint, endpoint.integration_user_id)
    if kind == "role":
        return links.role_link(endpoint, endpoint.integration_role_id) or user
    return user if kind == "user" else ""


def named_in_sales(case: Case, kind: str, number: str) -> str:
    """The record coupled with this one; of currencies else the list of all."""
    endpoint = case.connection.sales
    coupling = (
        Coupling.objects.filter(
            bc_number=number,
            mapping__connection=case.connection,
            mapping__entity=ENTITIES[kind],
            sales_deleted_at=None,
        )
        .select_related("mapping")
        .first()
    )
    if coupling:
        table = coupling.mapping.table
        return links.record_link(endpoint, table, number, coupling.sales_id)
    return links.currencies_link(endpoint) if kind == "currency" else ""


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


FINDERS: Mapping[str, Callable[[Case, str], str]] = {
    "bc": in_business_central,
    "sales": in_sales,
    "entra": in_entra,
    "page": on_our_pages,
}
