"""What a person may be shown of a request and its answer: no secret, at most 16 kB."""

import re
from collections.abc import Mapping

from integration.connectors.secrets import NO_SECRETS, REMOVED, Secrets

EXCERPT_BYTES = 16_000

_LONGEST_SECRET = 8_000
"""Characters, escaped more than once; a token has up to some 3,000."""
_SECRET_HEADERS = frozenset(
    {"authorization", "proxy-authorization", "cookie", "set-cookie"}
)
_HIDDEN = (
    *("access_token", "refresh_token", "id_token", "client_secret"),
    *(
        "client_assertion",
        "assertion",
        "password",
        "passwd",
        "secret",
        "api_key",
        "sig",
    ),
)
_NAMES = "|".join(_HIDDEN)
# The closing quote is not asked for: an excerpt may end inside a secret. JSON within
# JSON has backslashes before its quotes, and is removed to the end of what holds it.
_JSON_SECRET = re.compile(
    rf'((?<!\\)\\*+"(?:{_NAMES})\\*+"\s*:\s*\\*+")((?:[^"\\]|\\.)*)', re.I
)
_FORM_SECRET = re.compile(rf"(?<![\w$])((?:{_NAMES})=)([^&\s]*)", re.I)
_BEARER = re.compile(r"(\bBearer\s+)[\w.~+/=-]{8,}", re.I)
# From the beginning of a run of its signs, which is gone through only once.
_JWT = re.compile(r"(?<![\w-])((?:(?!\beyJ)[\w-])*+)eyJ[\w-]{8,}+\.[\w-]*\.?[\w-]*")
_LIKE_SECRETS = (
    (_HIDDEN, _JSON_SECRET),
    (_HIDDEN, _FORM_SECRET),
    (("bearer",), _BEARER),
    (("eyj",), _JWT),
)
"""Each with the words of which what it finds holds one, in any case."""


def redacted(text: str, secrets: Secrets = NO_SECRETS) -> str:
    """``text`` without what could be used to sign in: ``secrets``, and their like."""
    text = secrets.removed_from(text)
    for words, pattern in _LIKE_SECRETS:
        if _may_hold(text, words):
            text = pattern.sub(rf"\1{REMOVED}", text)
    return text


def _may_hold(text: str, words: tuple[str, ...]) -> bool:
    """Words are found in no time, patterns tried at each sign; most texts have neither.

    Some signs beyond ASCII are another case of a letter in it, for patterns only.
    """
    if not text.isascii():
        return True
    small = text.lower()
    return any(word in small for word in words)


def beginning(text: str, characters: int, secrets: Secrets = NO_SECRETS) -> str:
    """So much of a text, redacted; more is read, because redaction shortens secrets."""
    start = text[: 2 * characters + _LONGEST_SECRET]
    told = redacted(start, secrets)
    # What was cut may end within a secret, which is none to look at any more.
    whole = told if len(start) == len(text) else told[:-_LONGEST_SECRET]
    return whole[:characters]


def excerpt(
    first_line: str,
    headers: Mapping[str, str],
    body: bytes | str,
    secrets: Secrets = NO_SECRETS,
) -> str:
    """First line, headers and the beginning of the body, redacted and bounded."""
    lines = [redacted(first_line, secrets)]
    for name, value in headers.items():
        hidden = name.lower() in _SECRET_HEADERS
        lines.append(redacted(f"{name}: {REMOVED if hidden else value}", secrets))
    text = "\n".join(lines) + "\n\n" + _beginning(body, secrets)
    return _bounded(text)


def _beginning(body: bytes | str, secrets: Secrets) -> str:
    """Redacted. Four times the bound is read, because redaction shortens secrets."""
    start = body[: 4 * EXCERPT_BYTES]
    text = start if isinstance(start, str) else start.decode("utf-8", "replace")
    text = redacted(text, secrets)
    # As in ``beginning``.
    return text if len(start) == len(body) else text[:-_LONGEST_SECRET]


def _bounded(text: str) -> str:
    raw = text.encode("utf-8", "replace")
    if len(raw) <= EXCERPT_BYTES:
        return raw.decode("utf-8")
    mark = "\n[cut]"
    return raw[: EXCERPT_BYTES - len(mark)].decode("utf-8", "ignore") + mark
