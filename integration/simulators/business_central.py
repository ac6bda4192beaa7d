"""Business Central API v2.0 (protocols §2), in front of the tables of a store."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, quote, unquote

from werkzeug.datastructures import Headers
from werkzeug.wrappers import Request, Response

from integration.simulators import business_central_batch, entra
from integration.simulators.business_central_call import (
    Answer,
    Call,
    etag,
    match_etag,
    no_segment,
    refusal,
    unauthorized,
)
from integration.simulators.business_central_entities import (
    COMPANIES,
    ENTITIES,
    JOB_QUEUE_ENTRIES,
)
from integration.simulators.business_central_rules import (
    GUID,
    Company,
    checked,
    next_number,
)
from integration.simulators.entities import Entity, metadata
from integration.simulators.fault_states import DENIED
from integration.simulators.faults import BUSINESS_CENTRAL, Faults
from integration.simulators.http import (
    SimulatorError,
    base_url,
    dumps,
    notes,
    preferences,
)
from integration.simulators.odata import Dialect, ODataError, Query, parse_query
from integration.simulators.store import Row, Store, Table

PAGE_SIZE = 20_000
BODY_LIMIT = 350 * 1024 * 1024
DIALECT = Dialect(or_distinct_fields=False)
JSON = "application/json; odata.metadata=minimal; odata.streaming=true"
RESTART = "Microsoft.NAV.restart"


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


class BusinessCentralApi:
    """Answers every request below ``/bc/v2.0/``."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._faults = Faults.of(store)

    def handle(self, request: Request) -> Response:
        language = request.headers.get("Accept-Language", "en-US")
        try:
            answer = self._routed(request)
        except SimulatorError as error:
            answer = refusal(error, language)
        headers = {"OData-Version": "4.0", **answer.headers}
        if isinstance(answer.body, str):
            return Response(answer.body, answer.status, headers)
        body = b"" if answer.body is None else dumps(answer.body)
        return Response(body, answer.status, headers, content_type=JSON)

    def _routed(self, request: Request) -> Answer:
        if (request.content_length or 0) > BODY_LIMIT:
            raise SimulatorError(413, "", "Request Entity Too Large")
        before, _, path = request.path.partition("/api/v2.0")
        environment = before.rpartition("/")[2]
        if environment.lower() != self._store.setting("environment", "production"):
            raise SimulatorError(404, "NoEnvironment", "Environment does not exist.")
        if entra.principal_of(self._store, request, entra.BUSINESS_CENTRAL) is None:
            raise unauthorized()
        call = Call(
            request.method,
            path.strip("/"),
            dict(parse_qsl(request.query_string.decode(), keep_blank_values=True)),
            Headers(request.headers),
            request.get_data(),
            f"{base_url(request)}{quote(before)}/api/v2.0/",
            notes(request),
        )
        if call.path == "$batch":
            return business_central_batch.run(
                self._store, call, self.prepare, self.answer
            )
        self.prepare(call)
        return self.answer(call)

    def answer(self, call: Call) -> Answer:
        """Raises SimulatorError. A write is a transaction of its own."""
        if call.path == "$metadata":
            text = metadata("Microsoft.NAV", ENTITIES.values())
            return Answer(200, text, {"Content-Type": "application/xml"})
        replica = call.headers.get("Data-Access-Intent") == "ReadOnly"
        if replica and call.method != "GET":
            raise SimulatorError(
                400, "BadRequest", "Data-Access-Intent ReadOnly allows GET only."
            )
        place = self._place(call)
        call.notes.entity = place.entity.set_name
        if call.method == "GET":
            return self._read(call, place)
        with self._store.transaction():
            return self._write(call, place)

    def prepare(self, call: Call) -> None:
        """A fault may edit the record now, before the transaction that judges it."""
        if call.method != "PATCH":
            return
        with suppress(SimulatorError):  # the answer will say it
            place = self._place(call)
            row = place.table.get(place.key or "")
            name = place.entity.set_name
            self._faults.before_write(BUSINESS_CENTRAL, name, call.method, row)

    def _place(self, call: Call) -> Place:
        segments = call.segments
        if not segments:
            raise no_segment("")
        if segments[0] == ("companies", None) or len(segments) == 1:
            return self._top_level(call, segments)
        name, key = segments[0]
        company = self._company(key) if name == "companies" and key else None
        if company is None:
            return self._top_level(call, segments)
        return _inside(company, segments[1:])

    def _top_level(self, call: Call, segments: list[tuple[str, str | None]]) -> Place:
        if segments[0][0] == "companies":
            nowhere = Company(self._store, "", "")
            return Place(nowhere, COMPANIES, segments[0][1])
        wanted = call.options.get("company") or call.headers.get("Company")
        if not wanted:
            raise SimulatorError(
                404, "Internal_CompanyNotFound", "The default company can't be found."
            )
        return _inside(self._company(wanted), segments)

    def _company(self, wanted: str) -> Company:
        table = self._store.table("bc:companies", ("name",))
        row = table.get(wanted)
        if row is None:
            row = next(iter(table.find("name", unquote(wanted))), None)
        if row is None:
            raise SimulatorError(
                404,
                "Internal_CompanyNotFound",
                f"Company {wanted} cannot be found.",
            )
        return Company(self._store, row.id, str(row.values.get("name", "")))

    def _allow(self, entity: Entity, right: str) -> None:
        for row in self._store.table(DENIED).rows():
            denied = row.values
            if denied.get("tableNo") == entity.number and denied.get("right") == right:
                raise SimulatorError(
                    403,
                    "Internal_ServerError",
                    "Sorry, the current permissions prevented the action. (TableData"
                    f" {entity.number} {entity.caption} {right}: Base Application)",
                )

    def _read(self, call: Call, place: Place) -> Answer:
        self._allow(place.entity, "Read")
        with self._store.lock:
            if place.key is not None:
                printer = Printer(call, place, self._query(call, place))
                return printer.one(self._row(place))
            return self._list(call, place)

    def _query(self, call: Call, place: Place) -> Query:
        readers = place.company.readers(place.entity)
        try:
            query = parse_query(call.options, place.entity.columns(readers), DIALECT)
        except ODataError as error:
            raise SimulatorError(400, "BadRequest", str(error)) from error
        if query.expand:
            raise SimulatorError(
                400,
                "BadRequest",
                f"Could not find a property named '{query.expand[0].name}' on type"
                f" 'Microsoft.NAV.{place.entity.logical_name}'.",
            )
        return query

    def _list(self, call: Call, place: Place) -> Answer:
        query = self._query(call, place)
        rows = query.rows(place.table)
        if place.action == "$count":
            return Answer(200, str(len(rows)), {"Content-Type": "text/plain"})
        page, token = query.page(rows, _page_size(call))
        printer = Printer(call, place, query)
        body: dict[str, Any] = {"@odata.context": printer.context}
        if query.count:
            body["@odata.count"] = len(rows)
        body["value"] = [printer.record(row) for row in page]
        if token:
            body["@odata.nextLink"] = printer.next_link(token)
        call.notes.records += len(page)
        return Answer(200, body)

    def _write(self, call: Call, place: Place) -> Answer:
        method, entity = call.method, place.entity
        if entity is JOB_QUEUE_ENTRIES and place.action == RESTART and method == "POST":
            place.table.update(self._row(place), {"status": "Ready"})
            return Answer(204)
        on_record = place.key is not None
        if method not in entity.verbs or on_record == (method == "POST"):
            raise SimulatorError(
                405,
                "BadRequest_MethodNotAllowed",
                f"'{method}' requests for '{entity.set_name}' of EdmType 'Entity' are"
                " not allowed within Dynamics 365 Business Central OData web services.",
            )
        if method == "POST":
            return self._create(call, place)
        return self._change(call, place)

    def _create(self, call: Call, place: Place) -> Answer:
        self._allow(place.entity, "Insert")
        entity, body = place.entity, call.json()
        self._refuse(call, place, body.get(entity.key), body.get("displayName"))
        values = checked(place.company, entity, body, None)
        if entity.series and not values.get(entity.key):
            values[entity.key] = next_number(place.company, entity)
        row = place.table.insert(values, by=call.notes.client)
        return Printer(call, place, self._query(call, place)).one(row, 201)

    def _change(self, call: Call, place: Place) -> Answer:
        right = "Modify" if call.method == "PATCH" else "Delete"
        self._allow(place.entity, right)
        row = self._row(place)
        match_etag(call, row)
        key, name = row.values.get(place.entity.key), row.values.get("displayName")
        self._refuse(call, place, key, name, row.id)
        if call.method == "DELETE":
            place.table.delete(row.id, by=call.notes.client)
            return Answer(204)
        values = checked(place.company, place.entity, call.json(), row)
        place.table.update(row, values, by=call.notes.client)
        return Printer(call, place, self._query(call, place)).one(row)

    def _refuse(self, call: Call, place: Place, *names: Any) -> None:
        entity = place.entity
        words = {
            "caption": entity.caption,
            "key_caption": entity.key_field.label,
            "key": names[0] or "",
        }
        self._faults.refuse(
            BUSINESS_CENTRAL, entity.set_name, call.method, words, *names
        )

    def _row(self, place: Place) -> Row:
        key = place.key or ""
        if not GUID.fullmatch(key):
            raise SimulatorError(
                400, "BadRequest_NotFound", "Bad Request - Error in query syntax."
            )
        row = place.table.get(key)
        if row is None:
            raise SimulatorError(
                404,
                "Internal_RecordNotFound",
                f"The {place.entity.caption} does not exist. Identification fields and"
                f" values: SystemId='{{{key.upper()}}}'",
            )
        return row


class Printer:
    """Rows of one set as this request wants them."""

    def __init__(self, call: Call, place: Place, query: Query) -> None:
        self._call = call
        company, entity = place.company, place.entity
        names = query.select or tuple(entity.by_name)
        readers = company.readers(entity)
        self._fields: list[tuple[str, Callable[[Row], Any]]] = [
            (name, readers[name]) for name in names
        ]
        self._number = entity.number
        self._inside = f"companies({company.id})/" if entity.in_company else ""
        self.context = f"{call.root}$metadata#{self._inside}{entity.set_name}"

    def record(self, row: Row) -> dict[str, Any]:
        body = {"@odata.etag": etag(self._number, row)}
        body.update((name, read(row)) for name, read in self._fields)
        return body

    def one(self, row: Row, status: int = 200) -> Answer:
        """The record; on request a write answers without it."""
        wish = preferences(self._call.headers).get("return")
        if self._call.method != "GET" and wish == "minimal":
            return Answer(204, None, {"Preference-Applied": "return=minimal"})
        context = f"{self.context}/$entity"
        body = {"@odata.context": context, **self.record(row)}
        headers = {}
        if status == 201:
            name = self.context.rpartition("#")[2]
            headers["Location"] = f"{self._call.root}{name}({row.id})"
        return Answer(status, body, headers)

    def next_link(self, token: str) -> str:
        options = {**self._call.options, "aid": "FIN", "$skiptoken": token}
        options.pop("$skip", None)
        query = "&".join(
            f"{name}={quote(value, safe='(),:$*')}" for name, value in options.items()
        )
        return f"{self._call.root}{quote(self._call.path, safe='(),/')}?{query}"


def _inside(company: Company, segments: list[tuple[str, str | None]]) -> Place:
    name, key = segments[0]
    entity = ENTITIES.get(name)
    if entity is None or not entity.in_company:
        raise no_segment(name)
    rest = [segment for segment, _ in segments[1:]]
    action = "/".join(rest)
    if action and action != RESTART and (action != "$count" or key is not None):
        raise no_segment(rest[0])
    return Place(company, entity, key, action)


def _page_size(call: Call) -> int:
    size = preferences(call.headers).get("odata.maxpagesize", "")
    if not size.isdecimal():
        return PAGE_SIZE
    if int(size) > PAGE_SIZE:
        raise SimulatorError(413, "", "Request Entity Too Large")
    return max(1, int(size))
