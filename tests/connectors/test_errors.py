import inspect
import socket
import ssl

import httpx2
import pytest

from integration.connectors.calls import Call
from integration.connectors.errors import (
    ConnectionRefused,
    CursorExpired,
    LostAnswer,
    NotFound,
    Refused,
    RemoteError,
    Stale,
    Throttled,
    Transient,
    remote_error,
    translated,
)
from integration.core.failures import Failure, FailureKind
from integration.core.records import System

READ = Call(System.SALES, "read", "GET", "https://org.example/api", repeatable=True)
WRITE = Call(System.SALES, "write", "POST", "https://org.example/api")
REQUEST = httpx2.Request("GET", READ.url)

CLASSES = {
    FailureKind.CONNECTION: ConnectionRefused,
    FailureKind.THROTTLED: Throttled,
    FailureKind.TRANSIENT: Transient,
    FailureKind.LOST_ANSWER: LostAnswer,
    FailureKind.STALE: Stale,
    FailureKind.NOT_FOUND: NotFound,
    FailureKind.EXPIRED_CURSOR: CursorExpired,
    FailureKind.EXISTS: Refused,
    FailureKind.REFUSED: Refused,
}


def all_of_httpx2() -> list[type[Exception]]:
    return [
        value
        for value in vars(httpx2).values()
        if inspect.isclass(value) and issubclass(value, Exception)
    ]


def made(cls: type[Exception]) -> Exception:
    if cls is httpx2.HTTPStatusError:
        return cls("text", request=REQUEST, response=httpx2.Response(500))
    parameters = inspect.signature(cls).parameters
    return cls("text") if parameters else cls()


def translation(error: Exception, call: Call) -> RemoteError:
    with pytest.raises(RemoteError) as caught, translated(call):
        raise error
    return caught.value


@pytest.mark.parametrize("cls", all_of_httpx2(), ids=lambda cls: cls.__name__)
def test_every_exception_of_httpx2_is_translated_with_its_cause(
    cls: type[Exception],
) -> None:
    cause = made(cls)

    error = translation(cause, READ)

    assert error.__cause__ is cause
    assert error.failure.code.startswith("net-")


@pytest.mark.parametrize("kind", FailureKind)
def test_each_kind_has_its_exception(kind: FailureKind) -> None:
    error = remote_error(Failure(System.SALES, kind, "code", "words"))

    assert type(error) is CLASSES[kind]
    assert str(error) == "code: words"


@pytest.mark.parametrize(
    ("cause", "code"),
    [
        (socket.gaierror(-2, "Name or service not known"), "net-dns"),
        (ssl.SSLCertVerificationError("certificate verify failed"), "net-tls"),
        (ConnectionRefusedError("refused"), "net-connection-refused"),
    ],
)
def test_a_connection_that_fails_says_why(cause: Exception, code: str) -> None:
    error = httpx2.ConnectError("no")
    error.__cause__ = cause

    found = translation(error, WRITE)

    assert isinstance(found, ConnectionRefused)
    assert found.failure.code == code
    assert "org.example" in found.failure.message


def test_a_write_cut_in_the_middle_is_a_lost_answer() -> None:
    error = translation(httpx2.ReadTimeout("slow"), WRITE)

    assert isinstance(error, LostAnswer)
    assert not error.nothing_done


def test_a_read_cut_in_the_middle_may_be_tried_again() -> None:
    error = translation(httpx2.RemoteProtocolError("cut"), READ)

    assert isinstance(error, Transient)


def test_a_system_that_was_not_reached_did_nothing() -> None:
    error = translation(httpx2.ConnectTimeout(""), WRITE)

    assert error.nothing_done
    assert error.concerns_everybody
    assert error.failure.message == "Connection to org.example timed out"


@pytest.mark.parametrize(
    ("kind", "nothing_done", "everybody"),
    [
        (FailureKind.CONNECTION, True, True),
        (FailureKind.THROTTLED, True, True),
        (FailureKind.REFUSED, True, False),
        (FailureKind.TRANSIENT, False, False),
        (FailureKind.LOST_ANSWER, False, False),
    ],
)
def test_what_a_failure_says_about_the_next_request(
    kind: FailureKind, nothing_done: bool, everybody: bool
) -> None:
    error = remote_error(Failure(System.SALES, kind, "code", "words", status=500))

    assert error.nothing_done is nothing_done
    assert error.concerns_everybody is everybody


def test_throttled_says_how_long_to_wait() -> None:
    failure = Failure(
        System.SALES, FailureKind.THROTTLED, "c", "m", retry_after_seconds=7
    )

    assert Throttled(failure).retry_after_seconds == 7
