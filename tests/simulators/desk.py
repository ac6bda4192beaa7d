"""A small company behind the simulators, and a client that is signed in to it."""

import json
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from werkzeug.test import Client, TestResponse

from integration.simulators.app import Simulators
from integration.simulators.http import dumps, loads
from integration.simulators.store import Row, Store, Table

TENANT = "fabrique.example"
COMPANY = "aaaaaaaa-0000-4000-8000-000000000001"
COMPANY_NAME = "Müller & Söhne"
CLIENT, SECRET = "bbbbbbbb-0000-4000-8000-000000000002", "a secret"
USER, PASSWORD = "sync@fabrique.example", "a password"
EURO = "cccccccc-0000-4000-8000-000000000003"
CUSTOMER = "dddddddd-0000-4000-8000-000000000004"
ROOT = f"/bc/v2.0/{TENANT}/production/api/v2.0"
SCOPES = {
    "business_central": "https://api.businesscentral.dynamics.com/.default",
    "sales": "http://localhost/sales/.default",
}


def fill(store: Store) -> Store:
    """One company in CHF with the currency EUR and one customer, 10000."""
    store.set_setting("tenant", TENANT)
    store.table("bc:companies").insert({"name": COMPANY_NAME}, COMPANY)
    place = f"bc:{COMPANY}:"
    rows: Iterable[tuple[str, dict[str, Any], str | None]] = (
        ("generalLedgerSetup", {"localCurrencyCode": "CHF"}, None),
        ("companyInformation", {"displayName": COMPANY_NAME}, None),
        ("currencies", {"code": "EUR", "displayName": "Euro"}, EURO),
        (
            "currencyExchangeRates",
            {"currencyCode": "EUR", "exchangeRateAmount": Decimal("100.00")},
            None,
        ),
        ("countriesRegions", {"code": "CH"}, None),
        ("customers", {"number": "10000", "displayName": "Käser AG"}, CUSTOMER),
    )
    for name, values, key in rows:
        store.table(place + name).insert(values, key)
    app = {"name": "Sync Errors", "secret": SECRET, "state": "ok"}
    store.table("entra:apps").insert(app, CLIENT)
    account = {"upn": USER, "password": PASSWORD, "state": "ok"}
    store.table("entra:accounts").insert(account, USER)
    return store


class Desk:
    """Calls the simulators over WSGI; addresses are below the company."""

    def __init__(
        self, store: Store | None = None, end: Callable[[str], object] = str
    ) -> None:
        self.store = store or fill(Store())
        self.http = Client(Simulators(self.store, fill, end).wsgi)
        self._token = ""

    def table(self, name: str) -> Table:
        return self.store.table(f"bc:{COMPANY}:{name}")

    @property
    def customer(self) -> Row:
        row = self.table("customers").get(CUSTOMER)
        assert row is not None
        return row

    def sign_in(self, side: str = "business_central", **form: str) -> TestResponse:
        """With the secret, unless ``form`` says otherwise."""
        sent = {
            "grant_type": "client_credentials",
            "client_id": CLIENT,
            "client_secret": SECRET,
            "scope": SCOPES[side],
            **form,
        }
        sent = {name: value for name, value in sent.items() if value}
        return self.http.post(f"/{TENANT}/oauth2/v2.0/token", data=sent)

    def token(self) -> str:
        if not self._token:
            self._token = str(json.loads(self.sign_in().data)["access_token"])
        return self._token

    def call(
        self, method: str, address: str, body: Any = None, **headers: str
    ) -> TestResponse:
        """``headers`` by name with ``_`` for ``-``."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        given.setdefault("Authorization", f"Bearer {self.token()}")
        if not address.startswith(("/", "http://")):
            address = f"{ROOT}/companies({COMPANY})/{address}"
        data = None if body is None else dumps(body)
        kind = None if body is None else "application/json"
        return self.http.open(
            address, method=method, data=data, headers=given, content_type=kind
        )

    def get(self, address: str, **headers: str) -> Any:
        answer = self.call("GET", address, **headers)
        assert answer.status_code == 200, answer.text
        return loads(answer.data)

    def find(self, entity: str = "customers", **options: str) -> list[Any]:
        """The records of one page; options without their ``$``."""
        query = urlencode({f"${name}": value for name, value in options.items()})
        return list(self.get(f"{entity}?{query}")["value"])

    def batch(self, *parts: Any, **headers: str) -> list[Any]:
        """The answers to (method, address below the company, body, headers…)."""
        requests = [
            {
                "id": str(number),
                "method": method,
                "url": f"companies({COMPANY})/{address}",
                "body": body,
                "headers": {"Content-Type": "application/json", "If-Match": "*"},
            }
            for number, (method, address, body) in enumerate(parts)
        ]
        answer = self.call("POST", f"{ROOT}/$batch", {"requests": requests}, **headers)
        assert answer.status_code == 200, answer.text
        return list(loads(answer.data)["responses"])

    def control(self, method: str, name: str, body: Any = None) -> Any:
        answer = self.ask_control(method, name, body)
        assert answer.status_code == 200, answer.text
        return loads(answer.data)

    def ask_control(
        self, method: str, name: str, body: Any = None, peer: str = "127.0.0.1"
    ) -> TestResponse:
        return self.http.open(
            f"/control/{name}",
            method=method,
            data=None if body is None else dumps(body),
            environ_base={"REMOTE_ADDR": peer},
        )

    def fault(self, **body: Any) -> Any:
        return self.control("POST", "faults", body)["fault"]


def error_of(answer: TestResponse) -> tuple[int, str]:
    """Status and code of a refusal."""
    return answer.status_code, str(json.loads(answer.data)["error"]["code"])


def message_of(answer: TestResponse) -> str:
    """The text without its correlation id."""
    text = str(json.loads(answer.data)["error"]["message"])
    return text.partition("  CorrelationId:")[0]
