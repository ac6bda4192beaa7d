import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
import time_machine

from integration.connectors.auth import (
    InProcessTokenCache,
    Token,
    TokenSource,
    sign_in_problem,
    token_url,
)
from integration.connectors.errors import (
    ConnectionRefused,
    RemoteError,
    Throttled,
    Transient,
)
from integration.connectors.sign_in import Certificate, ClientSecret, SignIn
from integration.connectors.transport import Transport, build_client
from integration.core.records import System
from tests.connectors.wire import Reply, Wire, refusal, reply

NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)
URL = token_url("http://127.0.0.1:8100/", "contoso")


class Endpoint:
    """A scripted token endpoint; it ends with the same answer for ever."""

    def __init__(self, *replies: Reply) -> None:
        self.replies = list(replies)
        self.calls: list[httpx2.Request] = []
        self.slept: list[float] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.calls.append(request)
        answer = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if isinstance(answer, Exception):
            raise answer
        return answer(request) if callable(answer) else answer

    def source(
        self,
        sign_in: SignIn | None = None,
        cache: InProcessTokenCache | None = None,
    ) -> TokenSource:
        client = build_client(httpx2.MockTransport(self))
        return TokenSource(
            System.SALES,
            Transport(client, sign_in_problem, sleep=self.slept.append),
            URL,
            "https://org.example/.default",
            sign_in or ClientSecret("client", "hush"),
            cache or InProcessTokenCache(),
        )


def granted(value: str = "t", life: Any = 3600) -> Callable[..., httpx2.Response]:
    return lambda _: reply({"access_token": value, "expires_in": life})


def denied(
    error: str, codes: list[int], text: str = "", status: int = 400
) -> httpx2.Response:
    body = {
        "error": error,
        "error_codes": codes,
        "error_description": text,
        "trace_id": "trace-1",
    }
    return reply(body, status)


def failure_of(endpoint: Endpoint) -> RemoteError:
    with pytest.raises(RemoteError) as caught:
        endpoint.source().token()
    return caught.value


def test_the_authority_may_be_a_simulator() -> None:
    assert URL == "http://127.0.0.1:8100/contoso/oauth2/v2.0/token"


def test_a_token_is_asked_for_once() -> None:
    endpoint = Endpoint(granted())
    source = endpoint.source()

    assert {source.token() for _ in range(3)} == {"t"}
    assert len(endpoint.calls) == 1
    body = endpoint.calls[0].content.decode()
    assert "client_secret=hush" in body
    assert "scope=https%3A%2F%2Forg.example%2F.default" in body


@pytest.mark.parametrize(
    ("life", "seconds"), [(3600, 2880), (1000, 700), (600, 480), ("60", 48)]
)
def test_a_token_is_renewed_before_its_end(life: Any, seconds: float) -> None:
    token = Token.from_answer({"access_token": "t", "expires_in": life}, NOW)

    assert token.renew_at == NOW + timedelta(seconds=seconds)
    assert "'t'" not in repr(token)


def test_a_token_near_its_end_is_replaced() -> None:
    endpoint = Endpoint(granted("one"), granted("two"))
    source = endpoint.source()
    with time_machine.travel(NOW, tick=False) as traveller:
        assert source.token() == "one"
        traveller.shift(2879)
        assert source.token() == "one"
        traveller.shift(1)
        assert source.token() == "two"


def test_a_rejected_token_is_not_given_again() -> None:
    endpoint = Endpoint(granted("one"), granted("two"))
    source = endpoint.source()

    assert source.token() == "one"
    assert source.token(rejected="one") == "two"
    assert source.token(rejected="one") == "two"
    assert len(endpoint.calls) == 2


def test_a_new_secret_does_not_find_the_token_of_the_old_one() -> None:
    endpoint = Endpoint(granted("one"), granted("two"))
    cache = InProcessTokenCache()

    old = endpoint.source(ClientSecret("client", "old"), cache).token()
    new = endpoint.source(ClientSecret("client", "new"), cache).token()

    assert (old, new) == ("one", "two")


def test_one_thread_renews_for_all() -> None:
    entered = threading.Barrier(4)
    endpoint = Endpoint(granted())
    source = endpoint.source()

    def ask() -> None:
        entered.wait(5)
        source.token()

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)

    assert len(endpoint.calls) == 1


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (denied("invalid_grant", [50055], "AADSTS50055: expired."), "AADSTS50055"),
        (denied("invalid_client", [7000215], status=401), "AADSTS7000215"),
        (denied("invalid_grant", [], "AADSTS50126: wrong."), "AADSTS50126"),
        (denied("invalid_request", [], "no number"), "invalid_request"),
        (reply({"error": "odd"}, 400), "odd"),
        (reply([], 400), "http-400"),
        (reply({"token_type": "Bearer"}), "token-missing"),
        (reply({"access_token": "t", "expires_in": "soon"}), "token-missing"),
        (httpx2.Response(200, content=b"not json"), "token-missing"),
        (httpx2.Response(404, content=b"no page"), "net-wrong-address"),
        (httpx2.Response(200, content=b"<html>"), "net-html-instead-of-json"),
    ],
)
def test_a_refused_sign_in_is_one_clear_code(answer: Reply, code: str) -> None:
    error = failure_of(Endpoint(answer))

    assert error.failure.code == code
    assert isinstance(error, ConnectionRefused | RemoteError)
    assert "hush" not in f"{error} {error.failure}"


def test_the_trace_is_kept_apart_from_the_message() -> None:
    text = "AADSTS50055: The password is expired.\r\nTrace ID: x\r\nTimestamp: y"

    failure = failure_of(Endpoint(denied("invalid_grant", [50055], text))).failure

    assert failure.message == "AADSTS50055: The password is expired."
    assert failure.request_id == "trace-1"


def test_a_refused_sign_in_is_not_tried_again() -> None:
    endpoint = Endpoint(denied("invalid_grant", [50126]), granted())
    source = endpoint.source()

    for _ in range(2):
        with pytest.raises(ConnectionRefused):
            source.token()

    assert len(endpoint.calls) == 1


def test_an_endpoint_that_was_not_reached_may_be_asked_again() -> None:
    endpoint = Endpoint(*[httpx2.ConnectError("down")] * 3, granted())
    source = endpoint.source()
    with pytest.raises(ConnectionRefused):
        source.token()

    assert source.token() == "t"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (denied("temporarily_unavailable", [90033], status=503), Transient),
        (denied("invalid_grant", [90033]), Transient),
        (denied("invalid_grant", [50196]), Throttled),
        (denied("server_error", [], status=500), Transient),
    ],
)
def test_what_passes_by_itself_is_tried_three_times(
    answer: httpx2.Response, error: type[RemoteError]
) -> None:
    endpoint = Endpoint(answer)

    assert isinstance(failure_of(endpoint), error)
    assert len(endpoint.calls) == 3


def test_an_unreadable_certificate_is_said_before_any_call() -> None:
    endpoint = Endpoint(granted())
    source = endpoint.source(Certificate("client", "no key", "no certificate"))

    with pytest.raises(ConnectionRefused) as caught:
        source.token()

    assert caught.value.failure.code == "certificate-unreadable"
    assert endpoint.calls == []


def test_the_first_401_renews_the_token_and_sends_again() -> None:
    wire = Wire(reply(status=401), reply({"UserId": "x"}))
    bc = wire.bc()

    assert bc.ledger_setup() == {"UserId": "x"}
    assert wire.bearers == ["Bearer token-1", "Bearer token-2"]


def test_a_second_401_refuses_the_connection() -> None:
    message = "The server has rejected the client credentials."
    unauthorized = refusal(401, "Authentication_InvalidCredentials", message)
    wire = Wire(unauthorized, unauthorized)

    with pytest.raises(ConnectionRefused) as caught:
        wire.bc().identity()

    assert caught.value.failure.code == "Authentication_InvalidCredentials"
    assert len(wire.calls) == 2
