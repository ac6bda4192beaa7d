import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from threading import Event

import httpx2
import pytest

from integration.connectors import transport as transports
from integration.connectors.calls import Call
from integration.connectors.errors import (
    ConnectionRefused,
    LostAnswer,
    Refused,
    Throttled,
    Transient,
)
from integration.connectors.refusals import problem_of
from integration.connectors.throttle import LocalThrottle
from integration.connectors.transport import (
    ANSWERED,
    BEFORE_WRITING,
    UNANSWERED,
    Transport,
    build_client,
)
from integration.core.records import System
from tests.connectors.wire import Reply, Wire, refusal, reply

READ = Call(System.SALES, "read", "GET", "https://org.example/x?y=1", repeatable=True)
WRITE = Call(System.SALES, "write", "POST", "https://org.example/x", content=b"{}")
DATE = "Sun, 22 Nov 2026 08:05:00 GMT"

Opened = Callable[..., tuple[Transport, Wire]]


@pytest.fixture
def opened() -> Iterator[Opened]:
    clients: list[httpx2.Client] = []

    def opening(
        *replies: Reply, concurrent: int = 5, requests: int = 100
    ) -> tuple[Transport, Wire]:
        wire = Wire(*replies)
        client = build_client(httpx2.MockTransport(wire))
        clients.append(client)
        monotonic = wire.clock.monotonic
        throttle = LocalThrottle(
            concurrent=concurrent, requests=requests, monotonic=monotonic
        )
        transport = Transport(
            client,
            problem_of,
            throttle=throttle,
            sleep=wire.clock.sleep,
            monotonic=monotonic,
        )
        return transport, wire

    yield opening
    for client in clients:
        client.close()


def test_an_answer_comes_back_with_its_time(opened: Opened) -> None:
    transport, wire = opened(reply({"a": 1}, Date=DATE), reply({}))

    answer = transport.send(READ)
    transport.send(READ)

    assert answer.json() == {"a": 1}
    assert transport.server_time == datetime(2026, 11, 22, 8, 5, tzinfo=UTC)
    assert wire.calls[0].headers["x-ms-client-request-id"]


@pytest.mark.parametrize(
    "trouble", [httpx2.ReadError("cut"), httpx2.Response(502), refusal(500, "x", "y")]
)
def test_a_read_is_sent_again_with_growing_waits(
    opened: Opened, trouble: Reply
) -> None:
    transport, wire = opened(trouble, trouble, reply({}))

    transport.send(READ)

    first, second = wire.slept
    assert 0.5 <= first <= 1.0 <= second <= 2.0


def test_a_read_is_given_up_after_three_tries(opened: Opened) -> None:
    transport, wire = opened(*[httpx2.Response(502)] * 3)

    with pytest.raises(Transient):
        transport.send(READ)

    assert len(wire.calls) == 3


@pytest.mark.parametrize("trouble", [httpx2.ReadError("cut"), httpx2.ReadTimeout("")])
def test_a_write_without_an_answer_is_never_sent_again(
    opened: Opened, trouble: Exception
) -> None:
    transport, wire = opened(trouble)

    with pytest.raises(LostAnswer):
        transport.send(WRITE)

    assert len(wire.calls) == 1


def test_a_write_that_failed_inside_is_not_sent_again(opened: Opened) -> None:
    transport, wire = opened(refusal(500, "0x80040216", "An unexpected error."))

    with pytest.raises(Transient):
        transport.send(WRITE)

    assert wire.slept == []


@pytest.mark.parametrize(
    "trouble",
    [
        httpx2.ConnectTimeout(""),
        httpx2.ConnectError("refused"),
        httpx2.Response(503),
        refusal(429, "0x80072322", "Too many"),
    ],
)
def test_a_write_that_was_not_begun_is_sent_again(
    opened: Opened, trouble: Reply
) -> None:
    transport, wire = opened(trouble, reply(status=204))

    assert transport.send(WRITE).status == 204
    assert sum(wire.slept) > 0.25


def test_a_short_wait_is_waited_as_asked(opened: Opened) -> None:
    transport, wire = opened(refusal(429, "", "", Retry_After="5"), reply({}))

    transport.send(WRITE)

    assert wire.slept == [5.0]


def test_a_long_wait_is_left_to_the_job(opened: Opened) -> None:
    transport, wire = opened(refusal(429, "", "", Retry_After="6"))

    with pytest.raises(Throttled) as caught:
        transport.send(READ)

    assert caught.value.retry_after_seconds == 6
    assert wire.slept == []


def test_nobody_else_goes_while_the_system_asked_to_wait(opened: Opened) -> None:
    transport, wire = opened(refusal(429, "", "", Retry_After="40"))
    with pytest.raises(Throttled):
        transport.send(READ)

    with pytest.raises(Throttled) as caught:
        transport.send(WRITE)

    assert caught.value.failure.code == "told-to-wait"
    assert caught.value.retry_after_seconds == 40
    assert len(wire.calls) == 1


def test_a_refusal_is_not_sent_again(opened: Opened) -> None:
    transport, wire = opened(refusal(400, "0x80044331", "too long"))

    with pytest.raises(Refused) as caught:
        transport.send(READ)

    assert caught.value.failure.code == "0x80044331"
    assert len(wire.calls) == 1


def test_a_redirect_is_not_followed(opened: Opened) -> None:
    transport, wire = opened(reply(status=302, Location="https://login.example/"))

    with pytest.raises(ConnectionRefused):
        transport.send(READ)

    assert len(wire.calls) == 1


@pytest.mark.parametrize(("call", "error"), [(READ, Refused), (WRITE, LostAnswer)])
def test_an_answer_without_end_is_not_swallowed(
    opened: Opened, call: Call, error: type[Exception]
) -> None:
    transport, _ = opened(httpx2.Response(200, content=b"x" * 100))
    transport.max_answer_bytes = 99

    with pytest.raises(error, match="larger than 99 bytes"):
        transport.send(call)


def test_waits_for_its_turn_and_gives_it_back(opened: Opened) -> None:
    transport, wire = opened(reply({}), concurrent=1)
    assert transport.throttle is not None
    throttle = transport.throttle
    throttle.acquire()

    def somebody_else_ends(seconds: float) -> None:
        wire.slept.append(seconds)
        throttle.release()

    transport.sleep = somebody_else_ends
    transport.send(READ)

    assert len(wire.slept) == 1
    assert throttle.acquire() == 0


def test_what_waited_for_its_turn_is_not_sent_once_its_run_has_ended(
    opened: Opened,
) -> None:
    """The thread of a call may outlive the run that was stopped."""
    transport, wire = opened(reply({}), concurrent=1)
    assert transport.throttle is not None
    throttle = transport.throttle
    throttle.acquire()

    def run_ends(_: float) -> None:
        transport.client.close()
        throttle.release()

    transport.sleep = run_ends
    with pytest.raises(RuntimeError, match="closed"):
        transport.send(WRITE)

    assert wire.calls == []


def test_waits_longer_for_whom_it_is_worth_it(opened: Opened) -> None:
    transport, wire = opened(reply({}), reply({}), requests=1)
    transport.send(READ)
    with pytest.raises(Throttled) as caught:
        transport.send(READ)
    assert caught.value.failure.code == "budget-spent"

    transport.patience_seconds = 300
    transport.send(READ)

    assert wire.slept == [300]


def test_does_not_wait_for_ever_while_others_are_busy(opened: Opened) -> None:
    transport, wire = opened(concurrent=1)
    assert transport.throttle is not None
    transport.throttle.acquire()

    with pytest.raises(Throttled):
        transport.send(READ)

    assert 25 < sum(wire.slept) < 31


def test_a_spent_budget_is_left_to_the_job(opened: Opened) -> None:
    transport, wire = opened(reply({}), requests=1)
    transport.send(READ)

    with pytest.raises(Throttled) as caught:
        transport.send(READ)

    assert caught.value.retry_after_seconds == 300
    assert len(wire.calls) == 1


def test_a_transport_may_go_without_a_budget(opened: Opened) -> None:
    transport, _ = opened(reply({}))
    transport.throttle = None

    assert transport.send(READ).status == 200


def test_a_log_line_names_the_call_and_nothing_private(
    opened: Opened, caplog: pytest.LogCaptureFixture
) -> None:
    transport, _ = opened(reply({}, Request_Id="r-1"), httpx2.ReadError("cut"))

    with caplog.at_level(logging.INFO, logger="integration.connectors"):
        transport.send(READ)
        with pytest.raises(LostAnswer):
            transport.send(WRITE)

    first, second = caplog.records
    line = vars(first)
    assert (first.message, line["method"], line["host"]) == (
        "remote_call",
        "GET",
        "org.example",
    )
    assert (line["path"], line["status"], line["request_id"]) == ("/x", 200, "r-1")
    assert vars(second)["status"] == 0


def test_cookies_are_dropped_so_that_servers_share_the_load(opened: Opened) -> None:
    transport, wire = opened(reply({}, Set_Cookie="ARRAffinity=1"), reply({}))

    transport.send(READ)
    transport.send(READ)

    assert "cookie" not in wire.calls[1].headers


@pytest.mark.parametrize(("call", "tries"), [(READ, 3), (WRITE, 1)])
def test_who_asks_for_it_is_told_of_a_call_without_answer_and_its_end(
    opened: Opened, monkeypatch: pytest.MonkeyPatch, call: Call, tries: int
) -> None:
    monkeypatch.setattr(transports, "UNANSWERED_SECONDS", 0.01)
    told: list[tuple[str, float]] = []
    heard = Event()

    def tell(silent: Call, seconds: float) -> None:
        told.append((silent.operation, seconds))
        heard.set()

    def late(request: httpx2.Request) -> httpx2.Response:
        assert heard.wait(10)
        return reply({})

    transport, _ = opened(late, reply({}))
    before = UNANSWERED.set(tell)
    transport.send(call)
    transport.send(call)
    UNANSWERED.reset(before)

    [(operation, seconds)] = told
    assert operation == call.operation
    assert tries * 120 < seconds < tries * 140


def test_nobody_is_told_who_does_not_ask(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transports, "Timer", None)
    transport, _ = opened(reply({}))

    assert transport.send(READ).is_success


def test_what_must_not_be_written_any_more_is_not_sent(opened: Opened) -> None:
    def refuse() -> None:
        raise RuntimeError("lost")

    transport, wire = opened(reply({"read": 1}), reply({"written": 1}))
    before = BEFORE_WRITING.set(refuse)
    try:
        read = transport.send(READ).json()
        with pytest.raises(RuntimeError, match="lost"):
            transport.send(WRITE)
    finally:
        BEFORE_WRITING.reset(before)

    assert read == {"read": 1}
    assert transport.send(WRITE).json() == {"written": 1}
    assert len(wire.calls) == 2


def test_who_asks_is_told_of_an_answer_and_of_no_refusal(opened: Opened) -> None:
    told: list[str] = []
    transport, _ = opened(refusal(403, "x", "no"), reply({"written": 1}))
    before = ANSWERED.set(lambda: told.append("yes"))
    try:
        with pytest.raises(Refused):
            transport.send(WRITE)
        assert told == []
        transport.send(WRITE)
    finally:
        ANSWERED.reset(before)

    assert told == ["yes"]
