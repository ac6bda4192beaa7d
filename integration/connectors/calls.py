"""One request to a system and its answer, as values free of any HTTP library."""

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from itertools import chain
from typing import Any, NoReturn

import orjson

from integration import clock
from integration.connectors.odata import dump_json
from integration.connectors.redaction import beginning, excerpt, redacted
from integration.connectors.secrets import NO_SECRETS, Secrets
from integration.core.failures import Failure, FailureKind
from integration.core.records import System
from integration.core.texts import cleaned

_DIGITS = 400
_MOST_OPENED = 2_000_000
"""Objects and lists in one text: 400 for each record of the largest page. Three bytes
make one that takes sixty here."""
_MOST_QUOTES = 4 * _MOST_OPENED
"""As many names as that, each with a text."""
_MOST_COMMAS = 2 * _MOST_OPENED
"""Four bytes make a number that takes a hundred here."""
_DEEPEST = 50
"""Lists within lists; an answer has some six. What goes through them later, in whatever
depth of its own, must come through."""
_CONTAINERS = {list, dict}
_UNSTORABLE = re.compile(rb"\\u(?:0000|d[89a-f])", re.I)
"""Escapes of NUL and of half a sign; that pairs of them make one is seen later."""
_LONGEST_SECONDS = 86_400.0
"""Whoever asks us to wait longer is asked again after a day."""
_REQUEST_ID_HEADERS = (
    "x-ms-service-request-id",
    "req_id",
    "request-id",
    "x-ms-request-id",
    "ms-correlation-x",
)


def read_json(body: bytes) -> Any:
    """JSON whose decimals are ``Decimal``. Raises ``ValueError``.

    Half of a sign, as a field leaves it that cuts by UTF-16, and NUL become U+FFFD: no
    header, file or database would take them.
    """
    if len(body) > _MOST_OPENED:
        _count(body)
    try:
        value, is_whole = _parsed(body)
        if is_whole and not _UNSTORABLE.search(body):
            return value
        return _cleaned(value)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _parsed(body: bytes) -> tuple[Any, bool]:
    """The value, and whether it is known to hold whole signs only, but for escapes.

    Most answers are UTF-8 and hold no decimals: the library that knows none is twice as
    quick. It makes floats of them, and of numbers of more than 64 bits.
    """
    try:
        value = orjson.loads(body)
    except ValueError:  # The other one tells what is wrong, or takes it.
        value = math.nan
    if not _holds_float(value):
        return value, True
    del value  # A page is not held twice.
    text, is_whole = _decoded(body)
    value = _decode(text)
    _holds_float(value)
    return value, is_whole


def _count(body: bytes) -> None:
    """Refuse what would fill the memory, before anything is made of it."""
    opened = body.count(b"{") + body.count(b"[")
    # What is shorter than that cannot hold so many.
    quotes = body.count(b'"') if len(body) > _MOST_QUOTES else 0
    commas = body.count(b",") if len(body) > _MOST_COMMAS else 0
    if opened > _MOST_OPENED or quotes > _MOST_QUOTES or commas > _MOST_COMMAS:
        raise ValueError("more values than any answer has")


def _holds_float(value: Any) -> bool:
    """Raises ``ValueError`` where it is nested too deeply.

    Every value of a page of thousands of rows is looked at: the types of all that the
    objects of one depth hold at once, it costs a twentieth of what reading does.
    """
    inner: list[Iterable[Any]] = [[value]]
    for _ in range(_DEEPEST + 1):
        kinds = {*map(type, chain.from_iterable(inner))}
        if float in kinds:
            return True
        if kinds.isdisjoint(_CONTAINERS):
            return False
        level = [each for held in inner for each in held if type(each) in _CONTAINERS]
        inner = [each.values() if type(each) is dict else each for each in level]
    raise ValueError("nested too deeply")


def _decoded(body: bytes) -> tuple[str, bool]:
    """The text, and whether it is known to hold whole signs only, but for escapes."""
    encoding = json.detect_encoding(body)
    try:
        return body.decode(encoding), encoding.startswith("utf-8")
    except UnicodeDecodeError:
        return body.decode(encoding, "surrogatepass"), False


def _cleaned(value: Any) -> Any:
    match value:
        case str():
            return cleaned(value)
        case list():
            return [_cleaned(inner) for inner in value]
        case dict():
            return {cleaned(key): _cleaned(inner) for key, inner in value.items()}
        case _:
            return value


def _decimal(text: str) -> Decimal:
    """Written out it must stay short: ``1E+999999999`` would fill the memory."""
    try:
        number = Decimal(text)
    except ArithmeticError as error:
        raise ValueError("an exponent beyond any number") from error
    if number.adjusted() > _DIGITS or number.adjusted() < -_DIGITS:
        raise ValueError("a number beyond any amount")
    return number


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number of JSON")


# Built once: ``json.loads`` with options builds a decoder at every call.
_decode = json.JSONDecoder(parse_float=_decimal, parse_constant=_no_number).decode


def read_http_date(text: str) -> datetime | None:
    """An HTTP date, in UTC; ``None`` for anything else."""
    try:
        moment = parsedate_to_datetime(text)
        return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def read_retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds the system asks us to wait; it may write seconds or a date.

    A date counts from the answer's own ``Date``, so a wrong clock here does no harm.
    """
    text = headers.get("retry-after", "").strip()
    if text.replace(".", "", 1).isdecimal():
        return min(float(text), _LONGEST_SECONDS)
    until = read_http_date(text)
    if until is None:
        return None
    since = read_http_date(headers.get("date", "")) or clock.now()
    return min(max(0.0, (until - since).total_seconds()), _LONGEST_SECONDS)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. Header names are lower case.

    A part of a JSON batch has been ``parsed`` already and has no ``body`` of its own.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = b""
    parsed: Any = None

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300

    @property
    def is_web_page(self) -> bool:
        """HTML where JSON belongs: a captive portal, a proxy, a sign-in page."""
        kind = self.headers.get("content-type", "").lower()
        start = self.body[:64].lstrip().lower()
        return "html" in kind or start.startswith((b"<!doctype", b"<html"))

    @property
    def request_id(self) -> str:
        """The system's own id of this answer, or "" when it sent none."""
        found = (self.headers.get(name) for name in _REQUEST_ID_HEADERS)
        return next((value for value in found if value), "")

    @property
    def date(self) -> datetime | None:
        return read_http_date(self.headers.get("date", ""))

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """Raises ``ValueError`` when the body is not JSON, or was cut."""
        return read_json(self.body) if self.parsed is None else self.parsed

    def excerpt(self, secrets: Secrets = NO_SECRETS) -> str:
        body = self.body if self.parsed is None else dump_json(self.parsed)
        return excerpt(f"HTTP {self.status}", self.headers, body, secrets)


@dataclass(frozen=True, slots=True)
class Call:
    """One request. ``operation`` says in words what it is for ("read customers").

    ``record_id`` is set when the address is that of one record: only then can a 404
    mean that the record is gone. ``cost`` is what it takes from the request budget.
    ``repeatable`` calls may be sent again after a lost answer: reads and sign-ins.
    ``secrets`` is what nothing that is told about it may hold.
    """

    system: System
    operation: str
    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes = b""
    record_id: str = ""
    cost: int = 1
    repeatable: bool = False
    read_timeout_seconds: float = 120.0
    secrets: Secrets = field(default=NO_SECRETS, repr=False, compare=False)

    def excerpt(self) -> str:
        first = f"{self.method} {self.url}"
        return excerpt(first, self.headers, self.content, self.secrets)

    def redacted(self, text: str) -> str:
        """What a system said, as it may be told. Whoever cuts it cuts it afterwards."""
        return redacted(text, self.secrets)

    def beginning(self, text: str, characters: int) -> str:
        """So much of it, where it may be without end."""
        return beginning(text, characters, self.secrets)

    def failure(
        self,
        kind: FailureKind,
        code: str,
        message: str,
        answer: Answer | None = None,
        request_id: str = "",
    ) -> Failure:
        """Why this call was not done; with what the answer tells, if there was one."""
        return Failure(
            system=self.system,
            kind=kind,
            code=self.redacted(code),
            message=self.redacted(message),
            status=answer.status if answer else 0,
            operation=self.operation,
            request_id=self.redacted(
                request_id or (answer.request_id if answer else "")
            ),
            retry_after_seconds=read_retry_after(answer.headers) if answer else None,
            request=self.excerpt(),
            response=answer.excerpt(self.secrets) if answer else "",
        )
