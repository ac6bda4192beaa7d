"""One request to Business Central, alone or as a part of a batch, and its answer."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl, unquote
from uuid import uuid4

from werkzeug.datastructures import Headers

from integration.simulators.business_central_rules import translated
from integration.simulators.http import Notes, SimulatorError, loads
from integration.simulators.store import Row


@dataclass(frozen=True)
class Call:
    """One request, alone or as a part of a batch. ``path``: below the API root."""

    method: str
    path: str
    options: Mapping[str, str]
    headers: Headers
    body: bytes | dict[str, Any] | None
    root: str
    notes: Notes = field(default_factory=Notes)

    @cached_property
    def segments(self) -> list[tuple[str, str | None]]:
        """``companies(id)/customers`` as names with their keys."""
        found = []
        for part in filter(None, self.path.split("/")):
            name, bracket, key = part.partition("(")
            found.append((name, key.rstrip(")").strip("'") if bracket else None))
        return found

    def json(self) -> dict[str, Any]:
        value = self.body
        if isinstance(value, bytes):
            try:
                value = loads(value)
            except ValueError as error:
                raise SimulatorError(400, "BadRequest", "Invalid body.") from error
        if not isinstance(value, dict):
            raise SimulatorError(400, "BadRequest", "Invalid body.")
        return value


@dataclass(frozen=True)
class Answer:
    """``body`` None: without content; text goes out as it is."""

    status: int
    body: dict[str, Any] | str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


def refusal(error: SimulatorError, language: str) -> Answer:
    """The error object; a gateway's refusal has no code and is plain text."""
    if not error.code:
        return Answer(error.status, error.message, {"Content-Type": "text/plain"})
    message = translated(error.message, language)
    text = f"{message}  CorrelationId:  {uuid4()}."
    body = {"error": {"code": error.code, "message": text}}
    return Answer(error.status, body, error.headers)


def unauthorized() -> SimulatorError:
    return SimulatorError(
        401,
        "Authentication_InvalidCredentials",
        "The server has rejected the client credentials.",
        {"WWW-Authenticate": 'Bearer realm="", error="invalid_token"'},
    )


def no_segment(name: str) -> SimulatorError:
    return SimulatorError(
        404,
        "BadRequest_ResourceNotFound",
        f"Resource not found for the segment '{name}'.",
    )


def part_of(call: Call, part: Mapping[str, Any]) -> Call:
    """A part of a batch as a call; its address may stand below the API root."""
    address = str(part.get("url", ""))
    path, _, query = address.partition("?")
    _, marker, below = path.partition("/api/v2.0/")
    headers = Headers((str(k), str(v)) for k, v in (part.get("headers") or {}).items())
    for inherited in ("Accept-Language",):
        if inherited in call.headers and inherited not in headers:
            headers[inherited] = call.headers[inherited]
    return replace(
        call,
        method=str(part.get("method", "GET")).upper(),
        path=unquote(below if marker else path).strip("/"),
        options=dict(parse_qsl(query, keep_blank_values=True)),
        headers=headers,
        body=part.get("body"),
        notes=Notes(client=call.notes.client),
    )


def etag(number: int, row: Row) -> str:
    inner = base64.b64encode(f"'{number};{row.version};00;'".encode()).decode()
    return f'W/"{inner}"'


def match_etag(call: Call, row: Row) -> None:
    """PATCH and DELETE need an ``If-Match``: an etag of the body, or ``*``."""
    wanted = call.headers.get("If-Match", "")
    if wanted == "*":
        return
    if not (wanted.startswith('W/"') and wanted.endswith('"') and len(wanted) > 4):
        raise SimulatorError(
            400,
            "BadRequest_InvalidToken",
            "Could not validate the client concurrency token required by the service."
            " Provide an If-Match header with the etag of the record.",
        )
    version = _version_of(wanted)
    if version != row.version:
        raise SimulatorError(
            409,
            "Request_EntityChanged",
            "Another user has already changed the record.",
        )


def _version_of(wanted: str) -> int | None:
    try:
        parts = base64.b64decode(wanted[3:-1], validate=True).decode().split(";")
        return int(parts[1])
    except (ValueError, IndexError):
        return None
