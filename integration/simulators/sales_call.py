"""One request to the Dataverse Web API, alone or as a part of a batch."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl, unquote

from integration.simulators.http import SimulatorError, dumps, loads
from integration.simulators.sales_entities import Entity
from integration.simulators.sales_refusals import refusal
from integration.simulators.sales_security import Caller
from integration.simulators.sales_values import payload_refused

__all__ = ["API_ROOT", "Answer", "Call", "Target", "error_answer", "json_answer"]

API_ROOT = "/sales/api/data/v9.2/"
BEFORE_PATH = re.compile(r"(?:https?://[^/]+)?.*?/api/data/v9\.\d/")
SEGMENTS = re.compile(r"(\$?[\w.]+)(?:\((.*?)\))?(?:/([^()']*))?\Z")
PREFERENCE = re.compile(r'([\w.\-]+)(?:\s*=\s*("[^"]*"|[^,;\s]*))?')
ERROR_DETAILS = "@Microsoft.PowerApps.CDS.ErrorDetails"
PRIVATE_DETAILS = "@Microsoft.PowerApps.CDS"


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back; ``content_id`` is echoed inside a change set.

    For the request log: ``records`` of a list, ``parts`` of a batch or bulk action.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    content_id: str = ""
    records: int = 0
    parts: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Target:
    """The address taken apart: ``accounts(key)/tail``; None: no brackets."""

    name: str
    key: str | None
    tail: str


@dataclass(frozen=True)
class Call:
    """A request; header names are in lower case, ``address`` may be relative.

    ``root`` is the absolute address of the service, ``references`` what earlier parts
    of the change set made, by ``$`` and their Content-ID.
    """

    method: str
    address: str
    headers: Mapping[str, str]
    body: bytes
    root: str
    caller: Caller
    references: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def target(self) -> Target:
        written = self.address.partition("?")[0]
        address = self.references.get(written, written)
        path = unquote(BEFORE_PATH.sub("", address, count=1)).strip("/")
        found = SEGMENTS.match(path)
        if found is None:
            raise refusal("dv-segment-not-found", name=path)
        return Target(found[1], found[2], found[3] or "")

    @cached_property
    def options(self) -> dict[str, str]:
        query = self.address.partition("?")[2]
        return dict(parse_qsl(query, keep_blank_values=True))

    @cached_property
    def prefer(self) -> dict[str, str]:
        """The ``Prefer`` header by name; a name without value is ""."""
        pairs = PREFERENCE.findall(self.headers.get("prefer", ""))
        return {name.lower(): value.strip('"') for name, value in pairs}

    @property
    def annotations(self) -> str:
        return self.prefer.get("odata.include-annotations", "")

    def payload(self, entity: Entity) -> dict[str, Any]:
        """The JSON object of the body. Raises 400."""
        try:
            value = loads(self.body)
        except ValueError as error:
            raise payload_refused(entity, f"{error}") from error
        if not isinstance(value, dict):
            raise payload_refused(entity, "A JSON object was expected.")
        return value


def json_answer(
    body: Any, status: int = 200, headers: Mapping[str, str] | None = None
) -> Answer:
    kind = {"Content-Type": "application/json; odata.metadata=minimal"}
    return Answer(
        status, {**kind, "OData-Version": "4.0", **(headers or {})}, dumps(body)
    )


def error_answer(
    error: SimulatorError, annotations: str, content_id: str = ""
) -> Answer:
    """The error object of §3.9, with its details when they were asked for."""
    inner: dict[str, Any] = {"code": error.code, "message": error.message}
    if "*" in annotations:
        inner[f"{ERROR_DETAILS}.OperationStatus"] = "0"
        inner[f"{ERROR_DETAILS}.SubErrorCode"] = "-2146233088"
        inner[f"{PRIVATE_DETAILS}.HelpLink"] = (
            f"http://go.microsoft.com/fwlink/?LinkID=398563&error={error.code}"
        )
        inner[f"{PRIVATE_DETAILS}.TraceText"] = ""
        inner[f"{PRIVATE_DETAILS}.InnerError.Message"] = error.message
    headers = {
        "Content-Type": "application/json; odata.metadata=minimal",
        "OData-Version": "4.0",
        **error.headers,
    }
    body = dumps({"error": {**inner, **error.extra}})
    return Answer(error.status, headers, body, content_id)
