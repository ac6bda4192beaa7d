"""The standard mappings and what the model rows do not say, as data.

Field mappings follow business-central-integration.md §5.2 where the API has the field.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from integration.core.records import Direction
from integration.core.values import ValueKind

_BOTH = frozenset(Direction)
_TO_SALES = frozenset({Direction.TO_SALES})

KINDS: Mapping[tuple[str, str], ValueKind] = {
    ("customers", "number"): ValueKind.CODE,
    ("customers", "country"): ValueKind.CODE,
    ("customers", "postalCode"): ValueKind.CODE,
    ("customers", "currencyCode"): ValueKind.REFERENCE,
    ("currencies", "code"): ValueKind.CODE,
    ("currencies", "exchangeRate"): ValueKind.DECIMAL,
}
"""How a field of an entity is compared; all others are text (protocols §2.3, "c")."""

CREATE_ONLY = frozenset({("transactioncurrencies", "isocurrencycode")})
"""Columns that Dataverse takes on creation only (protocols §3.3)."""

SHARED = frozenset({"transactioncurrencies"})
"""Tables of Sales whose rows are those of all companies."""

LABELS: Mapping[str, tuple[str, str]] = {
    "customers": ("number", "displayName"),
    "currencies": ("code", "displayName"),
    "accounts": ("accountnumber", "name"),
    "transactioncurrencies": ("isocurrencycode", "currencyname"),
}
"""The number and the name by which a person knows a record."""


@dataclass(frozen=True, slots=True)
class StandardField:
    """See ``models.FieldMapping``, whose row it becomes."""

    bc: str
    sales: str
    ways: frozenset[Direction] = _BOTH
    constant: Any = None
    default: Any = None
    transformation: str = "none"
    lookup: str = ""
    match: int = 0


@dataclass(frozen=True, slots=True)
class StandardMapping:
    """See ``models.TableMapping``, whose row it becomes."""

    name: str
    entity: str
    table: str
    ways: frozenset[Direction]
    fields: tuple[StandardField, ...]
    bc_filter: tuple[Mapping[str, Any], ...] = ()
    sales_filter: tuple[Mapping[str, Any], ...] = ()
    depends_on: tuple[str, ...] = ()


CURRENCY = StandardMapping(
    name="CURRENCY",
    entity="currencies",
    table="transactioncurrencies",
    ways=_TO_SALES,
    sales_filter=({"field": "statecode", "op": "eq", "value": 0},),
    fields=(
        StandardField("code", "isocurrencycode", _TO_SALES, match=1),
        # Dataverse wants a symbol and a name; Business Central lets both be blank.
        StandardField("symbol", "currencysymbol", _TO_SALES, default={"field": "code"}),
        StandardField(
            "displayName", "currencyname", _TO_SALES, default={"field": "code"}
        ),
        StandardField(
            "exchangeRate", "exchangerate", _TO_SALES, transformation="exchange_rate"
        ),
    ),
)

CUSTOMER = StandardMapping(
    name="CUSTOMER",
    entity="customers",
    table="accounts",
    ways=_BOTH,
    bc_filter=({"field": "blocked", "op": "eq", "value": ""},),
    sales_filter=(
        {"field": "statecode", "op": "eq", "value": 0},
        {"field": "customertypecode", "op": "eq", "value": 3},
    ),
    depends_on=("CURRENCY",),
    fields=(
        StandardField("number", "accountnumber", _TO_SALES, match=1),
        StandardField("displayName", "name", match=2),
        StandardField("addressLine1", "address1_line1"),
        StandardField("addressLine2", "address1_line2"),
        StandardField("city", "address1_city"),
        StandardField("state", "address1_stateorprovince"),
        StandardField("postalCode", "address1_postalcode", match=2),
        StandardField("country", "address1_country"),
        StandardField("phoneNumber", "telephone1"),
        StandardField("email", "emailaddress1", match=3),
        StandardField("website", "websiteurl"),
        StandardField(
            "currencyCode",
            "transactioncurrencyid",
            transformation="lookup",
            lookup="CURRENCY",
        ),
        StandardField("", "customertypecode", _TO_SALES, constant=3),
    ),
)

STANDARD = (CURRENCY, CUSTOMER)
"""In the order of their dependencies (promise 7)."""
