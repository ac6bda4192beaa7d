"""A scripted remote system behind a mock transport, and connectors that talk to it."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx2

from integration.connectors.business_central import BusinessCentral
from integration.connectors.sales import Sales
from integration.connectors.session import Wiring
from integration.connectors.sign_in import ClientSecret
from integration.connectors.throttle import Throttle

COMPANY = "11111111-2222-3333-4444-555555555555"
SECRET = "wire-secret-value"
BASE = "https://remote.example"

Reply = httpx2.Response | Exception | Callable[[httpx2.Request], httpx2.Response]


def guid(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


def reply(body: Any = None, status: int = 200, **headers: str) -> httpx2.Response:
    """A JSON answer; header names are written with underscores."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx2.Response(status, json=body, headers=named)


def refusal(status: int, code: str, message: str, **headers: str) -> httpx2.Response:
    return reply({"error": {"code": code, "message": message}}, status, **headers)


class Seconds:
    """A clock that only moves when somebody waits."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def monotonic(self) -> float:
        return self.now


class Wire:
    """Answers sign-ins by itself and other calls with ``replies`` in turn."""

    def __init__(self, *replies: Reply) -> None:
        self.replies = list(replies)
        self.calls: list[httpx2.Request] = []
        self.sign_ins: list[httpx2.Request] = []
        self.bearers: list[str] = []
        self.clock = Seconds()
        self.slept = self.clock.slept

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.path.endswith("/oauth2/v2.0/token"):
            self.sign_ins.append(request)
            number = len(self.sign_ins)
            return reply({"access_token": f"token-{number}", "expires_in": 3599})
        self.calls.append(request)
        self.bearers.append(request.headers.get("authorization", ""))
        answer = self.replies.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer(request) if callable(answer) else answer

    @property
    def wiring(self) -> Wiring:
        transport = httpx2.MockTransport(self)
        return Wiring(
            transport=transport, sleep=self.clock.sleep, monotonic=self.clock.monotonic
        )

    def bc(self) -> BusinessCentral:
        return BusinessCentral(
            base_url=BASE,
            tenant="contoso",
            environment="Production",
            company_id=COMPANY,
            sign_in=ClientSecret("client", SECRET),
            wiring=self.wiring,
        )

    def sales(self, throttle: Throttle | None = None, **options: Any) -> Sales:
        return Sales(
            base_url=BASE,
            tenant="contoso",
            sign_in=ClientSecret("client", SECRET),
            wiring=replace(self.wiring, throttle=throttle),
            **options,
        )

    def sent_json(self, place: int = -1) -> Any:
        return json.loads(self.calls[place].content)
