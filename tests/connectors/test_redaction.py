import json
from secrets import token_urlsafe

import pytest

from integration.connectors.redaction import EXCERPT_BYTES, excerpt, redacted
from integration.connectors.secrets import REMOVED, Secrets

JWT = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJtZSJ9.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    "text",
    [
        '{"access_token": "top\\"secret", "expires_in": 5}',
        '{"client_secret":"topsecret and cut',
        "client_id=me&client_secret=topsecret&scope=x",
        "password=topsecret",
        "https://host/path?sig=topsecret",
        "Authorization: Bearer topsecret-1234",
    ],
)
def test_secrets_are_removed(text: str) -> None:
    clean = redacted(text)

    assert "secret" not in clean.replace("client_secret", "")
    assert REMOVED in clean


def test_a_name_is_found_in_any_case_also_in_one_beyond_ascii() -> None:
    for name in ("sig", "SIG", "\u017fig", "s\u0131g"):
        assert redacted(f"?{name}=hidden&é") == f"?{name}={REMOVED}&é"


def test_a_token_is_removed_wherever_it_stands() -> None:
    assert JWT not in redacted(f"the value {JWT} was refused")


@pytest.mark.parametrize(
    "text", ['{"code":"Internal_ServerError"}', "$select=name", "/oauth2/v2.0/token"]
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redacted(text) == text


def test_headers_that_sign_in_show_only_their_name() -> None:
    text = excerpt("GET /x", {"Authorization": "Basic abc", "Accept": "text"}, b"")

    assert text == f"GET /x\nAuthorization: {REMOVED}\nAccept: text\n\n"


def test_an_excerpt_is_bounded_in_bytes_and_says_so() -> None:
    text = excerpt("POST /x", {}, "é" * EXCERPT_BYTES)

    assert len(text.encode()) <= EXCERPT_BYTES
    assert text.endswith("[cut]")


def test_text_that_is_no_utf8_is_still_shown() -> None:
    assert "�" in excerpt("POST /x", {}, b"\xff\xfe")


def test_a_token_that_the_reading_cuts_is_not_left_half() -> None:
    token = token_urlsafe(597)
    own = Secrets()
    own.learn(token)

    text = excerpt("GET /x", {}, token * 200, own)

    assert token[:40] not in text
    assert len(text) < EXCERPT_BYTES


def test_a_secret_in_json_within_json_is_removed() -> None:
    inner = json.dumps({"password": "hunter2hunter2", "b": 1})

    for nested in (json.dumps({"m": inner}), json.dumps([json.dumps({"m": inner})])):
        assert "hunter2" not in redacted(nested)
