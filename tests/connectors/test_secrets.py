"""Whatever a server says back to us, nobody reads our secrets in it."""

import html
import json
import logging
import traceback
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from functools import partial
from itertools import accumulate
from typing import Any
from urllib.parse import parse_qs, quote, quote_plus

import httpx2
import pytest

from integration.connectors.base import Connector
from integration.connectors.business_central import BusinessCentral
from integration.connectors.errors import RemoteError
from integration.connectors.sales import Sales
from integration.connectors.secrets import REMOVED, Secrets
from integration.connectors.session import Wiring
from integration.connectors.sign_in import ClientSecret, SignIn, UserAccount
from tests.connectors.wire import BASE, COMPANY, reply

SECRET = "Zz8Q~marked.Secret_0123-456"
PASSWORD = "p ä&ss\"wörd\\9'<x>+😀"
OPAQUE = "opaque-token-ABCDEF0123456789abcdef"
JWT = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJtZSJ9.c2lnbmF0dXJl"

Handler = Callable[[httpx2.Request], httpx2.Response]


def escaped(value: str) -> str:
    return json.dumps(value)[1:-1]


@pytest.mark.parametrize("value", [SECRET, PASSWORD, JWT, "???>>>~~~ÿÿÿ"])
@pytest.mark.parametrize("before", ["", "a", "ab", "client:"])
@pytest.mark.parametrize("after", ["", ":", "&more=1"])
@pytest.mark.parametrize("encode", [b64encode, urlsafe_b64encode])
def test_no_part_of_a_value_is_left_in_base64(
    value: str, before: str, after: str, encode: Callable[[bytes], bytes]
) -> None:
    whole = encode(f"{before}{value}{after}".encode()).decode()

    assert Secrets(value).removed_from(f'Basic "{whole}"!') in {
        f'Basic "{kept}{REMOVED}"!' for kept in ("", *accumulate(whole[:9]))
    }


def test_a_value_in_hexadecimal_digits_is_removed() -> None:
    digits = SECRET.encode().hex()

    cleaned = Secrets(SECRET).removed_from(f"x {digits} y {digits.upper()} z")

    assert cleaned == f"x {REMOVED} y {REMOVED} z"


@pytest.mark.parametrize(
    "value", [SECRET, PASSWORD, "a\\\\\"b'c&d", "~a\\äbcd\\", "x" * 3000]
)
@pytest.mark.parametrize(
    "spelled",
    [
        str,
        quote,
        quote_plus,
        lambda value: quote(quote(value)),
        escaped,
        lambda value: escaped(escaped(value)),
        lambda value: json.dumps(value, ensure_ascii=False)[1:-1],
        lambda value: repr(value)[1:-1],
        lambda value: repr(value.encode())[2:-1],
        lambda value: escaped(repr(value)[1:-1]),
        html.escape,
        lambda value: html.escape(html.escape(value)),
        lambda value: value.replace('"', "&quot;"),
        str.lower,
        lambda value: " ".join(value.split()),
    ],
)
def test_a_value_is_removed_in_every_spelling(
    value: str, spelled: Callable[[str], str]
) -> None:
    text = f"<<{spelled(value)}>>"

    assert Secrets(value).removed_from(text) == f"<<{REMOVED}>>"


def test_a_short_value_and_other_words_stay() -> None:
    text = "the secret of abc is wrong"

    assert Secrets("abc", "", " " * 9, SECRET).removed_from(text) == text


def test_tokens_are_learned_and_old_ones_forgotten() -> None:
    secrets = Secrets()
    for number in range(100):
        secrets.learn(f"token-of-{number:03d}")

    assert secrets.removed_from("token-of-099") == REMOVED
    assert secrets.removed_from("token-of-000") == "token-of-000"


ECHOES: dict[str, Callable[[str, dict[str, Any]], Any]] = {
    "sentence": lambda s, _: error(f"AADSTS7000215: Invalid client secret: '{s}'."),
    "lists": lambda _, form: error("x", received=form),
    "json in a string": lambda _, form: error(json.dumps(form)),
    "repr": lambda _, form: error(repr(form)),
    "the code": lambda s, _: json.dumps({"error": s}),
    "a number of a code": lambda s, _: error("x", error_codes=[s]),
    "the trace": lambda s, _: error("x", trace_id=s),
    "html": lambda _, form: f"<html>{html.escape(repr(form))}</html>",
    "xml": lambda s, _: f"<e><client_secret>{html.escape(s)}</client_secret></e>",
    "far down a page": lambda s, _: f"<html>{'x' * 150}{s}</html>",
}


def error(words: str, **more: Any) -> str:
    return json.dumps({"error": "invalid_client", "error_description": words, **more})


@pytest.mark.parametrize("name", ECHOES)
@pytest.mark.parametrize(
    ("sign_in", "own"),
    [
        (ClientSecret("client", SECRET), SECRET),
        (UserAccount("client", "user@x", PASSWORD), PASSWORD),
    ],
)
def test_a_sign_in_that_is_echoed_stays_secret(
    name: str, sign_in: SignIn, own: str
) -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        form = parse_qs(request.content.decode())
        return httpx2.Response(401, text=ECHOES[name](own, form))

    assert_untold(own, told(business_central(answer, sign_in).ledger_setup))


ANSWERS: dict[str, Callable[[str], httpx2.Response]] = {
    "message": lambda t: refusal(401, message=f"token {t} is no good"),
    "code": lambda t: refusal(400, code=t),
    "property": lambda t: refusal(400, message=f"property named '{t}'"),
    "list": lambda t: reply({"auth": ["Bearer", t]}, 400),
    "header": lambda t: refusal(400, X_Debug=t),
    "request id": lambda t: refusal(400, Request_Id=t),
    "www-authenticate": lambda t: refusal(401, WWW_Authenticate=f'Bearer t="{t}"'),
    "location": lambda t: reply("", 302, Location=f"https://evil.example/?t={t}"),
    "link": lambda t: reply({"value": [], "@odata.nextLink": f"https://evil/?t={t}"}),
    "page": lambda t: httpx2.Response(400, text=f"<html>{'x' * 180}{t}"),
    "words": lambda t: httpx2.Response(400, text=f"{'x' * 480}{t}"),
    "number": lambda t: httpx2.Response(200, text=f'{{"value": {t}}}'),
}


def refusal(
    status: int, code: str = "x", message: str = "h", **headers: str
) -> httpx2.Response:
    return reply({"error": {"code": code, "message": message}}, status, **headers)


@pytest.mark.parametrize("name", ANSWERS)
@pytest.mark.parametrize("token", [OPAQUE, JWT])
def test_a_token_that_is_echoed_stays_secret(
    name: str, token: str, caplog: pytest.LogCaptureFixture
) -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        if request.url.path.endswith("/token"):
            return reply({"access_token": token, "expires_in": 3600})
        return ANSWERS[name](token)

    bc = business_central(answer, ClientSecret("client", SECRET))
    sales = Sales(
        base_url=BASE,
        tenant="contoso",
        sign_in=ClientSecret("client", SECRET),
        wiring=wiring(answer),
    )
    with caplog.at_level(logging.INFO, logger="integration.connectors"):
        for system in (bc, sales):
            assert_untold(token, told(partial(read_things, system)))

    assert_untold(token, repr([vars(record) for record in caplog.records]))


def test_a_life_that_is_no_number_is_not_told() -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        return reply({"access_token": "x", "expires_in": SECRET})

    bc = business_central(answer, ClientSecret("client", SECRET))

    assert_untold(SECRET, told(bc.ledger_setup))


TOLD_OF_MANY = ("message", "code", "words", "page")


@pytest.mark.parametrize("name", TOLD_OF_MANY)
@pytest.mark.parametrize("shift", range(0, 3_000, 250))
def test_the_half_of_a_token_where_reading_ended_stays_secret(
    name: str, shift: int
) -> None:
    """What is removed before it makes the text so short that its end is told."""
    token = "~Half-of-this." * 200

    def answer(request: httpx2.Request) -> httpx2.Response:
        if request.url.path.endswith("/token"):
            return reply({"access_token": token, "expires_in": 3600})
        return ANSWERS[name]("x" * shift + f" {token}" * 150)

    bc = business_central(answer, ClientSecret("client", SECRET))

    assert "Half-of-this.~Half" not in told(partial(read_things, bc))


@pytest.mark.parametrize("name", ["sentence", "the code", "the trace"])
def test_a_refused_sign_in_without_end_is_read_no_further(name: str) -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(401, text=ECHOES[name](f"{SECRET} " * 20_000, {}))

    text = told(business_central(answer, ClientSecret("client", SECRET)).ledger_setup)

    assert_untold(SECRET, text)
    assert len(text) < 100_000


def test_a_token_in_an_answer_that_cannot_be_used_is_not_told() -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        return reply({"access_token": OPAQUE, "expires_in": OPAQUE, "x": [OPAQUE]})

    bc = business_central(answer, ClientSecret("client", SECRET))

    assert_untold(OPAQUE, told(bc.ledger_setup))


def test_what_the_library_says_of_a_broken_answer_is_not_told() -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.RemoteProtocolError(f"illegal header line: {SECRET.encode()!r}")

    bc = business_central(answer, ClientSecret("client", SECRET))

    assert_untold(SECRET, told(bc.ledger_setup))


def read_things(system: Connector) -> None:
    list(system.read_all("things", ("a",)))


def wiring(answer: Handler) -> Wiring:
    return Wiring(transport=httpx2.MockTransport(answer), sleep=lambda _: None)


def business_central(answer: Handler, sign_in: SignIn) -> BusinessCentral:
    return BusinessCentral(
        base_url=BASE,
        tenant="contoso",
        environment="Production",
        company_id=COMPANY,
        sign_in=sign_in,
        wiring=wiring(answer),
    )


def told(act: Callable[[], object]) -> str:
    """All that is told of a failure, also to those who read the log."""
    with pytest.raises(RemoteError) as caught:
        act()
    failure = caught.value.failure
    shown = (failure.code, failure.message, failure.request_id, failure.field)
    whole = (*shown, failure.request, failure.response)
    return "\n".join((*whole, *traceback.format_exception(caught.value)))


def assert_untold(value: str, text: str) -> None:
    """Not even the half of it."""
    half = value[: len(value) // 2]
    for spelled in (half, quote(half), quote_plus(half), escaped(half), repr(half)):
        assert spelled.strip("'").lower() not in text.lower()
