"""Messages as the systems send them, with the cause that belongs to each.

Sources: the error catalogue, protocols §1.3, §2.7, §3.9, the texts of Business
Central's own integration (business-central-integration §7), and a French server.
"""

from dataclasses import dataclass, field

from integration.core.failures import Failure, FailureKind
from integration.core.records import System

GUID = "5a1c2f9e-77e0-4c65-9a54-0c4d0f3d8c11"
OTHER = "0b7d9a31-1c2e-4f66-8f0a-aa0c77e011ff"


@dataclass(frozen=True, slots=True)
class Said:
    """A refusal and the article it belongs to ("" = none)."""

    failure: Failure
    article: str = ""
    params: dict[str, str] = field(default_factory=dict)


def _said(
    system: System, status: int, code: str, message: str, kind: str = "refused"
) -> Failure:
    return Failure(system, FailureKind(kind), code, message, status)


def bc(status: int, code: str, message: str, article: str = "", **params: str) -> Said:
    return Said(_said(System.BUSINESS_CENTRAL, status, code, message), article, params)


def dv(status: int, code: str, message: str, article: str = "", **params: str) -> Said:
    return Said(_said(System.SALES, status, code, message), article, params)


def of_kind(kind: str, system: System, code: str, message: str, article: str) -> Said:
    status = int(code.removeprefix("http-")) if code.startswith("http-") else 0
    return Said(_said(system, status, code, message, kind), article)


def log(message: str, article: str = "", **params: str) -> Said:
    """A text of Business Central's log: no code, no status."""
    return bc(0, "", message, article, **params)


def aad(code: str, message: str, article: str) -> Said:
    return dv(400, code, message, article, system="sales")


def missing(privilege: str, message: str, code: str = "0x80040220") -> Said:
    return dv(403, code, message, "dv-missing-privilege", privilege=privilege)


PRINCIPAL = (
    f"Principal user (Id={GUID}, type=8, roleCount=1, privilegeCount=120, "
    "accessMode='4 Non-interactive'), is missing {privilege} privilege "
    f"(Id={OTHER}) on OTC=1 for entity 'account' (LocalizedName='Account'). "
    f"context.Caller={GUID}"
)
BIDIRECTIONAL = (
    "Cannot update a record in the Customer table. The mapping between {} field on the "
    "Dataverse Account table and the {} field on the Customer table is bi-directional, "
    "and one or both values have changed since the last synchronization."
)

PERMISSION = [
    *(
        missing(name, PRINCIPAL.format(privilege=name))
        for name in (
            *("prvCreateAccount", "prvReadAccount", "prvWriteAccount"),
            *("prvDeleteAccount", "prvAppendAccount", "prvAppendToAccount"),
            *("prvAssignAccount", "prvShareAccount", "prvWriteTransactionCurrency"),
            *("prvReadOrganization", "prvWritenew_region"),
        )
    ),
    missing(
        "prvCreateTransactionCurrency",
        f"CrmCheckPrivilege failed. Returned hr = -2147220839 on UserId: {GUID} and "
        f"Privilege: prvCreateTransactionCurrency",
        "0x80040299",
    ),
    missing(
        "prvReadUser",
        "Read Privilege Check For Owner failed: owner lacks prvReadUser",
        "-2147220943",
    ),
    missing(
        "prvWriteAccount",
        "Le principal ne dispose pas du privilège prvWriteAccount pour « account ».",
    ),
    log(
        f"Modifying Adatum failed because of the following error: {PRINCIPAL}.".format(
            privilege="prvWriteAccount"
        ),
        "dv-missing-privilege",
        privilege="prvWriteAccount",
    ),
    log(
        "The connection to Dynamics 365 Sales was disabled because integration user "
        "sync@leman.ch has insufficient privileges to run the synchronization.",
        "dv-missing-privilege",
    ),
    dv(
        403,
        "0x80048306",
        f"Principal with id {GUID} does not have CreateAccess right(s) for record with "
        f"id {OTHER} of entity account",
        "dv-record-access-denied",
        right="CreateAccess",
        table="account",
    ),
    dv(
        403,
        "0x80042F09",
        f"The user (Id = {GUID}) has not been assigned any roles. They need a role "
        "with the prvReadUser privilege.",
        "dv-user-no-roles",
    ),
    log(
        "User sync@leman.ch has no user roles assigned on server x.", "dv-user-no-roles"
    ),
    dv(403, "0x80072560", "L'utilisateur n'est pas membre.", "dv-not-member-of-org"),
    dv(403, "-2147015328", "The user is not a member.", "dv-not-member-of-org"),
    dv(403, "0x8004D24B", "Aucune licence n'est attribuée.", "dv-user-no-license"),
    dv(403, "0x80050301", "No service plan.", "dv-user-no-license"),
    dv(403, "0x80040225", f"User {GUID} is disabled.", "setup-user-disabled"),
    bc(
        403,
        "Internal_ServerError",
        "Sorry, the current permissions prevented the action. (TableData 18 Customer "
        f"Insert: Base Application)  CorrelationId:  {GUID}.",
        "bc-permission-denied",
        right="Insert",
        table="customer",
    ),
    bc(
        403,
        "Internal_ServerError",
        "Les autorisations ne suffisent pas. (TableData 4 Currency Read: Base App)",
        "bc-permission-denied",
        right="Read",
        table="currency",
    ),
    bc(
        403,
        "Internal_ServerError",
        "Nicht erlaubt. (TableData 9 Country/Region IndirectModify: Base Application)",
        "bc-permission-denied",
        right="Modify",
        table="country/region",
    ),
    bc(
        403,
        "Authorization_Denied",
        "You do not have permissions to modify Customers.",
        "bc-permission-denied",
        right="modify",
        table="customer",
    ),
    bc(403, "Internal_ServerError", "Interdit.", "bc-permission-denied"),
    log(
        "The data could not be updated because of the following error: (TableData 18 "
        "Customer Modify: Base Application).",
        "bc-permission-denied",
        table="customer",
    ),
]

SET_UP = [
    log(
        "User admin@leman.ch has the System Administrator role on server "
        "https://leman.crm.dynamics.com.\\\\You must choose a user that does not have "
        "the System Administrator role.",
        "setup-integration-user-is-admin",
        user="admin@leman.ch",
    ),
    log("User a@b.ch is disabled on server https://x.", "setup-user-disabled"),
    log(
        "User a@b.ch with access mode Read-Write is not licensed on server https://x.",
        "setup-user-not-licensed",
    ),
    log(
        "User a@b.ch has invalid access mode Read on server https://x. Valid access "
        "mode is Non-Interactive.",
        "setup-user-invalid-access-mode",
        mode="Read",
    ),
    log(
        "User a@b.ch does not have the required roles on server https://x.",
        "setup-user-role-missing",
    ),
    log(
        "There is no user with email address a@b.ch in Dataverse. Enter a valid email "
        "address.",
        "setup-user-does-not-exist",
    ),
    dv(
        403,
        "0x8004A113",
        "User does not have required privileges (or role membership) to access the org "
        "when it is in Admin Only mode.",
        "dv-admin-mode",
    ),
    dv(403, "0x8004a104", "L'organisation est désactivée.", "dv-org-disabled"),
    dv(403, "0x80050401", "Storage.", "dv-storage-full"),
    dv(400, "0x80072491", "Tracking?", "dv-change-tracking-off"),
    bc(404, "NoEnvironment", "Environment does not exist.", "bc-environment-not-found"),
    bc(404, "Internal_CompanyNotFound", "Société absente.", "bc-company-not-found"),
    bc(401, "Authentication_InvalidCredentials", "Rejeté.", "bc-auth-rejected"),
    bc(
        401,
        "Authentication_InvalidCredentials",
        "Web service call failed because user could not be authenticated or "
        "authorized.",
        "bc-auth-rejected",
    ),
    bc(401, "http-401", "", "bc-auth-rejected"),
    dv(401, "http-401", "", "dv-auth-rejected"),
    dv(401, "0x8004A101", "Ticket expired", "dv-auth-rejected"),
    bc(
        404,
        "BadRequest_ResourceNotFound",
        "Resource not found for the segment 'kunden'.",
        "table-not-found",
        segment="kunden",
    ),
    dv(
        404,
        "0x8006088a",
        "Resource not found for the segment 'acounts'.",
        "table-not-found",
        segment="acounts",
    ),
    dv(
        400,
        "0x0",
        "Could not find a property named 'telefon' on type "
        "'Microsoft.Dynamics.CRM.account'.",
        "field-not-found",
        field="telefon",
    ),
]

SIGN_IN = [
    aad(
        "AADSTS50055",
        "AADSTS50055: The password is expired.",
        "aad-password-must-change",
    ),
    aad("invalid_grant", "AADSTS50055: x", "aad-password-must-change"),
    aad("50055", "", "aad-password-must-change"),
    aad("AADSTS50144", "Mot de passe expiré", "aad-password-must-change"),
    aad("AADSTS50135", "Risk", "aad-password-must-change"),
    aad("AADSTS50126", "Error validating credentials", "aad-wrong-user-or-password"),
    aad("invalid_grant", "AADSTS50126 : erreur", "aad-wrong-user-or-password"),
    aad("AADSTS50053", "Locked", "aad-account-locked"),
    aad("AADSTS50057", "Disabled", "aad-account-disabled"),
    aad("AADSTS50034", "No such user", "aad-user-not-found"),
    aad("AADSTS50076", "MFA", "aad-mfa-required"),
    aad("AADSTS50079", "MFA", "aad-mfa-required"),
    aad("AADSTS50074", "MFA", "aad-mfa-required"),
    aad("AADSTS53003", "Blocked", "aad-conditional-access"),
    aad("AADSTS65001", "No consent", "aad-consent-missing"),
    aad("AADSTS90094", "No consent", "aad-consent-missing"),
    aad("AADSTS700016", "No such application", "aad-app-not-found"),
    aad("AADSTS7000112", "Disabled", "aad-app-disabled"),
    aad("AADSTS7000215", "Invalid client secret", "aad-secret-invalid"),
    aad("invalid_client", "AADSTS7000218: no secret", "aad-secret-invalid"),
    aad("AADSTS7000222", "Expired keys", "aad-secret-expired"),
    aad("AADSTS700027", "Signature", "aad-cert-invalid"),
    aad("certificate-unreadable", "The certificate cannot be used", "aad-cert-invalid"),
    aad("AADSTS90002", "Tenant not found", "aad-tenant-not-found"),
    aad("AADSTS500011", "Resource principal", "aad-resource-not-found"),
    aad("AADSTS70011", "Scope", "aad-resource-not-found"),
    aad("AADSTS90033", "Transient", "aad-transient"),
    aad("AADSTS90055", "Too many", "aad-throttled"),
    aad("temporarily_unavailable", "AADSTS90055: Too many", "aad-throttled"),
    aad("temporarily_unavailable", "Later", "aad-transient"),
    aad("AADSTS50196", "Loop", "aad-throttled"),
    dv(401, "AADSTS500133", "Clock", "aad-clock-skew"),
    aad("AADSTS900144", "AADSTS900144: parameter missing", "aad-refused"),
    aad("invalid_request", "", "aad-refused"),
]

CURRENCY = [
    log(
        "Cannot create or update the currency CHF in Dataverse, because there is no "
        "exchange rate defined for it.",
        "bc-currency-no-exchange-rate",
        currency="CHF",
    ),
    bc(
        404,
        "Internal_DataNotFoundFilter",
        "There is no Currency Exchange Rate within the filter.\\Filters: Currency "
        "Code: GBP, Starting Date: ''..22.11.26",
        "bc-exchange-rate-row-missing",
        currency="GBP",
    ),
    log(
        "Cannot find the currency with the value 'SEK' in Dataverse.",
        "dv-currency-not-found",
        currency="SEK",
    ),
    log(
        "The base currency EUR of the Dataverse environment must exist in Business "
        "Central and it must have an exchange rate.",
        "bc-base-currency-no-rate",
        currency="EUR",
    ),
    log(
        "The currency with the ISO code 'EUR' cannot be found. Therefore, the exchange "
        "rate between 'CHF' and 'USD' cannot be calculated.",
        "bc-base-currency-unknown",
        currency="EUR",
    ),
    log(
        "Your local currency code SFR does not match any ISO Currency Code in the "
        "Dataverse currency table.",
        "bc-lcy-not-in-dataverse",
        currency="SFR",
    ),
    log(
        "To enable the connection to Dataverse, you must specify the LCY Code in "
        "General Ledger Setup.",
        "bc-lcy-missing",
    ),
    dv(400, "0x80048CF3", "Doublon de devise.", "dv-duplicate-currency"),
    dv(400, "0x80048cf5", "Base.", "dv-base-rate-readonly"),
    dv(
        400, "0x80048cfb", "The currency cannot be null.", "dv-currency-null-with-money"
    ),
    dv(400, "0x80048cf1", "Three letters.", "dv-currency-code-invalid"),
    log(
        "Currency Code EUR must be coupled to a Dataverse row.",
        "dependency-not-coupled",
        table="currency",
        number="EUR",
    ),
    log(
        "Modifying 10000 failed because of the following error: Customer No. 10040 "
        "must be coupled to a record in Dynamics 365 Sales.",
        "dependency-not-coupled",
        table="customer",
        number="10040",
    ),
]

RECORDS = [
    log(
        BIDIRECTIONAL.format("Main Phone", "Phone No."),
        "conflict-both-changed",
        fields="phoneNumber",
    ),
    log(
        BIDIRECTIONAL.format("E-mail", "E-Mail"),
        "conflict-both-changed",
        fields="email",
    ),
    log(
        "The Customer record cannot be updated because it is coupled to a deleted "
        "record.",
        "record-deleted-sales",
    ),
    of_kind(
        "not_found",
        System.SALES,
        "0x80040217",
        f"account With Id = {GUID} Does Not Exist",
        "record-deleted-sales",
    ),
    of_kind(
        "not_found",
        System.BUSINESS_CENTRAL,
        "Internal_RecordNotFound",
        "The Customer does not exist. Identification fields and values: No.='10000'",
        "record-deleted-bc",
    ),
    dv(
        404,
        "0x80040217",
        f"transactioncurrency With Id = {GUID} Does Not Exist",
        "reference-gone",
        table="currency",
    ),
    bc(
        400,
        "Application_DialogException",
        'The "currencyId" does not match to a Currency.',
        "reference-gone",
        table="currency",
    ),
    log(
        "Multiple matching entities found for Customer 10000 in Dataverse by matching "
        "on following fields: Name.",
        "match-ambiguous",
    ),
    log(
        "Cannot couple 10000 to this Account record, because the Account record is "
        "already coupled to 10020.",
        "already-coupled",
    ),
    bc(
        400,
        "Internal_EntityWithSameKeyExists",
        "The Customer already exists. Identification fields and values: No.='C00010'",
        "bc-duplicate-key",
        table="customer",
        field="number",
        value="C00010",
    ),
    dv(
        412,
        "0x80060892",
        "Entity Key Account Number violated. A record with the same value for Account "
        "Number already exists. A duplicate record cannot be created.",
        "dv-duplicate-key",
        field="number",
    ),
    dv(500, "0x80040333", "A duplicate.", "dv-duplicate-rule"),
    of_kind("exists", System.SALES, "0x80040237", "Cannot insert", "dv-duplicate-id"),
    bc(
        409,
        "Request_EntityChanged",
        "Another user has already changed the record.",
        "stale-write",
        system="business_central",
    ),
    dv(412, "0x80060882", "The version differs.", "stale-write", system="sales"),
    of_kind("stale", System.SALES, "http-412", "Precondition Failed", "stale-write"),
    of_kind(
        "expired_cursor", System.SALES, "http-410", "Gone", "dv-delta-token-expired"
    ),
]

VALUES = [
    bc(
        400,
        "Application_StringExceededLength",
        "The length of the string is 118, but it must be less than or equal to 100 "
        "characters. Value: Société coopérative des vignerons",
        "bc-text-too-long",
        max="100",
    ),
    dv(
        400,
        "0x80044331",
        "A validation error occurred.  The length of the 'address1_city' attribute of "
        "the 'account' entity exceeded the maximum allowed length of '80'.",
        "dv-text-too-long",
        field="city",
        max="80",
    ),
    dv(
        400,
        "0x8004431a",
        "A validation error occurred. The value 13 of 'customertypecode' on record of "
        "type 'account' is outside the valid range. Accepted Values: 1,2,3",
        "dv-option-invalid",
        field="customertypecode",
        value="13",
    ),
    dv(400, "0x80044330", "Decimal.", "dv-number-out-of-range"),
    bc(
        400,
        "Application_FieldValidationException",
        "Gen. Bus. Posting Group must have a value in Customer: No.=10000. It cannot "
        "be zero or empty.",
        "bc-field-required",
        field="gen. bus. posting group",
        table="customer",
    ),
    bc(
        400,
        "Application_FieldValidationException",
        "Groupe compta. client doit avoir une valeur dans Client : N°=10000.",
        "bc-field-required",
        field="customer posting group",
        table="customer",
    ),
    bc(
        400,
        "BadRequest_RequiredParamNotProvided",
        "Field 'displayName' must not be blank or empty.",
        "bc-field-required",
        field="displayName",
    ),
    bc(
        400,
        "Application_DialogException",
        'A "displayName" must be provided.',
        "bc-blank-name",
    ),
    bc(
        400,
        "Application_DialogException",
        'The blank "displayName" is not allowed.',
        "bc-blank-name",
    ),
    bc(
        400,
        "Internal_InvalidTableRelation",
        "The field Country/Region Code of table Customer contains a value (SUISSE) "
        "that cannot be found in the related table (Country/Region).",
        "bc-relation-missing",
        field="country",
        value="SUISSE",
    ),
    bc(
        400,
        "BadRequest_InvalidOperation",
        "Control 'balanceDue' is read-only",
        "bc-read-only",
        field="balanceDue",
    ),
    dv(
        400,
        "0x80040203",
        "The attribute 'isocurrencycode' of the 'transactioncurrency' entity cannot be "
        "set in an update.",
        "dv-read-only",
        field="code",
    ),
    bc(
        400,
        "Unknown",
        "'Sometimes' is not an option. The existing options are: Ship,Invoice,All",
        "bc-option-unknown",
        value="Sometimes",
    ),
    bc(
        400,
        "Application_DialogException",
        "It is not possible to assign numbers automatically. If you want the program "
        "to assign numbers automatically, please activate Default Nos. in No. Series "
        "CUST.",
        "bc-number-series",
        series="CUST",
    ),
    bc(
        400,
        "Application_DialogException",
        "You cannot assign new numbers from the number series CUST.",
        "bc-number-series",
        series="CUST",
    ),
    bc(
        400,
        "Application_DialogException",
        "Customer 10000 is blocked for privacy.",
        "bc-dialog",
        text="Customer 10000 is blocked for privacy",
    ),
    bc(
        400,
        "Application_CallbackNotAllowed",
        "Sync attempted to issue a client callback to show a confirmation dialog box.",
        "bc-dialog",
    ),
    dv(400, "0x80040265", "The VAT number is wrong.", "dv-generic-refusal"),
    dv(400, "0x80048550", "Plug-in stopped.", "dv-generic-refusal"),
]

WIRE = [
    bc(429, "Application_TooManyRequests", "Actual (101).", "bc-throttled"),
    bc(429, "http-429", "Too Many Requests", "bc-throttled"),
    of_kind("throttled", System.SALES, "budget-spent", "Spent", "dv-throttled"),
    of_kind("throttled", System.SALES, "told-to-wait", "Told", "dv-throttled"),
    dv(429, "0x80072322", "Number of requests exceeded.", "dv-throttled"),
    dv(429, "0x80072321", "Combined execution time.", "dv-throttled"),
    dv(429, "-2147015898", "Concurrent.", "dv-throttled"),
    bc(500, "Internal_ServerError", "Cannot establish a connection.", "bc-unavailable"),
    bc(503, "Internal_TenantUnavailable", "The tenant 'x' is down", "bc-unavailable"),
    bc(504, "http-504", "Gateway Timeout", "bc-unavailable"),
    of_kind("throttled", System.BUSINESS_CENTRAL, "http-503", "Busy", "bc-throttled"),
    dv(500, "0x80044150", "Sql error: Generic SQL error. 1205", "dv-unavailable"),
    dv(500, "0x80040216", "An unexpected error occurred.", "dv-unavailable"),
    dv(502, "http-502", "Bad Gateway", "dv-unavailable"),
    of_kind("transient", System.SALES, "http-500", "Oops", "dv-unavailable"),
    of_kind("lost_answer", System.SALES, "net-reset", "Closed", "lost-answer"),
    of_kind(
        "lost_answer", System.BUSINESS_CENTRAL, "net-timeout", "Late", "lost-answer"
    ),
    of_kind("transient", System.SALES, "net-timeout", "Late", "net-timeout"),
    of_kind("transient", System.SALES, "net-connect-timeout", "Late", "net-timeout"),
    of_kind("transient", System.SALES, "net-reset", "Closed", "net-interrupted"),
    of_kind("connection", System.SALES, "net-dns", "Not known: x.y", "net-unreachable"),
    of_kind(
        "connection", System.SALES, "net-wrong-address", "No API", "net-unreachable"
    ),
    of_kind(
        "connection",
        System.SALES,
        "net-html-instead-of-json",
        "The answer is a web page, not JSON: <html>",
        "net-html-instead-of-json",
    ),
    of_kind("connection", System.SALES, "net-tls", "Certificate", "net-certificate"),
    of_kind("connection", System.SALES, "net-proxy-auth", "Proxy", "net-proxy"),
    dv(400, "0x80048d19", "Stream was not readable.", "engine-fault"),
    bc(400, "BadRequest_InvalidToken", "No token.", "engine-fault"),
    bc(405, "BadRequest_MethodNotAllowed", "'PUT' requests.", "engine-fault"),
    of_kind("refused", System.SALES, "net-request-invalid", "Bad", "engine-fault"),
]

KNOWN = [
    *PERMISSION,
    *SET_UP,
    *SIGN_IN,
    *CURRENCY,
    *RECORDS,
    *VALUES,
    *WIRE,
]

UNKNOWN = [
    bc(400, "Unknown", "The moon is in the wrong phase."),
    bc(400, "BadRequest", "The request body must be a poem of four lines."),
    bc(400, "Internal_Odd", "Table 50100 is melancholic today."),
    bc(418, "http-418", "I am a teapot"),
    bc(400, "", "Le chat est assis sur le serveur."),
    bc(402, "http-402", "Payment Required"),
    bc(400, "BadRequest_NotFound", "Expression expected at position 12."),
    bc(0, "", "Job 17 ended because the lights went out."),
    bc(0, "", "The sync was stopped by user MOZART at 08:05."),
    bc(422, "Semantics", "A customer cannot be their own grandmother."),
    bc(400, "Internal_Loop", "The record points at itself."),
    bc(0, "", "The synchronization process is in a state that is not valid."),
    bc(0, "", "The Template 12 was not found."),
    bc(403, "http-403", "Forbidden by the night watch"),
    bc(400, "Unknown", "Der Wert passt nicht in die Schublade."),
    dv(400, "0x80099999", "The flux capacitor is not aligned."),
    dv(400, "0x80044444", "Attribute 'colour' prefers to be blue."),
    dv(418, "http-418", "I am a teapot"),
    dv(400, "", "An account may not bark."),
    dv(400, "0x0", "The parser lost its way near column 7."),
    dv(403, "0x80041234", "Only on Sundays."),
    dv(400, "0x80100010", "PriceList is mandatory for creating entity."),
    dv(422, "http-422", "Unprocessable Content"),
    dv(400, "0x80048cea", "The currency of the order does not match that of the list."),
    dv(0, "", "Nothing happened, loudly."),
    dv(400, "0x8004f995", "Product can only be updated in draft state."),
    dv(400, "0x80040517", "An inactive customer cannot be set as the parent."),
    dv(451, "http-451", "Unavailable For Legal Reasons"),
    dv(
        400, "0x80043b06", "The specified product ID conflicts with an existing record."
    ),
    dv(0, "", "Le lac est gelé jusqu'au 12 mars 2027."),
    dv(400, "0x80060888", "The sentence 'x' has no verb."),
]
