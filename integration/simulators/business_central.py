"""Business Central API v2.0 (protocols §2), in front of the tables of a store."""

import base64
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl, quote, unquote
from uuid import uuid4

from werkzeug.datastructures import Headers
from werkzeug.wrappers import Request, Response

from integration.simulators import entra
from integration.simulators.business_central_rules import (
    COMPANIES,
    ENTITIES,
    JOB_QUEUE_ENTRIES,
    Company,
    checked,
    next_number,
)
from integration.simulators.entities import Entity, edmx
from integration.simulators.fault_states import DENIED
from integration.simulators.faults import Faults
from integration.simulators.http import (
    BUSINESS_CENTRAL,
    GUID,
    ODATA,
    Answer,
    Call,
    Notes,
    SimulatorError,
    base_url,
    dumps,
    loads,
    notes,
    refusal,
)
from integration.simulators.odata import Query, parse_query
from integration.simulators.odata_filter import Dialect, Getter, ODataError
from integration.simulators.store import Row, Store, Table

PAGE_SIZE = 20_000
BODY_LIMIT = 350 * 1024 * 1024
BATCH_LIMIT = 100
DIALECT = Dialect(or_distinct_fields=False)
JSON = "application/json; odata.metadata=minimal; odata.streaming=true"
RESTART = "Microsoft.NAV.restart"
Parts = list[tuple[Any, Call]]  # with their ids
# The prose follows Accept-Language; what stands in brackets never does.
FRENCH = {
    "Another user has already changed the record.": (
        "Un autre utilisateur a déjà modifié l'enregistrement."
    ),
    "Sorry, the current permissions prevented the action.": (
        "Désolé, les autorisations actuelles ont empêché l'action."
    ),
}


@dataclass(frozen=True, slots=True)
class Place:
    """A set of one company, and the key of one record in it."""

    company: Company
    entity: Entity
    key: str | None
    action: str = ""

    @property
    def table(self) -> Table:
        if self.entity.in_company:
            return self.company.table(self.entity)
        return self.company.store.table("bc:companies", self.entity.indexes)

    def row(self) -> Row:
        """The record. Raises 400 and 404."""
        key = self.key or ""
        if not GUID.match(key):
            raise refusal("bc-query-syntax")
        row = self.table.get(key)
        if row is None:
            words = {"caption": self.entity.label, "key": key.upper()}
            raise refusal("bc-record-not-found", **words)
        return row


class BusinessCentralApi:
    """Answers every request below ``/bc/v2.0/``."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._faults = Faults.of(store)

    def handle(self, request: Request) -> Response:
        try:
            answer = self._routed(request)
        except SimulatorError as error:
            answer = refused(error, request.headers.get("Accept-Language", ""))
        headers = {**ODATA, **answer.headers}
        if isinstance(answer.body, str):
            return Response(answer.body, answer.status, headers)
        body = b"" if answer.body is None else dumps(answer.body)
        return Response(body, answer.status, headers, content_type=JSON)

    def _routed(self, request: Request) -> Answer:
        if (request.content_length or 0) > BODY_LIMIT:
            raise refusal("bc-too-large")
        before, _, path = request.path.partition("/api/v2.0")
        environment = before.rpartition("/")[2]
        if environment.lower() != self._store.setting("environment", "production"):
            raise refusal("bc-environment-unknown")
        if entra.principal_of(self._store, request, BUSINESS_CENTRAL) is None:
            raise refusal("bc-auth-rejected")
        call = Call(
            request.method,
            path.strip("/"),
            options_of(request.query_string.decode()),
            Headers(request.headers),
            request.get_data(),
            f"{base_url(request)}{quote(before)}/api/v2.0/",
            notes(request),
        )
        if call.path == "$batch":
            return self._batch(call)
        return self._prepared(call)

    def _prepared(self, call: Call) -> Answer:
        self._prepare(call)
        return self._answer(call)

    def _answer(self, call: Call) -> Answer:
        """Raises SimulatorError. A write is a transaction of its own."""
        if call.path == "$metadata":
            text = edmx(ENTITIES.values(), "Microsoft.NAV", "NAV")
            return Answer(200, text, {"Content-Type": "application/xml"})
        replica = call.headers.get("Data-Access-Intent") == "ReadOnly"
        if replica and call.method != "GET":
            raise refusal("bc-read-only-intent")
        place = self._place(call)
        call.notes.entity = place.entity.set_name
        if call.method == "GET":
            return self._read(call, place)
        with self._store.transaction():
            return self._write(call, place)

    def _prepare(self, call: Call) -> None:
        """A fault may edit the record now, before the transaction that judges it."""
        if call.method != "PATCH":
            return
        with suppress(SimulatorError):  # the answer will say it
            place = self._place(call)
            row = place.table.get(place.key or "")
            self._faults.before_write(BUSINESS_CENTRAL, place.entity.set_name, row)

    def _place(self, call: Call) -> Place:
        (name, key), *rest = segments_of(call.path) or [("", None)]
        if not name:
            raise refusal("bc-segment-not-found", name="")
        if name != "companies":
            wanted = call.options.get("company") or call.headers.get("Company")
            if not wanted:
                raise refusal("bc-company-not-named")
            return inside(self._company(wanted), [(name, key), *rest])
        if key and rest:
            return inside(self._company(key), rest)
        return Place(Company(self._store, "", ""), COMPANIES, key)

    def _company(self, wanted: str) -> Company:
        """By id or name."""
        table = self._store.table("bc:companies", COMPANIES.indexes)
        by_id = table.get(wanted)
        rows = [by_id] if by_id else table.find("name", unquote(wanted))
        if not rows:
            raise refusal("bc-company-not-found", wanted=wanted)
        return Company(self._store, rows[0].id, str(rows[0].values.get("name", "")))

    def _allow(self, entity: Entity, right: str) -> None:
        for row in self._store.table(DENIED).find("tableNo", entity.number):
            if row.values.get("right") == right:
                words = {"number": entity.number, "caption": entity.label}
                raise refusal("bc-permission-denied", right=right, **words)

    def _read(self, call: Call, place: Place) -> Answer:
        self._allow(place.entity, "Read")
        with self._store.lock:
            printer = Printer(call, place)
            if place.key is not None:
                return printer.one(place.row())
            rows = printer.query.rows(place.table)
            if place.action == "$count":
                return Answer(200, str(len(rows)), {"Content-Type": "text/plain"})
            return printer.page(rows)

    def _write(self, call: Call, place: Place) -> Answer:
        method, entity = call.method, place.entity
        if entity is JOB_QUEUE_ENTRIES and place.action == RESTART and method == "POST":
            place.table.update(place.row(), {"status": "Ready"})
            return Answer(204)
        on_record = place.key is not None
        if method not in entity.verbs or on_record == (method == "POST"):
            raise refusal("bc-method", method=method, set=entity.set_name)
        if method == "POST":
            return self._create(call, place)
        return self._change(call, place)

    def _create(self, call: Call, place: Place) -> Answer:
        self._allow(place.entity, "Insert")
        entity, body = place.entity, json_of(call)
        self._refuse(call, place, body.get(entity.key), body.get("displayName"))
        values = checked(place.company, entity, body, None)
        if entity.series and not values.get(entity.key):
            values[entity.key] = next_number(place.company, entity)
        row = place.table.insert(values, by=call.notes.client)
        return Printer(call, place).one(row, 201)

    def _change(self, call: Call, place: Place) -> Answer:
        self._allow(place.entity, "Modify" if call.method == "PATCH" else "Delete")
        row, by = place.row(), call.notes.client
        match_etag(call, row)
        key, name = row.values.get(place.entity.key), row.values.get("displayName")
        self._refuse(call, place, key, name, row.id)
        if call.method == "DELETE":
            place.table.delete(row.id, by)
            return Answer(204)
        values = checked(place.company, place.entity, json_of(call), row)
        return Printer(call, place).one(place.table.update(row, values, by))

    def _refuse(self, call: Call, place: Place, key: Any, *names: Any) -> None:
        """Raises what a fault planted for this record wants."""
        entity = place.entity
        label = entity.by_name[entity.key or "id"].caption
        words = {"caption": entity.label, "key_caption": label, "key": key or ""}
        if call.method != "DELETE":
            set_name = entity.set_name
            self._faults.refuse(BUSINESS_CENTRAL, set_name, words, key, *names)

    def _batch(self, call: Call) -> Answer:
        """Parts in order, each a transaction of its own, up to the first failure."""
        parts = [(part.get("id"), part_of(call, part)) for part in parts_in(call)]
        if call.headers.get("Isolation", "").lower() == "snapshot":
            responses = self._snapshot(call, parts)
        else:
            proceed = "odata.continue-on-error" in call.prefer
            responses = list(run_parts(call, parts, self._prepared, proceed=proceed))
        call.notes.entity = "$batch"
        return Answer(200, {"responses": responses})

    def _snapshot(self, call: Call, parts: Parts) -> list[dict[str, Any]]:
        """One transaction: a failing part takes all back.

        The parts before it still report that they worked. One answer when the first
        part fails, all when a later one does (measured, protocols §2.5).
        """
        for _, part in parts:
            self._prepare(part)
        responses = []
        with suppress(_TakenBackError), self._store.transaction():
            for response in run_parts(call, parts, self._answer, proceed=True):
                responses.append(response)
                if responses[0]["status"] >= 400:
                    break
            if any(response["status"] >= 400 for response in responses):
                raise _TakenBackError
        return responses


class Printer:
    """Rows of one set as this request wants them."""

    def __init__(self, call: Call, place: Place) -> None:
        self._call = call
        self._number = place.entity.number
        readers = place.company.readers(place.entity)
        self.query = read_query(call.options, place.entity, readers)
        names = self.query.select or place.entity.by_name
        self._fields = [(name, readers[name]) for name in names]
        inside = f"companies({place.company.id})/" if place.entity.in_company else ""
        self._set = f"{inside}{place.entity.set_name}"
        self._context = f"{call.root}$metadata#{self._set}"

    def record(self, row: Row) -> dict[str, Any]:
        body = {"@odata.etag": etag(self._number, row)}
        body.update((name, read(row)) for name, read in self._fields)
        return body

    def one(self, row: Row, status: int = 200) -> Answer:
        """The record; on request a write answers without it."""
        if self._call.method != "GET" and self._call.prefer.get("return") == "minimal":
            return Answer(204, None, {"Preference-Applied": "return=minimal"})
        body = {"@odata.context": f"{self._context}/$entity", **self.record(row)}
        made = {"Location": f"{self._call.root}{self._set}({row.id})"}
        return Answer(status, body, made if status == 201 else {})

    def page(self, rows: list[Row]) -> Answer:
        size = self._call.page_size()
        if size is not None and size > PAGE_SIZE:
            raise refusal("bc-too-large")
        chosen, token = self.query.page(rows, PAGE_SIZE if size is None else size or 1)
        body: dict[str, Any] = {"@odata.context": self._context}
        if self.query.count:
            body["@odata.count"] = len(rows)
        body["value"] = [self.record(row) for row in chosen]
        if token:
            body["@odata.nextLink"] = self._next_link(token)
        self._call.notes.records += len(chosen)
        return Answer(200, body)

    def _next_link(self, token: str) -> str:
        options = {**self._call.options, "aid": "FIN", "$skiptoken": token}
        options.pop("$skip", None)
        query = "&".join(
            f"{name}={quote(value, safe='(),:$*')}" for name, value in options.items()
        )
        return f"{self._call.root}{quote(self._call.path, safe='(),/')}?{query}"


class _TakenBackError(Exception):
    """Leaves the transaction of a snapshot batch, so that nothing stays."""


def read_query(
    options: Mapping[str, str], entity: Entity, readers: Mapping[str, Getter]
) -> Query:
    try:
        query = parse_query(options, entity.columns(readers), DIALECT)
    except ODataError as error:
        raise refusal("bc-query", reason=error) from error
    if query.expand:
        raise refusal("bc-expand", name=query.expand[0].name, type=entity.logical)
    return query


def options_of(query: str) -> dict[str, str]:
    return dict(parse_qsl(query, keep_blank_values=True))


def segments_of(path: str) -> list[tuple[str, str | None]]:
    """``companies(id)/customers`` as names with their keys."""
    found = []
    for part in filter(None, path.split("/")):
        name, bracket, key = part.partition("(")
        found.append((name, key.rstrip(")").strip("'") if bracket else None))
    return found


def inside(company: Company, segments: list[tuple[str, str | None]]) -> Place:
    (name, key), *rest = segments
    entity = ENTITIES.get(name)
    if entity is None or not entity.in_company:
        raise refusal("bc-segment-not-found", name=name)
    action = "/".join(segment for segment, _ in rest)
    if action and action != RESTART and (action != "$count" or key is not None):
        raise refusal("bc-segment-not-found", name=rest[0][0])
    return Place(company, entity, key, action)


def json_of(call: Call) -> dict[str, Any]:
    """The body of a request, or that of a part, which is JSON already."""
    value = call.body
    if isinstance(value, bytes):
        with suppress(ValueError):
            value = loads(value)
    if not isinstance(value, dict):
        raise refusal("bc-body")
    return value


def parts_in(call: Call) -> list[Mapping[str, Any]]:
    if call.method != "POST":
        raise refusal("bc-batch-method")
    if "json" not in call.headers.get("Content-Type", ""):
        raise refusal("bc-batch-type")
    parts = json_of(call).get("requests")
    if not isinstance(parts, list) or not all(isinstance(p, dict) for p in parts):
        raise refusal("bc-batch-empty")
    if len(parts) > BATCH_LIMIT:
        raise refusal("bc-batch-limit", limit=BATCH_LIMIT)
    return parts


def part_of(call: Call, part: Mapping[str, Any]) -> Call:
    """A part of a batch as a call; its address may stand below the API root."""
    path, _, query = str(part.get("url", "")).partition("?")
    _, marker, below = path.partition("/api/v2.0/")
    language = call.headers.get("Accept-Language")
    headers = Headers({"Accept-Language": language} if language else {})
    headers.update({str(k): str(v) for k, v in (part.get("headers") or {}).items()})
    return replace(
        call,
        method=str(part.get("method", "GET")).upper(),
        path=unquote(below if marker else path).strip("/"),
        options=options_of(query),
        headers=headers,
        body=part.get("body"),
        notes=Notes(client=call.notes.client),
    )


def run_parts(
    call: Call, parts: Parts, run: Callable[[Call], Answer], *, proceed: bool
) -> Iterator[dict[str, Any]]:
    """The answer to each part, as a response of the batch ``call``."""
    for key, part in parts:
        try:
            answer = run(part)
        except SimulatorError as error:
            answer = refused(error, call.headers.get("Accept-Language", ""))
        query = "&".join(f"{name}={value}" for name, value in part.options.items())
        path = f"{part.path}?{query}" if query else part.path
        call.note_part(part.method, path, answer.status, part.notes.records)
        headers = {"Content-Type": "application/json", **ODATA, **answer.headers}
        response = {"id": key, "status": answer.status, "headers": headers}
        yield response if answer.body is None else {**response, "body": answer.body}
        if answer.status >= 400 and not proceed:
            return


def refused(error: SimulatorError, language: str = "en-US") -> Answer:
    """The error object; a gateway's refusal has no code and is plain text."""
    if not error.code:
        return Answer(error.status, error.message, {"Content-Type": "text/plain"})
    message = error.message
    if language.lower().startswith("fr"):
        for english, french in FRENCH.items():
            message = message.replace(english, french)
    text = f"{message}  CorrelationId:  {uuid4()}."
    body = {"error": {"code": error.code, "message": text}}
    return Answer(error.status, body, error.headers)


def etag(number: int, row: Row) -> str:
    inner = base64.b64encode(f"'{number};{row.version};00;'".encode()).decode()
    return f'W/"{inner}"'


def match_etag(call: Call, row: Row) -> None:
    """PATCH and DELETE need an ``If-Match``: an etag of the body, or ``*``."""
    wanted = call.headers.get("If-Match", "")
    if wanted == "*":
        return
    if not (wanted.startswith('W/"') and wanted.endswith('"') and len(wanted) > 4):
        raise refusal("bc-etag-missing")
    if version_of(wanted) != row.version:
        raise refusal("bc-record-changed")


def version_of(wanted: str) -> int | None:
    with suppress(ValueError, IndexError):
        parts = base64.b64decode(wanted[3:-1], validate=True).decode().split(";")
        return int(parts[1])
    return None
