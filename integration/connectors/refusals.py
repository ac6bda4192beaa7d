"""Reads a refusal of either system: its code, its words, and what the engine may do.

Codes and statuses: protocols §1.4, §2.7, §3.9. Both systems put
``{"error": {"code": …, "message": …}}`` into the body, or nothing, or a web page.
"""

import re
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any

from integration.connectors.calls import Answer, Call
from integration.core.failures import Failure, FailureKind
from integration.core.records import System

_LONGEST = 100_000
"""Characters of a message that are read."""
_CORRELATION = re.compile(r" ?CorrelationId: ?([0-9a-f-]{36})\.?$", re.I)
_GUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.I)
_DECIMAL_CODE = re.compile(r"-\d{6,10}")
_SEGMENT = re.compile(r"for the segment", re.I)
_TOO_MANY_PARTS = re.compile(r"maximum number of '?\d+'? query operations", re.I)
_SAME_KEY = re.compile(r"matching key values already exists|insert duplicate key", re.I)

_FIELD = tuple(
    re.compile(pattern)
    for pattern in (
        r"length of the '(\w+)' attribute",
        r"value .{0,80}? of '(\w+)' on record of type",
        r"property named '(\w+)'",
        r"[Ii]nvalid property '(\w+)'",
        r"undeclared property '(\w+)'",
        r"[Pp]roperty '(\w+)' does not exist",
        r"Control '(\w+)' is read-only",
        r"Field '(\w+)' must not be blank",
        r"[Tt]he (?:blank )?\"(\w+)\" (?:does not match|is not allowed)",
        r"A \"(\w+)\" must be provided",
        r"The field (.{1,60}?) of table .{1,60}? contains a value",
    )
)

_KINDS: dict[System, dict[str, FailureKind]] = {
    System.BUSINESS_CENTRAL: {
        "noenvironment": FailureKind.CONNECTION,
        "internal_companynotfound": FailureKind.CONNECTION,
        "authentication_invalidcredentials": FailureKind.CONNECTION,
        "request_entitychanged": FailureKind.STALE,
        "application_toomanyrequests": FailureKind.THROTTLED,
        "internal_entitywithsamekeyexists": FailureKind.REFUSED,
    },
    System.SALES: {
        **dict.fromkeys(
            (
                "0x80072560",  # not a member of the organization
                "0x80042f09",  # no roles at all
                "0x8004d24b",  # no licence
                "0x80050301",  # licence does not cover this
                "0x80050304",
                "0x8004a101",  # ticket expired
                "0x8004a104",  # organization disabled
                "0x8004a113",  # admin-only mode
            ),
            FailureKind.CONNECTION,
        ),
        **dict.fromkeys(
            ("0x80072321", "0x80072322", "0x80072326"), FailureKind.THROTTLED
        ),
        **dict.fromkeys(
            ("0x80040216", "0x80044150", "0x80044151", "0x80044339"),
            FailureKind.TRANSIENT,
        ),
        "0x80040333": FailureKind.REFUSED,  # a duplicate rule, though it arrives as 500
        "0x80060882": FailureKind.STALE,
        "0x80060892": FailureKind.REFUSED,  # alternate key: another record has it
        "0x8006088a": FailureKind.REFUSED,  # no such table
    },
}

_BY_STATUS = {
    401: FailureKind.CONNECTION,
    404: FailureKind.NOT_FOUND,
    407: FailureKind.CONNECTION,
    408: FailureKind.TRANSIENT,
    409: FailureKind.STALE,
    412: FailureKind.STALE,
    429: FailureKind.THROTTLED,
    500: FailureKind.TRANSIENT,
    502: FailureKind.TRANSIENT,
    503: FailureKind.TRANSIENT,
    504: FailureKind.TRANSIENT,
}


@dataclass(frozen=True, slots=True)
class _Words:
    code: str
    message: str
    correlation_id: str = ""


def problem_of(call: Call, answer: Answer) -> Failure | None:
    """Why the answer is no success, or ``None`` when it is one."""
    if 300 <= answer.status < 400:
        message = "The address answers with a redirect; the API never does"
        return call.failure(
            FailureKind.CONNECTION, "net-wrong-address", message, answer
        )
    # Gateways answer 5xx with a page of their own: that passes by itself.
    if answer.is_web_page and answer.status not in {408, 429, 500, 502, 503, 504}:
        return web_page(call, answer)
    if answer.is_success:
        return None
    failure = failure_of_answer(call, answer)
    if answer.status in {404, 405} and _error_object(answer) is None:
        return replace(failure, kind=FailureKind.CONNECTION, code="net-wrong-address")
    return failure


def web_page(call: Call, answer: Answer) -> Failure:
    """HTML where JSON belongs."""
    start = _start(call, answer)[:200]
    message = f"The answer is a web page, not JSON: {start}"
    return call.failure(
        FailureKind.CONNECTION, "net-html-instead-of-json", message, answer
    )


def failure_of_answer(call: Call, answer: Answer) -> Failure:
    """The refusal of one call, alone or as a part of a batch."""
    words = _read_words(call, answer)
    kind = _kind_of(call, answer, words)
    failure = call.failure(kind, words.code, words.message, answer)
    return replace(
        failure,
        field=_field_in(failure.message),
        request_id=failure.request_id or words.correlation_id,
    )


def _read_words(call: Call, answer: Answer) -> _Words:
    """Redacted before anything is cut or written in small letters."""
    error = _error_object(answer)
    if not isinstance(error, dict):
        return _own_words(call, answer)
    code = call.beginning(str(error.get("code") or ""), _LONGEST)
    message = call.beginning(str(error.get("message") or ""), _LONGEST)
    if call.system is System.SALES:
        return _Words(_hexadecimal(code) or f"http-{answer.status}", message.strip())
    words = " ".join(message.split())
    found = _CORRELATION.search(words)
    if found:
        words = words[: found.start()]
    return _Words(code or f"http-{answer.status}", words, found[1] if found else "")


def _error_object(answer: Answer) -> Any:
    try:
        body = answer.json()
    except ValueError:
        return None
    return body.get("error") if isinstance(body, dict) else None


def _own_words(call: Call, answer: Answer) -> _Words:
    try:
        phrase = HTTPStatus(answer.status).phrase
    except ValueError:
        phrase = "Unknown status"
    start = "" if answer.is_web_page else _start(call, answer)[:500]
    message = f"{phrase}: {start}" if start and start != phrase else phrase
    return _Words(f"http-{answer.status}", message)


def _start(call: Call, answer: Answer) -> str:
    return " ".join(call.beginning(answer.text, _LONGEST).split())


def _hexadecimal(code: str) -> str:
    """Dataverse codes in one spelling; some arrive as signed decimals."""
    if _DECIMAL_CODE.fullmatch(code):
        return f"0x{int(code) & 0xFFFFFFFF:08x}"
    return code.lower()


def _kind_of(call: Call, answer: Answer, words: _Words) -> FailureKind:
    if _is_existing_key(call, answer, words):
        return FailureKind.EXISTS
    kind = _KINDS[call.system].get(words.code.lower())
    if kind is None:
        kind = _BY_STATUS.get(answer.status, FailureKind.REFUSED)
    if kind is FailureKind.NOT_FOUND and not _is_about_record(call, words.message):
        return FailureKind.REFUSED
    if _TOO_MANY_PARTS.search(words.message):
        return FailureKind.REFUSED
    if answer.status == 503 and "retry-after" in answer.headers:
        return FailureKind.THROTTLED
    return kind


def _is_existing_key(call: Call, answer: Answer, words: _Words) -> bool:
    if call.system is not System.SALES or call.method != "POST":
        return False
    unnamed = answer.status == 412 and _SAME_KEY.search(words.message) is not None
    return words.code == "0x80040237" or (unnamed and words.code in {"0x0", "http-412"})


def _is_about_record(call: Call, message: str) -> bool:
    """Whether a 404 speaks of the record itself, not of a table or a lookup."""
    if not call.record_id or _SEGMENT.search(message):
        return False
    named = {found.lower() for found in _GUID.findall(message)}
    return not named or call.record_id in named


def _field_in(message: str) -> str:
    found = (pattern.search(message) for pattern in _FIELD)
    return next((match[1] for match in found if match), "")
