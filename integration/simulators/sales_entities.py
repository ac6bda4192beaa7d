"""The Dataverse tables of protocols §3.3, as data: columns, types, lengths, rules."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any

__all__ = ["ENTITIES", "TABLES", "Column", "Entity", "Kind", "Writable"]


class Kind(StrEnum):
    """Attribute types by the names Dataverse's metadata gives them."""

    BIGINT = "BigInt"
    BOOLEAN = "Boolean"
    DATETIME = "DateTime"
    DECIMAL = "Decimal"
    GUID = "Uniqueidentifier"
    INTEGER = "Integer"
    LOOKUP = "Lookup"
    MEMO = "Memo"
    MONEY = "Money"
    PICKLIST = "Picklist"
    STATE = "State"
    STATUS = "Status"
    STRING = "String"

    @property
    def edm(self) -> str:
        """The OData type a column of this kind has."""
        return EDM[self]


EDM = {
    Kind.BIGINT: "Edm.Int64",
    Kind.BOOLEAN: "Edm.Boolean",
    Kind.DATETIME: "Edm.DateTimeOffset",
    Kind.DECIMAL: "Edm.Decimal",
    Kind.GUID: "Edm.Guid",
    Kind.INTEGER: "Edm.Int32",
    Kind.LOOKUP: "Edm.Guid",
    Kind.MEMO: "Edm.String",
    Kind.MONEY: "Edm.Decimal",
    Kind.PICKLIST: "Edm.Int32",
    Kind.STATE: "Edm.Int32",
    Kind.STATUS: "Edm.Int32",
    Kind.STRING: "Edm.String",
}


class Writable(StrEnum):
    """When a column may be sent."""

    ALWAYS = "always"
    ON_CREATE = "on create"
    ON_UPDATE = "on update"
    NEVER = "never"


@dataclass(frozen=True)
class Column:
    """One column. ``target`` is the logical name of a lookup's table."""

    name: str
    kind: Kind = Kind.STRING
    length: int = 0
    label: str = ""
    writable: Writable = Writable.ALWAYS
    options: Mapping[int, str] = field(default_factory=dict)
    target: str = ""
    default: Any = None

    @property
    def read_name(self) -> str:
        """How the column is called in answers, ``$select`` and ``$filter``."""
        return f"_{self.name}_value" if self.kind is Kind.LOOKUP else self.name


@dataclass(frozen=True)
class Entity:
    """One table. ``privilege`` is its name inside ``prvWrite…``, ``code`` its OTC."""

    logical: str
    set_name: str
    privilege: str
    label: str
    code: int
    title: str
    columns: tuple[Column, ...]
    tracked: bool = True

    @property
    def key(self) -> str:
        return f"{self.logical}id"

    @property
    def place(self) -> str:
        """The name of its table in the store."""
        return f"sales:{self.set_name}"

    @cached_property
    def by_name(self) -> dict[str, Column]:
        return {column.name: column for column in self.columns}

    @cached_property
    def by_read_name(self) -> dict[str, Column]:
        return {column.read_name: column for column in self.columns}


def text(name: str, length: int, label: str = "", **rules: Any) -> Column:
    return Column(name, Kind.STRING, length, label, **rules)


def lookup(name: str, target: str, label: str = "", **rules: Any) -> Column:
    return Column(name, Kind.LOOKUP, 0, label, target=target, **rules)


def key(name: str) -> Column:
    return Column(name, Kind.GUID, writable=Writable.ON_CREATE)


#: Set by the server on every table.
STAMPS = (
    Column("createdon", Kind.DATETIME, writable=Writable.NEVER),
    Column("modifiedon", Kind.DATETIME, writable=Writable.NEVER),
    lookup("modifiedby", "systemuser", writable=Writable.NEVER),
    Column("versionnumber", Kind.BIGINT, writable=Writable.NEVER),
)

#: Active or not.
STATES = (
    Column(
        "statecode",
        Kind.STATE,
        label="Status",
        writable=Writable.ON_UPDATE,
        options={0: "Active", 1: "Inactive"},
        default=0,
    ),
    Column(
        "statuscode",
        Kind.STATUS,
        label="Status reason",
        options={1: "Active", 2: "Inactive"},
        default=1,
    ),
)

CUSTOMER_TYPES = dict(
    enumerate(
        (
            "Competitor",
            "Consultant",
            "Customer",
            "Investor",
            "Partner",
            "Influencer",
            "Press",
            "Prospect",
            "Reseller",
            "Supplier",
            "Vendor",
            "Other",
        ),
        start=1,
    )
)

ACCOUNT = Entity(
    "account",
    "accounts",
    "Account",
    "Account",
    1,
    "name",
    (
        key("accountid"),
        text("name", 160, "Account name"),
        text("accountnumber", 20, "Account number"),
        Column(
            "customertypecode",
            Kind.PICKLIST,
            label="Relationship type",
            options=CUSTOMER_TYPES,
        ),
        text("address1_line1", 250, "Street 1"),
        text("address1_line2", 250, "Street 2"),
        text("address1_line3", 250, "Street 3"),
        text("address1_postalcode", 20, "Postal code"),
        text("address1_city", 80, "City"),
        text("address1_stateorprovince", 50, "State or province"),
        text("address1_country", 80, "Country or region"),
        text("telephone1", 50, "Main phone"),
        text("telephone2", 50, "Other phone"),
        text("fax", 50, "Fax"),
        text("emailaddress1", 100, "Email"),
        text("websiteurl", 200, "Website"),
        Column("description", Kind.MEMO, 2000, "Description"),
        Column("creditlimit", Kind.MONEY, label="Credit limit"),
        Column("creditonhold", Kind.BOOLEAN, label="Credit hold", default=False),
        Column("revenue", Kind.MONEY, label="Annual revenue"),
        text("address1_name", 200),
        text("address1_primarycontactname", 100, "Contact"),
        lookup("transactioncurrencyid", "transactioncurrency", "Currency"),
        lookup("parentaccountid", "account"),
        lookup("ownerid", "systemuser"),
        *STATES,
        *STAMPS,
        Column("overriddencreatedon", Kind.DATETIME, writable=Writable.ON_CREATE),
    ),
)

CURRENCY = Entity(
    "transactioncurrency",
    "transactioncurrencies",
    "TransactionCurrency",
    "Currency",
    9105,
    "currencyname",
    (
        key("transactioncurrencyid"),
        text("isocurrencycode", 5, "Currency code", writable=Writable.ON_CREATE),
        text("currencyname", 100, "Currency name"),
        text("currencysymbol", 10, "Currency symbol"),
        Column("currencyprecision", Kind.INTEGER, label="Precision", default=2),
        Column("exchangerate", Kind.DECIMAL, label="Exchange rate"),
        *STATES,
        *STAMPS,
    ),
)

USER = Entity(
    "systemuser",
    "systemusers",
    "User",
    "User",
    8,
    "fullname",
    (
        key("systemuserid"),
        text("fullname", 200, "Full name", writable=Writable.NEVER),
        text("firstname", 64, "First name"),
        text("lastname", 64, "Last name"),
        text("internalemailaddress", 100, "Primary email"),
        text("domainname", 250, "User name"),
        text("mobilephone", 64, "Mobile phone"),
        text("jobtitle", 100, "Title"),
        lookup("businessunitid", "businessunit", writable=Writable.NEVER),
        Column(
            "isdisabled",
            Kind.BOOLEAN,
            label="Disabled",
            writable=Writable.NEVER,
            default=False,
        ),
        Column("islicensed", Kind.BOOLEAN, label="Licensed", default=True),
        Column("isintegrationuser", Kind.BOOLEAN, label="Integration", default=False),
        Column(
            "accessmode",
            Kind.PICKLIST,
            label="Access mode",
            options={
                0: "Read-Write",
                1: "Administrative",
                2: "Read",
                3: "Support user",
                4: "Non-interactive",
            },
            default=0,
        ),
        Column("applicationid", Kind.GUID, label="Application ID"),
        lookup("transactioncurrencyid", "transactioncurrency"),
        *STAMPS,
    ),
)

ROLE = Entity(
    "role",
    "roles",
    "Role",
    "Security Role",
    1036,
    "name",
    (
        key("roleid"),
        text("name", 100, "Name"),
        lookup("roletemplateid", "roletemplate", writable=Writable.NEVER),
        lookup("businessunitid", "businessunit", writable=Writable.NEVER),
        *STAMPS,
    ),
    tracked=False,
)

ORGANIZATION = Entity(
    "organization",
    "organizations",
    "Organization",
    "Organization",
    1019,
    "name",
    (
        key("organizationid"),
        text("name", 160, "Name"),
        lookup("basecurrencyid", "transactioncurrency", writable=Writable.NEVER),
        Column("currencydecimalprecision", Kind.INTEGER, default=2),
        Column("expirechangetrackingindays", Kind.INTEGER, default=7),
        Column("languagecode", Kind.INTEGER, default=1033),
        *STAMPS,
    ),
    tracked=False,
)

#: By the name in the address.
ENTITIES = {
    entity.set_name: entity for entity in (ACCOUNT, CURRENCY, USER, ROLE, ORGANIZATION)
}

#: By logical name.
TABLES = {entity.logical: entity for entity in ENTITIES.values()}
