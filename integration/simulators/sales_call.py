"""One request to the Dataverse Web API, alone or as a part of a batch."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote

from werkzeug.datastructures import Headers

from integration.simulators.entities import Entity
from integration.simulators.http import (
    ODATA,
    Answer,
    Call,
    SimulatorError,
    dumps,
    loads,
    refusal,
)
from integration.simulators.sales_security import Caller
from integration.simulators.sales_tables import ENTITIES, payload_refused

JSON = {"Content-Type": "application/json; odata.metadata=minimal", **ODATA}
BEFORE_PATH = re.compile(r"(?:https?://[^/]+)?.*?/api/data/v9\.\d/")
SEGMENTS = re.compile(r"(\$?[\w.]+)(?:\((.*?)\))?(?:/([^()']*)(?:\(\))?)?\Z")
DETAILS = "@Microsoft.PowerApps.CDS"


class Target(NamedTuple):
    """The address taken apart: ``accounts(key)/tail``; None: no brackets."""

    name: str
    key: str | None
    tail: str


@dataclass(frozen=True)
class SalesCall(Call):
    """``references``: what the change set made so far, by ``$`` and Content-ID."""

    caller: Caller
    references: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def target(self) -> Target:
        found = SEGMENTS.match(self.path)
        if found is None:
            raise refusal("dv-segment-not-found", name=self.path)
        return Target(found[1], found[2], found[3] or "")

    @cached_property
    def entity(self) -> Entity:
        """The table it is about. Raises 404."""
        if self.target.name not in ENTITIES:
            raise refusal("dv-segment-not-found", name=self.target.name)
        return ENTITIES[self.target.name]

    @property
    def annotations(self) -> str:
        return self.prefer.get("odata.include-annotations", "")

    def payload(self) -> dict[str, Any]:
        """The JSON object of the body. Raises 400."""
        try:
            value = loads(self.body)
        except ValueError as error:
            raise payload_refused(self.entity, error) from error
        if not isinstance(value, dict):
            raise payload_refused(self.entity, "A JSON object was expected.")
        return value


def read_address(
    address: str, references: Mapping[str, str]
) -> tuple[str, dict[str, str]]:
    """Path and options of an address that may be relative, or a reference."""
    written, _, query = address.partition("?")
    path = BEFORE_PATH.sub("", references.get(written, written), count=1)
    return unquote(path).strip("/"), dict(parse_qsl(query, keep_blank_values=True))


def printed(answer: Answer) -> tuple[dict[str, str], bytes]:
    """Headers and body as they go out."""
    if answer.body is None or isinstance(answer.body, bytes):
        return dict(answer.headers), answer.body or b""
    return {**JSON, **answer.headers}, dumps(answer.body)


def error_answer(
    error: SimulatorError, headers: Headers, content_id: str = ""
) -> Answer:
    """The error object of §3.9, with its details when annotations were asked for."""
    inner = {"code": error.code, "message": error.message}
    if "*" in headers.get("Prefer", ""):
        link = f"http://go.microsoft.com/fwlink/?LinkID=398563&error={error.code}"
        inner |= {
            f"{DETAILS}.ErrorDetails.OperationStatus": "0",
            f"{DETAILS}.ErrorDetails.SubErrorCode": "-2146233088",
            f"{DETAILS}.HelpLink": link,
            f"{DETAILS}.TraceText": "",
            f"{DETAILS}.InnerError.Message": error.message,
        }
    return Answer(error.status, {"error": inner}, error.headers, content_id)
