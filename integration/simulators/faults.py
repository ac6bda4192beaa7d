"""What can be made to go wrong, one row each, and what is wrong at the moment.

Five kinds by place: *request* answers the whole request with a refusal, *record*
refuses the writing of one record, also inside a batch, *edit* changes the record
behind the API just before its write is judged, *page* answers with a web page,
and *state* changes the data once and puts it back when the fault is cleared.

An API asks ``before_write`` outside its transaction, since an edit must survive the
refusal that follows, and ``refuse`` where it writes.
"""

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from integration.simulators import fault_states
from integration.simulators.fault_states import Change
from integration.simulators.http import SimulatorError
from integration.simulators.store import Row, Store

BUSINESS_CENTRAL, SALES, ENTRA = "business_central", "sales", "entra"
ACTIVE = "faults.active"
NAME_FIELDS = (
    "number",
    "code",
    "displayName",
    "name",
    "accountnumber",
    "isocurrencycode",
)
WEB_PAGE = (
    "<!DOCTYPE html><html><head><title>Sign in</title></head><body></body></html>"
)
_LONG = "A longer value than this field can hold"
_ALL_WRITES = frozenset({"POST", "PATCH", "DELETE"})
_SAVES = frozenset({"POST", "PATCH"})


@dataclass(frozen=True)
class Fault:
    """One row. ``side`` "" works on both data APIs."""

    id: str
    side: str
    place: str
    status: int = 0
    code: str = ""
    message: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    verbs: frozenset[str] = _SAVES
    entity: str = ""  # what it means when none is named
    state: str = ""  # the value an account or an app gets

    def error(self, words: Mapping[str, Any]) -> SimulatorError:
        message = self.message.format_map(words)
        return SimulatorError(self.status, self.code, message, self.headers)


def _request(id: str, status: int, code: str, message: str, wait: int = 0) -> Fault:
    side = {"bc": BUSINESS_CENTRAL, "dv": SALES, "aa": ENTRA}[id[:2]]
    headers = {"Retry-After": str(wait)} if wait else {}
    return Fault(id, side, "request", status, code, message, headers)


def _record(id: str, status: int, code: str, message: str) -> Fault:
    side = BUSINESS_CENTRAL if id.startswith("bc") else SALES
    return Fault(id, side, "record", status, code, message)


def _account(id: str, state: str) -> Fault:
    return Fault(id, ENTRA, "state", entity="accounts", state=state)


def _app(id: str, state: str) -> Fault:
    return Fault(id, ENTRA, "state", entity="apps", state=state)


KNOWN = {
    fault.id: fault
    for fault in (
        _request(
            "bc-throttle",
            429,
            "Application_TooManyRequests",
            "Too many requests reached. Actual (101). Maximum (100).",
        ),
        _request("bc-queue-timeout", 503, "", "Service Temporarily Unavailable", 1),
        _request(
            "bc-tenant-unavailable",
            503,
            "Internal_TenantUnavailable",
            "The tenant 'simulated' is not accessible.",
            1,
        ),
        _request("bc-operation-timeout", 408, "", "Request Timeout"),
        _request("bc-bad-gateway", 502, "", "Bad Gateway", 1),
        _request("bc-gateway-timeout", 504, "", "Gateway Timeout"),
        _request("bc-too-large", 413, "", "Request Entity Too Large"),
        _request(
            "bc-sql-unavailable",
            500,
            "Internal_ServerError",
            "Cannot establish a connection to the SQL Server/Database.",
        ),
        _request(
            "bc-auth-rejected",
            401,
            "Authentication_InvalidCredentials",
            "The server has rejected the client credentials.",
        ),
        _request(
            "dv-throttle-requests",
            429,
            "0x80072322",
            "Number of requests exceeded the limit of 6000 over time window of 300"
            " seconds.",
            1,
        ),
        _request(
            "dv-throttle-time",
            429,
            "0x80072321",
            "Combined execution time of incoming requests exceeded limit of 1,200,000"
            " milliseconds over time window of 300 seconds. Decrease number of"
            " concurrent requests or reduce the duration of requests and try again"
            " later.",
            1,
        ),
        _request(
            "dv-throttle-concurrency",
            429,
            "0x80072326",
            "Number of concurrent requests exceeded the limit of 52.",
            1,
        ),
        _request(
            "dv-maintenance",
            503,
            "0x80048543",
            "The operation timed out because a solution is currently being imported.",
            1,
        ),
        _request(
            "dv-db-connection",
            503,
            "0x80048551",
            "Initialization of the database connection or transaction failed. This"
            " operation should be retried later.",
            1,
        ),
        _request("dv-unexpected", 500, "0x80040216", "An unexpected error occurred."),
        _request(
            "dv-sql-deadlock",
            500,
            "0x80044150",
            "Sql error: Generic SQL error. CRM ErrorCode: -2147204784 Sql ErrorCode:"
            " -2146232060 Sql Number: 1205",
        ),
        _request(
            "dv-admin-only-mode",
            403,
            "0x8004A113",
            "User does not have required privileges (or role membership) to access the"
            " org when it is in Admin Only mode.",
        ),
        _request(
            "dv-org-disabled",
            403,
            "0x8004A104",
            "The Dynamics 365 organization you are attempting to access is currently"
            " disabled. Please contact your system administrator.",
        ),
        _request("dv-token-expired", 401, "", ""),
        _request(
            "aad-transient",
            503,
            "temporarily_unavailable",
            "AADSTS90033: A transient error has occurred. Please try again.",
        ),
        _request(
            "aad-tenant-throttled",
            429,
            "temporarily_unavailable",
            "AADSTS90055: There are too many incoming requests.",
            1,
        ),
        Fault("net-html-instead-of-json", "", "page", 200),
        _record(
            "bc-duplicate-key",
            400,
            "Internal_EntityWithSameKeyExists",
            "The {caption} already exists. Identification fields and values:"
            " {key_caption}='{key}'",
        ),
        _record(
            "bc-string-too-long",
            400,
            "Application_StringExceededLength",
            "The length of the string is 39, but it must be less than or equal to 30"
            f" characters. Value: {_LONG}",
        ),
        _record(
            "bc-field-mandatory",
            400,
            "Application_FieldValidationException",
            "Gen. Bus. Posting Group must have a value in {caption}: No.={key}. It"
            " cannot be zero or empty.",
        ),
        _record(
            "dv-duplicate-detected",
            500,
            "0x80040333",
            "A record was not created or updated because a duplicate of the current"
            " record already exists.",
        ),
        _record(
            "dv-duplicate-alternate-key",
            412,
            "0x80060892",
            "Entity Key Account Number violated. A record with the same value for"
            " Account Number already exists. A duplicate record cannot be created."
            " Select one or more unique values and try again.",
        ),
        _record(
            "dv-string-too-long",
            400,
            "0x80044331",
            "A validation error occurred.  The length of the 'name' attribute of the"
            " '{logical}' entity exceeded the maximum allowed length of '160'.",
        ),
        _record(
            "dv-plugin-aborted",
            400,
            "0x80040265",
            "The plug-in of this environment does not allow this change.",
        ),
        Fault(
            "bc-record-changed", BUSINESS_CENTRAL, "edit", verbs=frozenset({"PATCH"})
        ),
        Fault("dv-row-version-mismatch", SALES, "edit", verbs=frozenset({"PATCH"})),
        Fault("bc-permission-denied", BUSINESS_CENTRAL, "state", entity="customers"),
        Fault("bc-currency-no-exchange-rate", BUSINESS_CENTRAL, "state"),
        Fault("bc-base-currency-no-rate", BUSINESS_CENTRAL, "state"),
        Fault("dv-currency-not-found", SALES, "state"),
        Fault("dv-missing-privilege", SALES, "state", entity="accounts"),
        Fault("setup-integration-user-is-admin", SALES, "state"),
        _account("aad-password-must-change", "mustChange"),
        _account("aad-onprem-password-expired", "expiredOnPrem"),
        _account("aad-forced-password-change-risk", "riskReset"),
        _account("aad-account-locked", "locked"),
        _account("aad-account-disabled", "disabled"),
        Fault("aad-wrong-user-or-password", ENTRA, "state", entity="passwords"),
        _app("aad-secret-expired", "expired"),
        _app("aad-secret-invalid", "invalid"),
        _app("aad-app-disabled", "disabled"),
    )
}


class UnknownFaultError(ValueError):
    """The body of ``/control/faults`` asks for what does not exist."""


class Faults:
    """The active faults of one store. Counting survives a request's roll-back."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._spent: dict[int, int] = {}

    @classmethod
    def of(cls, store: Store) -> "Faults":
        """The one of this store, so that both sides count together."""
        found: Faults = store.companions.setdefault("faults", cls(store))
        return found

    def active(self) -> list[dict[str, Any]]:
        """What is wrong now; ``left`` None means until it is cleared."""
        entries = [dict(entry) for entry in self._store.setting(ACTIVE, [])]
        for entry in entries:
            if entry["left"] is not None:
                entry["left"] -= self._spent.get(entry["n"], 0)
        return [
            entry for entry in entries if entry["left"] is None or entry["left"] > 0
        ]

    def add(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Raises UnknownFaultError, with a sentence for the caller."""
        fault = _checked(body)
        once = 1 if body.get("drop_after_write") else None
        entry = {**body, "left": body.get("times", once)}
        with self._store.transaction():
            entry["n"] = self._store.next_version()
            if fault and fault.place == "state":
                entry["undo"] = fault_states.set_state(
                    self._store, Change(fault.id, fault.entity, fault.state, body)
                )
            self._store.set_setting(ACTIVE, [*self.active(), entry])
            self._spent.clear()
        return _shown(entry)

    def clear(self, wanted: Mapping[str, Any] | None = None) -> int:
        """End all faults, or those with this id or number; how many."""
        chosen = {
            key: (wanted or {})[key] for key in ("id", "n") if key in (wanted or {})
        }
        with self._store.transaction():
            entries = self.active()
            gone = [e for e in entries if all(e.get(k) == v for k, v in chosen.items())]
            for entry in reversed(gone):
                fault_states.put_back(self._store, entry.get("undo", ()))
            kept = [entry for entry in entries if entry not in gone]
            self._store.set_setting(ACTIVE, kept)
            self._spent.clear()
        return len(gone)

    def save(self) -> None:
        """Write the counts down; called between requests."""
        if self._spent:
            with self._store.transaction():
                self._store.set_setting(ACTIVE, self.active())
                self._spent.clear()

    def latency_seconds(self) -> float:
        entries = self._store.setting(ACTIVE, ())
        return sum(float(entry.get("latency_ms", 0)) for entry in entries) / 1000

    def drops_after_write(self, side: str) -> bool:
        """Whether this write's answer is to be lost; counts it."""
        for entry in self.active():
            if entry.get("drop_after_write") and entry.get("side", side) == side:
                return self._spend(entry)
        return False

    def for_request(
        self, side: str, method: str, text: str
    ) -> tuple[Fault, dict[str, Any]] | None:
        """The refusal of the whole request. ``text``: where an entity is looked for."""
        for entry, fault in self._matching(("request", "page"), side):
            named = str(entry.get("entity", "")).lower()
            if entry.get("method", method) == method and named in text.lower():
                self._spend(entry)
                return fault, entry
        return None

    def before_write(
        self, side: str, entity: str, method: str, row: Row | None
    ) -> None:
        """Edit the record as someone else, so that its write comes too late."""
        if row is None or not self._store.setting(ACTIVE):
            return
        for entry, fault in self._matching(("edit",), side):
            named = _names(row.id, row.values)
            if method in fault.verbs and _meets(entry, entity, named):
                self._spend(entry)
                fault_states.edit(self._store, side, row, entry.get("values"))

    def refuse(
        self, side: str, entity: str, method: str, words: Mapping[str, Any], *names: Any
    ) -> None:
        """Raises SimulatorError when writing this record is to fail.

        ``words`` fill the text (``caption``, ``key_caption``, ``key``, ``logical``),
        ``names`` are the id, number, name… of the record.
        """
        if not self._store.setting(ACTIVE):
            return
        lowered = {str(name).lower() for name in names if name}
        for entry, fault in self._matching(("record",), side):
            if method in fault.verbs and _meets(entry, entity, lowered):
                self._spend(entry)
                raise fault.error(words)

    def _matching(
        self, places: Iterable[str], side: str
    ) -> Iterable[tuple[dict[str, Any], Fault]]:
        if not self._store.setting(ACTIVE):
            return
        for entry in self.active():
            fault = KNOWN.get(entry.get("id", ""))
            if fault and fault.place in places:
                wanted = fault.side or entry.get("side", side)
                if wanted == side:
                    yield entry, fault

    def _spend(self, entry: dict[str, Any]) -> bool:
        with self._lock:
            self._spent[entry["n"]] = self._spent.get(entry["n"], 0) + 1
        return True


def record_names(row: Row) -> set[str]:
    return _names(row.id, row.values)


def _names(id: str, values: Mapping[str, Any]) -> set[str]:
    return {id} | {str(values.get(name) or "").lower() for name in NAME_FIELDS}


def _meets(entry: Mapping[str, Any], entity: str, names: set[str]) -> bool:
    wanted = str(entry.get("record") or "").lower()
    named = str(entry.get("entity") or entity).lower()
    return named == entity.lower() and (not wanted or wanted in names)


def _shown(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key != "undo"}


def _checked(body: Mapping[str, Any]) -> Fault | None:
    if "kill_at_request" in body:
        raise UnknownFaultError("These simulators cannot kill a process yet.")
    times = body.get("times", 1)
    if not isinstance(times, int) or isinstance(times, bool) or times < 1:
        raise UnknownFaultError("'times' must be a whole number above zero.")
    if "latency_ms" in body or body.get("drop_after_write"):
        latency = body.get("latency_ms", 0)
        if isinstance(latency, bool) or not isinstance(latency, int | float):
            raise UnknownFaultError("'latency_ms' must be a number.")
        return None
    fault = KNOWN.get(str(body.get("id")))
    if fault is None:
        known = ", ".join(sorted(KNOWN))
        raise UnknownFaultError(
            f"There is no fault {body.get('id')!r}. Known are {known}; and latency_ms,"
            " drop_after_write and clear."
        )
    return fault
