"""The Business Central sets of this simulator, as data (protocols §2.3)."""

from integration.simulators.entities import Entity, Field, Relation

READ, ALL = frozenset[str](), frozenset({"POST", "PATCH", "DELETE"})


def _text(
    name: str, length: int, caption: str = "", *, required: bool = False
) -> Field:
    return Field(name, "text", length, caption, required=required)


def _code(
    name: str, length: int, caption: str = "", relation: Relation | None = None
) -> Field:
    return Field(name, "code", length, caption, relation=relation)


def _read(name: str, type: str = "text", length: int = 0) -> Field:
    return Field(name, type, length, read_only=True)


def _identifier(name: str, set_name: str, caption: str) -> Field:
    return Field(name, "guid", relation=Relation(set_name, "id", caption))


_ID = _read("id", "guid")
_MODIFIED = _read("lastModifiedDateTime", "moment")
_COUNTRY = Relation("countriesRegions", "code", "Country/Region")
_ADDRESS = (
    _text("addressLine1", 100, "Address"),
    _text("addressLine2", 50, "Address 2"),
    _text("city", 30, "City"),
    _text("state", 30, "County"),
    _code("country", 10, "Country/Region Code", _COUNTRY),
    _code("postalCode", 20, "Post Code"),
)

COMPANIES = Entity(
    "companies",
    "company",
    "Company",
    2000000006,
    (
        _ID,
        _read("systemVersion"),
        _read("timestamp", "int"),
        _read("name", "text", 30),
        _read("displayName", "text", 250),
        _read("businessProfileId", "text", 250),
        _read("systemCreatedAt", "moment"),
        _read("systemCreatedBy", "guid"),
        _read("systemModifiedAt", "moment"),
        _read("systemModifiedBy", "guid"),
    ),
    key="name",
    in_company=False,
    indexes=("name",),
)

COMPANY_INFORMATION = Entity(
    "companyInformation",
    "companyInformation",
    "Company Information",
    79,
    (
        _ID,
        _text("displayName", 100, "Name"),
        *_ADDRESS,
        _text("phoneNumber", 30, "Phone No."),
        _text("faxNumber", 30, "Fax No."),
        _text("email", 80, "E-Mail"),
        _text("website", 255, "Home Page"),
        _text("taxRegistrationNumber", 50, "VAT Registration No."),
        _read("currencyCode", "code", 10),
        _read("currentFiscalYearStartDate", "date"),
        _text("industry", 30, "Industrial Classification"),
        _MODIFIED,
    ),
    verbs=frozenset({"PATCH"}),
)

CUSTOMERS = Entity(
    "customers",
    "customer",
    "Customer",
    18,
    (
        _ID,
        _code("number", 20, "No."),
        _text("displayName", 100, "Name", required=True),
        Field("type", "enum", values=("Company", "Person"), caption="Contact Type"),
        *_ADDRESS,
        _text("phoneNumber", 30, "Phone No."),
        _text("email", 80, "E-Mail"),
        _text("website", 255, "Home Page"),
        _code(
            "salespersonCode",
            20,
            "Salesperson Code",
            Relation("salespeoplePurchasers", "code", "Salesperson/Purchaser"),
        ),
        _read("balanceDue", "decimal"),
        Field("creditLimit", "decimal", caption="Credit Limit (LCY)"),
        Field("taxLiable", "bool", caption="Tax Liable"),
        _identifier("taxAreaId", "taxAreas", "Tax Area"),
        _read("taxAreaDisplayName", "text", 100),
        _text("taxRegistrationNumber", 50, "VAT Registration No."),
        Field("currencyId", "guid"),
        _code("currencyCode", 10, "Currency Code"),
        _identifier("paymentTermsId", "paymentTerms", "Payment Terms"),
        _identifier("shipmentMethodId", "shipmentMethods", "Shipment Method"),
        _identifier("paymentMethodId", "paymentMethods", "Payment Method"),
        Field("blocked", "enum", values=(" ", "Ship", "Invoice", "All")),
        _MODIFIED,
    ),
    key="number",
    series="C00010",
    verbs=ALL,
    indexes=("number", "displayName", "currencyCode"),
)

CURRENCIES = Entity(
    "currencies",
    "currency",
    "Currency",
    4,
    (
        _ID,
        Field("code", "code", 10, "Code", required=True),
        _text("displayName", 30, "Description"),
        _text("symbol", 10, "Symbol"),
        _text("amountDecimalPlaces", 5, "Amount Decimal Places"),
        Field(
            "amountRoundingPrecision", "decimal", caption="Amount Rounding Precision"
        ),
        _MODIFIED,
    ),
    key="code",
    verbs=ALL,
    indexes=("code",),
)

EXCHANGE_RATES = Entity(
    "currencyExchangeRates",
    "currencyExchangeRate",
    "Currency Exchange Rate",
    330,
    (
        _ID,
        _code("currencyCode", 10, "Currency Code"),
        Field("startingDate", "date", caption="Starting Date"),
        Field("exchangeRateAmount", "decimal", caption="Exchange Rate Amount"),
        _code("relationalCurrencyCode", 10, "Relational Currency Code"),
        Field(
            "relationalExchangeRateAmount",
            "decimal",
            caption="Relational Exch. Rate Amount",
        ),
        _MODIFIED,
    ),
    indexes=("currencyCode",),
)

GENERAL_LEDGER_SETUP = Entity(
    "generalLedgerSetup",
    "generalLedgerSetup",
    "General Ledger Setup",
    98,
    (
        _ID,
        Field("allowPostingFrom", "date"),
        Field("allowPostingTo", "date"),
        _code("additionalReportingCurrency", 10),
        _code("localCurrencyCode", 10, "LCY Code"),
        _text("localCurrencySymbol", 10, "Local Currency Symbol"),
        Field("allowQueryFromConsolidation", "bool"),
        *(_code(f"shortcutDimension{n}Code", 20) for n in range(1, 9)),
        _MODIFIED,
    ),
)

JOB_QUEUE_ENTRIES = Entity(
    "jobQueueEntries",
    "jobQueueEntry",
    "Job Queue Entry",
    472,
    (
        _ID,
        Field("jobQueueEntryId", "guid"),
        _text("userId", 65),
        Field("earliestStartDateTime", "moment"),
        _text("objectTypeToRun", 20),
        Field("objectIdToRun", "int"),
        _text("objectCaptionToRun", 250),
        Field(
            "status",
            "enum",
            values=(
                "Ready",
                "In Process",
                "Error",
                "On Hold",
                "Finished",
                "On Hold with Inactivity Timeout",
                "Waiting",
            ),
        ),
        _text("recordIdToProcess", 250),
        _text("parameterString", 250),
        Field("recurringJob", "bool"),
        Field("numberOfMinutesBetweenRuns", "int"),
        _text("description", 250),
        _text("errorMessage", 2048),
        Field("userLanguageId", "int"),
        _MODIFIED,
    ),
    key="jobQueueEntryId",
)

ENTITIES = {
    entity.set_name: entity
    for entity in (
        COMPANIES,
        COMPANY_INFORMATION,
        CUSTOMERS,
        CURRENCIES,
        EXCHANGE_RATES,
        GENERAL_LEDGER_SETUP,
        JOB_QUEUE_ENTRIES,
    )
}
