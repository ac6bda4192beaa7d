"""What both systems share in OData: literals, addresses, JSON bodies and records."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import orjson

from integration.core.records import Record

_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_LONGEST_VERSION = 250
# What may stand in a query as it is; a comma, a quote or a bracket harms nobody.
_SAFE = "$,()'=:/-._~*"
VALUES_PER_FILTER = 40
"""To keep the address short."""

_NULL = b"null"
_NO_MORE = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME
"""What JSON has no form for is not given one."""
# Built once: ``json.dumps`` with options builds an encoder at every call.
_plain = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, separators=(",", ":")
).encode


def _is_version(etag: str) -> bool:
    return len(etag) <= _LONGEST_VERSION and etag.isascii() and etag.isprintable()


def is_guid(text: str) -> bool:
    return _GUID.fullmatch(text.lower()) is not None


def guid(text: str) -> str:
    """A GUID as we write it: lower case, hyphens. Raises ``ValueError``."""
    lower = text.lower()
    if _GUID.fullmatch(lower) is None:
        raise ValueError(f"Not a GUID: {text[:60]!r}")
    return lower


def literal(value: str | bool | float | Decimal | datetime) -> str:
    """A value as it is written in ``$filter``; text can never end its own quotes."""
    match value:
        case bool():
            return "true" if value else "false"
        case datetime():
            moment = value.astimezone(UTC).isoformat(timespec="milliseconds")
            return moment.replace("+00:00", "Z")
        case str():
            return "'" + value.replace("'", "''") + "'"
        case Decimal():
            return format(value, "f")
        case _:
            return str(value)


def one_of(field: str, values: Sequence[str]) -> str:
    """The filter for what has one of these, ``VALUES_PER_FILTER`` at most."""
    return " or ".join(f"{field} eq {literal(value)}" for value in values)


def address(path: str, **options: str) -> str:
    """``path`` with its query; options come without ``$``, empty ones are left out."""
    pairs = [
        f"${name}={quote(value, safe=_SAFE)}"
        for name, value in options.items()
        if value
    ]
    return f"{path}?{'&'.join(pairs)}" if pairs else path


def id_filters(key: str, ids: Iterable[str], room: int) -> Iterator[str]:
    """``key eq a or key eq b …``, each filter at most ``room`` characters as sent."""
    terms: list[str] = []
    used = 0
    for wanted in ids:
        term = f"{key} eq {guid(wanted)}"
        cost = len(quote(f"{term} or ", safe=_SAFE))
        if terms and used + cost > room:
            yield " or ".join(terms)
            terms, used = [], 0
        terms.append(term)
        used += cost
    if terms:
        yield " or ".join(terms)


def dump_json(value: Any) -> bytes:
    """JSON in UTF-8 with every digit of a ``Decimal``; a lone surrogate is escaped.

    Raises ``ValueError`` for what is no number of JSON, ``TypeError`` for other things.
    """
    try:
        text = orjson.dumps(value, _digits, _NO_MORE)
    except TypeError:  # Halves of signs, and numbers of more than 64 bits.
        text = _NULL
    if _NULL not in text:
        return text
    # Which may stand for what is no number: the other encoder tells.
    return _dumped(value).encode("utf-8", "backslashreplace")


def _digits(value: Any) -> orjson.Fragment:
    return orjson.Fragment(_dumped_by_hand(value))


def _dumped(value: Any) -> str:
    try:
        return _plain(value)
    except TypeError:
        return _dumped_by_hand(value)


def _dumped_by_hand(value: Any) -> str:
    """What the library cannot write: digits of money, mappings that are no ``dict``."""
    match value:
        case Decimal():
            if not value.is_finite():
                raise ValueError(f"JSON has no {value}")
            return format(value, "f")
        case Mapping():
            pairs = (f"{_dumped(str(k))}:{_dumped(v)}" for k, v in value.items())
            return "{" + ",".join(pairs) + "}"
        case list() | tuple():
            return "[" + ",".join(map(_dumped, value)) + "]"
        case _:
            raise TypeError(f"JSON has no {type(value).__name__}")


def parse_moment(value: Any) -> datetime | None:
    """An ISO 8601 moment in UTC; ``None`` for anything else."""
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is UTC:
            return moment
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (TypeError, ValueError, OverflowError):
        return None


@dataclass(frozen=True, slots=True)
class RecordShape:
    """Where a system puts a record's id and its last change."""

    key: str
    modified: str

    def select(self, fields: Sequence[str]) -> str:
        """``$select`` of these fields, always with id and last change, each once."""
        return ",".join(dict.fromkeys((self.key, self.modified, *fields)))

    def record(self, body: dict[str, Any]) -> Record:
        """One of ``records``."""
        [record] = self.records([body])
        return record

    def records(self, bodies: Iterable[dict[str, Any]]) -> tuple[Record, ...]:
        """Raises ``KeyError``, ``TypeError`` or ``ValueError`` when one has no id.

        A version that no header can carry is none: the record is read again first. The
        bodies become the records' values, so that thousands are not held twice.
        """
        made: list[Record] = []
        plain: tuple[str, ...] = ()
        for values in bodies:
            record_id = guid(str(values[self.key]))
            etag = str(values.pop("@odata.etag", ""))
            # Mostly all rows of a page have the same names, which are looked at once.
            names = (*values,)
            if names == plain or "@" not in "".join(names):
                plain = names
            else:
                for name in names:
                    # What else is said of all of a record: no column begins like that.
                    if name[:1] == "@":
                        del values[name]
            known = etag if _is_version(etag) else ""
            moment = parse_moment(values.get(self.modified))
            made.append(Record(record_id, known, moment, values))
        return tuple(made)
