"""Talks to the simulated Sales over WSGI as a client would, token and all."""

import json
from typing import Any

from werkzeug.test import Client, TestResponse
from werkzeug.wrappers import Request, Response

from integration.simulators.entra import TokenEndpoint
from integration.simulators.sales import SalesApi
from integration.simulators.seed import describe_connections, seed_generated
from integration.simulators.seed_demo import seed_demo
from integration.simulators.store import Store

ROOT = "/sales/api/data/v9.2/"
TYPE = {"@odata.type": "Microsoft.Dynamics.CRM.account"}


class SalesClient:
    """``place``: which of the described connections signs in."""

    def __init__(self, store: Store, place: int = 0) -> None:
        self.store = store
        self._http = Client(application(store))
        self._sign_in = describe_connections(store)[place]
        self._token = ""

    def call(
        self, method: str, address: str, body: Any = None, **headers: str
    ) -> TestResponse:
        """``headers`` by name with ``_`` for ``-``; a body that is bytes goes raw."""
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        given.setdefault("Authorization", f"Bearer {self.token()}")
        address = address if "://" in address else ROOT + address
        return self._http.open(address, method=method, data=body, headers=given)

    def get(self, address: str, **headers: str) -> Any:
        answer = self.call("GET", address, **headers)
        assert answer.status_code == 200, answer.text
        return json.loads(answer.data)

    def create(self, **values: Any) -> str:
        """A new account's id."""
        answer = self.call("POST", "accounts", values, Prefer="return=representation")
        assert answer.status_code == 201, answer.text
        return str(json.loads(answer.data)["accountid"])

    def forget_token(self) -> None:
        self._token = ""

    def token(self) -> str:
        if not self._token:
            form = {
                "grant_type": "client_credentials",
                "client_id": self._sign_in["client_id"],
                "client_secret": self._sign_in["client_secret"],
                "scope": "http://localhost/sales/.default",
            }
            answer = self._http.post("/oauth2/v2.0/token", data=form)
            self._token = json.loads(answer.data)["access_token"]
        return self._token


def application(store: Store) -> Any:
    api, tokens = SalesApi(store), TokenEndpoint(store)

    @Request.application
    def answer(request: Request) -> Response:
        if request.path.endswith("/token"):
            return tokens.handle(request, store.setting("tenant"))
        return api.handle(request)

    return answer


def demo_client(place: int = 0) -> SalesClient:
    store = Store(None)
    seed_demo(store, 1)
    return SalesClient(store, place)


def empty_client() -> SalesClient:
    """Sales without an account, and an integration user who may do everything."""
    store = Store(None)
    seed_generated(store, 0, 1)
    return SalesClient(store)


def error_of(answer: TestResponse) -> tuple[int, str]:
    """Status and code of a refusal."""
    return answer.status_code, json.loads(answer.data)["error"]["code"]


def currency_id(client: SalesClient, code: str) -> str:
    found = client.get(f"transactioncurrencies?$filter=isocurrencycode eq '{code}'")
    return str(found["value"][0]["transactioncurrencyid"])
