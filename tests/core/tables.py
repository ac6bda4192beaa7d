"""Small mappings for the tests of the core."""

from integration.core.mapping import Condition, FieldMap, TableMap
from integration.core.records import Direction
from integration.core.values import ValueKind

BOTH = frozenset(Direction)
TO_SALES = frozenset({Direction.TO_SALES})
TO_BC = frozenset({Direction.TO_BUSINESS_CENTRAL})

CUSTOMER = TableMap(
    name="CUSTOMER",
    entity="customers",
    table="accounts",
    ways=BOTH,
    bc_filter=(Condition("blocked", "eq", ""),),
    sales_filter=(Condition("statecode", "eq", 0),),
    bc_label=("number", "displayName"),
    sales_label=("accountnumber", "name"),
    fields=(
        FieldMap("number", "accountnumber", TO_SALES, ValueKind.CODE, match=1),
        FieldMap("displayName", "name", BOTH, match=2),
        FieldMap("postalCode", "address1_postalcode", BOTH, ValueKind.CODE, match=2),
        FieldMap("email", "emailaddress1", BOTH, match=3),
        FieldMap(
            "currencyCode",
            "transactioncurrencyid",
            BOTH,
            ValueKind.REFERENCE,
            lookup="CURRENCY",
            lookup_table="transactioncurrencies",
        ),
        FieldMap("", "customertypecode", TO_SALES, constant=3),
    ),
)

CURRENCY = TableMap(
    name="CURRENCY",
    entity="currencies",
    table="transactioncurrencies",
    ways=TO_SALES,
    bc_label=("code", "displayName"),
    sales_label=("isocurrencycode", "currencyname"),
    fields=(
        FieldMap(
            "code",
            "isocurrencycode",
            TO_SALES,
            ValueKind.CODE,
            create_only=True,
            match=1,
        ),
        FieldMap("symbol", "currencysymbol", TO_SALES, default_from="code"),
        FieldMap(
            "exchangeRate",
            "exchangerate",
            TO_SALES,
            ValueKind.DECIMAL,
            is_virtual=True,
        ),
    ),
)
