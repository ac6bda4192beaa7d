"""What the simulated systems share in speaking HTTP: requests, answers, refusals."""

import json
import re
import secrets
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any

from werkzeug.datastructures import Headers
from werkzeug.wrappers import Request, Response

BUSINESS_CENTRAL, SALES, ENTRA = "business_central", "sales", "entra"
_NOTES = "simulators.notes"
ODATA = {"OData-Version": "4.0"}
GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z", re.IGNORECASE)
_PREFERENCE = re.compile(r'([\w.\-]+)(?:\s*=\s*("[^"]*"|[^,;\s]*))?')
_REFUSALS = tomllib.loads(Path(__file__).with_name("refusals.toml").read_text("utf-8"))
# Stands in front of a decimal on its way through the C encoder, which cannot
# print one; random, so that no record can contain it.
_DECIMAL = f"decimal-{secrets.token_hex(8)}:"
_MARKED = re.compile(rf'"{_DECIMAL}([^"]*)"')


class SimulatorError(Exception):
    """A refusal; each side prints it in its own envelope."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})


@dataclass
class Notes:
    """What a handler tells the request log about the request it answers.

    ``records`` counts the records of a successful list or delta answer,
    ``parts`` has one entry per part of a batch or target of a bulk action.
    """

    entity: str = ""
    client: str = ""
    fault: str = ""
    records: int = 0
    parts: list[dict[str, Any]] = field(default_factory=list)


def notes(request: Request) -> Notes:
    """The notes of this request; written down after it was answered."""
    found: Notes = request.environ.setdefault(_NOTES, Notes())
    return found


def dumps(value: Any) -> bytes:
    """JSON text; a Decimal keeps its digits as a JSON number."""
    text = json.dumps(
        value, ensure_ascii=False, separators=(",", ":"), default=_mark_decimal
    )
    if _DECIMAL in text:
        text = _MARKED.sub(r"\1", text)
    return text.encode("utf-8", "surrogatepass")


def loads(data: bytes | str) -> Any:
    """Parse a body; numbers with a fraction become Decimal. ValueError if bad."""
    return json.loads(data, parse_float=Decimal)


def json_response(
    body: Any, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    return Response(dumps(body), status, headers, content_type="application/json")


def base_url(request: Request) -> str:
    """Scheme and host as the client wrote them, without a slash at the end."""
    return f"{request.scheme}://{request.host}"


def bearer_token(request: Request) -> str | None:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None


def iso(moment: datetime, *, milliseconds: bool = False) -> str:
    """UTC with a Z; whole seconds (Dataverse) or milliseconds (BC)."""
    spec = "milliseconds" if milliseconds else "seconds"
    text = moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec=spec)
    return f"{text}Z"


def _mark_decimal(value: object) -> str:
    if isinstance(value, Decimal):
        return f"{_DECIMAL}{value:f}"
    if isinstance(value, datetime):
        return iso(value, milliseconds=True)
    raise TypeError(f"{value!r} has no JSON form")


def refusal(id: str, /, **words: object) -> SimulatorError:
    """To be raised: a row of ``refusals.toml``, its text filled with ``words``."""
    row = _REFUSALS[id]
    text = row["text"].format_map(words)
    return SimulatorError(row["status"], row["code"], text, row.get("headers"))


@dataclass(frozen=True)
class Answer:
    """``body`` None: without content; text goes out as it is, all else as JSON."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    content_id: str = ""


@dataclass(frozen=True)
class Call:
    """``path`` is below ``root``, the absolute address of the API."""

    method: str
    path: str
    options: Mapping[str, str]
    headers: Headers
    body: Any
    root: str
    notes: Notes

    @cached_property
    def prefer(self) -> dict[str, str]:
        """The ``Prefer`` header by name; a name without value is ""."""
        pairs = _PREFERENCE.findall(",".join(self.headers.getlist("Prefer")))
        return {name.lower(): value.strip('"') for name, value in pairs}

    def page_size(self) -> int | None:
        """What the client prefers; None: nothing, or no number."""
        wanted = self.prefer.get("odata.maxpagesize", "")
        return int(wanted) if wanted.isdecimal() else None

    def note_part(self, method: str, path: str, status: int, records: int = 0) -> None:
        """Write down what a part of this batch asked, and what it was told."""
        entry = {"method": method, "path": path, "status": status}
        self.notes.parts.append({**entry, "records": records})
        self.notes.records += records
