"""Both connectors against the simulators over WSGI; what was sent is counted."""

from typing import Any

import httpx2

from integration.connectors.business_central import BusinessCentral
from integration.connectors.sales import Sales
from integration.connectors.session import Wiring
from integration.connectors.sign_in import ClientSecret, SignIn, UserAccount
from integration.simulators.app import AnswerLostError, Simulators
from integration.simulators.faults import Faults
from integration.simulators.seed import describe_connections, seed_generated
from integration.simulators.store import Store
from tests.connectors.wire import Seconds

BASE = "http://127.0.0.1:8100"


class Simulated(httpx2.BaseTransport):
    """A store, or one with ``records`` customers, and connectors that talk to it."""

    def __init__(self, records: int = 0, store: Store | None = None) -> None:
        self.store = store or Store(None)
        if store is None:
            seed_generated(self.store, records, 1)
        self.faults = Faults.of(self.store)
        self.sent: list[tuple[str, str]] = []
        self.clock = Seconds()
        self.slept = self.clock.slept
        self._wsgi = httpx2.WSGITransport(Simulators(self.store).wsgi)
        (self._first, *_) = describe_connections(self.store)

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        if "/oauth2/" not in request.url.path:
            self.sent.append((request.method, request.url.path))
        try:
            return self._wsgi.handle_request(request)
        except AnswerLostError as error:
            raise httpx2.RemoteProtocolError(str(error)) from error

    @property
    def writes(self) -> int:
        return sum(method != "GET" for method, _ in self.sent)

    @property
    def sign_in(self) -> SignIn:
        return ClientSecret(self._first["client_id"], self._first["client_secret"])

    def user_account(self, **options: Any) -> UserAccount:
        user = {**self.store.setting("seed.user"), **options}
        return UserAccount(self._first["client_id"], user["user"], user["password"])

    def bc(self, **options: Any) -> BusinessCentral:
        given: dict[str, Any] = {
            "base_url": f"{BASE}/bc",
            "authority": BASE,
            "tenant": self.store.setting("tenant"),
            "environment": self.store.setting("environment", "production"),
            "company_id": self._first["company_id"],
            "sign_in": self.sign_in,
            "wiring": self._wiring(),
        }
        return BusinessCentral(**{**given, **options})

    def sales(self, **options: Any) -> Sales:
        given: dict[str, Any] = {
            "base_url": f"{BASE}/sales",
            "authority": BASE,
            "tenant": self.store.setting("tenant"),
            "sign_in": self.sign_in,
            "wiring": self._wiring(),
        }
        return Sales(**{**given, **options})

    def _wiring(self) -> Wiring:
        return Wiring(
            transport=self, sleep=self.clock.sleep, monotonic=self.clock.monotonic
        )
