"""The Dataverse Web API v9.2 of the simulated Sales environment (protocols §3)."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from werkzeug.datastructures import Headers
from werkzeug.wrappers import Request, Response

from integration.simulators import sales_batch
from integration.simulators.entities import Entity, edmx
from integration.simulators.entra import principal_of
from integration.simulators.faults import Faults
from integration.simulators.http import (
    GUID,
    ODATA,
    SALES,
    Answer,
    Notes,
    SimulatorError,
    base_url,
    notes,
    refusal,
)
from integration.simulators.sales_batch import ChangeSet, Part
from integration.simulators.sales_call import (
    SalesCall,
    error_answer,
    printed,
    read_address,
)
from integration.simulators.sales_read import Reader
from integration.simulators.sales_security import (
    Caller,
    caller_for,
    granted,
    privilege_id,
    roles_of,
)
from integration.simulators.sales_tables import (
    ACCOUNT,
    ENTITIES,
    USER,
    account_number_is_key,
    definitions,
    not_found,
    one_definition,
    organization,
    payload_refused,
    table_of,
)
from integration.simulators.sales_write import BIND, Writer, match_version
from integration.simulators.store import Row, Store

API_ROOT = "/sales/api/data/v9.2/"
ACTIONS = "Microsoft.Dynamics.CRM."
USER_PRIVILEGES = f"{ACTIONS}RetrieveUserPrivileges"


class SalesApi:
    """Answers every request below ``/sales/api/data/v9.2/``."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._reader = Reader(store)

    def handle(self, request: Request) -> Response:
        """The whole way: sign-in, membership and roles, then the call."""
        unique = str(uuid4())
        headers = {"x-ms-service-request-id": unique, "REQ_ID": unique}
        principal = principal_of(self._store, request, SALES)
        if principal is None:
            return Response(status=401, headers={**headers, **challenge(request)})
        try:
            call = read_call(request, caller_for(self._store, principal))
            call.notes.entity = call.target.name
            answer = self._run(call)
        except SimulatorError as error:
            answer = error_answer(error, request.headers)
        own_headers, body = printed(answer)
        return Response(body, answer.status, headers={**headers, **own_headers})

    def _run(self, call: SalesCall) -> Answer:
        if call.target.name == "$batch":
            return self._batch(call)
        self._before_write(call)
        if call.method == "GET":
            return self._answer(call)
        with self._store.transaction():
            return self._answer(call)

    def _before_write(self, call: SalesCall) -> None:
        """A fault may edit the row now, outside the transaction that will judge it."""
        entity, key = ENTITIES.get(call.target.name), call.target.key
        if entity and key and call.method == "PATCH":
            row = table_of(self._store, entity).get(key)
            Faults.of(self._store).before_write(SALES, entity.set_name, row)

    def _answer(self, call: SalesCall) -> Answer:
        name, key, tail = call.target
        match name:
            case "WhoAmI":
                return self._who_am_i(call)
            case "$metadata":
                tables = ENTITIES.values()
                text = edmx(tables, "Microsoft.Dynamics.CRM", "System", "mscrm")
                return Answer(200, text.encode(), {"Content-Type": "application/xml"})
            case "EntityDefinitions" if key:
                return one_definition(call.root, key, tail)
            case "EntityDefinitions":
                return definitions(call.root, call.options.get("$filter", ""))
        entity = call.entity
        if key is None:
            return self._collection(call)
        return self._record(call, entity, key)

    def _who_am_i(self, call: SalesCall) -> Answer:
        values = organization(self._store)
        body = {
            "@odata.context": f"{call.root}$metadata#{ACTIONS}WhoAmIResponse",
            "BusinessUnitId": values.get("businessunitid"),
            "UserId": call.caller.user_id,
            "OrganizationId": values.get("organizationid"),
        }
        return Answer(200, body)

    def _collection(self, call: SalesCall) -> Answer:
        match call.method, call.target.tail.removeprefix(ACTIONS):
            case "GET", "":
                return self._reader.many(call)
            case "GET", "$count":
                return self._reader.count(call)
            case "POST", "":
                return self._represented(call, self._create(call, None), 201)
            case "POST", "CreateMultiple":
                return self._create_multiple(call)
            case "POST", "UpdateMultiple":
                return self._update_multiple(call)
        raise refusal("dv-method", method=call.method)

    def _record(self, call: SalesCall, entity: Entity, key: str) -> Answer:
        row = self._find(entity, key)
        if row:
            self._refuse_hidden(call, row)
        if call.method == "PATCH" and not call.target.tail:
            return self._patch(call, row, key)
        if row is None:
            raise not_found(entity, key)
        match call.method, call.target.tail:
            case "GET", "":
                return self._get(call, row)
            case "GET", name if entity is USER and name == USER_PRIVILEGES:
                return self._user_privileges(call, row)
            case "DELETE", "":
                match_version(row, call.headers.get("If-Match", ""))
                self._writer(call).delete(entity, row)
            case "PUT" | "DELETE", column if column:
                self._set_column(call, row, column)
            case _:
                raise refusal("dv-method", method=call.method)
        return Answer(204, headers=ODATA)

    def _refuse_hidden(self, call: SalesCall, row: Row) -> None:
        entity = call.entity
        words = {"user": call.caller.user_id, "id": row.id, "logical": entity.logical}
        faults = Faults.of(self._store)
        faults.refuse_hidden(SALES, entity.set_name, words, row)

    def _user_privileges(self, call: SalesCall, user: Row) -> Answer:
        name = "RetrieveUserPrivilegesResponse"
        context = f"{call.root}$metadata#{ACTIONS}{name}"
        rows = [
            {"Depth": "Global", "PrivilegeId": privilege_id(one), "PrivilegeName": one}
            for one in sorted(granted(roles_of(self._store, user)))
        ]
        return Answer(200, {"@odata.context": context, "RolePrivileges": rows})

    def _find(self, entity: Entity, key: str) -> Row | None:
        """By id or by alternate key. Raises 400 when there is no such key."""
        table = table_of(self._store, entity)
        if GUID.match(key):
            return table.get(key)
        name, _, value = key.partition("=")
        known = entity is ACCOUNT and name == "accountnumber"
        if not known or not account_number_is_key(self._store):
            raise refusal("dv-key-not-defined", table=entity.logical)
        rows = table.find(name, value.strip("'").replace("''", "'"))
        return rows[0] if rows else None

    def _get(self, call: SalesCall, row: Row) -> Answer:
        body = self._reader.one(call, row)
        if call.headers.get("If-None-Match") == body["@odata.etag"]:
            return Answer(304)
        return Answer(200, body)

    def _writer(self, call: SalesCall) -> Writer:
        return Writer(self._store, call.caller, call.references)

    def _create(self, call: SalesCall, id: str | None) -> Row:
        return self._writer(call).create(call.entity, call.payload(), id)

    def _patch(self, call: SalesCall, row: Row | None, key: str) -> Answer:
        """Update, upsert, or create only, as the ``If-…`` headers say (§3.2)."""
        if_match = call.headers.get("If-Match", "")
        if row is None and if_match:
            raise not_found(call.entity, key)
        if row is None:
            made = self._create(call, key if GUID.match(key) else None)
            return self._represented(call, made, 201)
        if call.headers.get("If-None-Match") == "*":
            raise refusal("dv-duplicate-id")
        match_version(row, if_match)
        row = self._writer(call).update(call.entity, row, call.payload())
        return self._represented(call, row, 200)

    def _represented(self, call: SalesCall, row: Row, status: int) -> Answer:
        """204 with the address of the row, or the row itself when it was asked for."""
        if call.prefer.get("return") == "representation":
            applied = {"Preference-Applied": "return=representation"}
            return Answer(status, self._reader.one(call, row), applied)
        address = f"{call.root}{call.entity.set_name}({row.id})"
        headers = {**ODATA, "OData-EntityId": address, "Location": address}
        return Answer(204, headers=headers)

    def _set_column(self, call: SalesCall, row: Row, column: str) -> None:
        """``PUT`` or ``DELETE`` of one column, or of a lookup's ``/$ref``."""
        name = column.removesuffix("/$ref")
        payload: dict[str, Any] = {name: None}
        if name != column:
            payload = {f"{name}{BIND}": None}
        elif call.method == "PUT":
            payload = {name: call.payload().get("value")}
        self._writer(call).update(call.entity, row, payload)

    def _create_multiple(self, call: SalesCall) -> Answer:
        writer = self._writer(call)
        rows = [writer.create(call.entity, target) for target in targets(call)]
        note_rows(call, "POST", rows)
        context = f"{call.root}$metadata#{ACTIONS}CreateMultipleResponse"
        return Answer(200, {"@odata.context": context, "Ids": [r.id for r in rows]})

    def _update_multiple(self, call: SalesCall) -> Answer:
        entity, writer, rows = call.entity, self._writer(call), []
        for target in targets(call):
            key = str(target.get(entity.id_name, ""))
            row = table_of(self._store, entity).get(key)
            if row is None:
                raise not_found(entity, key)
            self._refuse_hidden(call, row)
            rows.append(writer.update(entity, row, target))
        note_rows(call, "PATCH", rows)
        return Answer(204, headers=ODATA)

    def _batch(self, call: SalesCall) -> Answer:
        kind = call.headers.get("Content-Type", "")
        proceed = "odata.continue-on-error" in call.prefer
        answers: list[Answer | list[Answer]] = []
        status = 200
        for entry in sales_batch.parse(kind, call.body):
            answer = (
                self._change_set(call, entry)
                if isinstance(entry, ChangeSet)
                else self._part(call, entry)
            )
            answers.append(answer)
            if isinstance(answer, Answer) and answer.status >= 400 and not proceed:
                status = answer.status
                break
        kind, body = sales_batch.render(answers, str(uuid4()))
        return Answer(status, body, {"Content-Type": kind, **ODATA})

    def _part(self, call: SalesCall, part: Part) -> Answer:
        inner = inner_call(call, part, {})
        try:
            answer = self._run(inner)
        except SimulatorError as error:
            answer = error_answer(error, part.headers)
        call.note_part(part.method, part.url, answer.status, inner.notes.records)
        return replace(answer, content_id=part.content_id)

    def _change_set(self, call: SalesCall, entry: ChangeSet) -> list[Answer] | Answer:
        """All answers, or the one of the part for which everything is taken back."""
        answers: list[Answer] = []
        references: dict[str, str] = {}
        content_id = ""
        try:
            for part in entry.parts:
                self._before_write(inner_call(call, part, {}))
            with self._store.transaction():
                for part in entry.parts:
                    content_id = part.content_id
                    answer = self._answer(inner_call(call, part, references))
                    answers.append(replace(answer, content_id=content_id))
                    made = answer.headers.get("OData-EntityId")
                    if content_id and made:
                        references[f"${content_id}"] = made
        except SimulatorError as error:
            first = entry.parts[0]
            call.note_part(first.method, first.url, error.status)
            return error_answer(error, call.headers, content_id)
        for part, answer in zip(entry.parts, answers, strict=True):
            call.note_part(part.method, part.url, answer.status)
        return answers


def challenge(request: Request) -> dict[str, str]:
    base = base_url(request)
    uri = f"Bearer authorization_uri={base}/oauth2/authorize"
    return {"WWW-Authenticate": f"{uri}, resource_id={base}/sales/"}


def read_call(request: Request, caller: Caller) -> SalesCall:
    query = request.query_string.decode("ascii", "replace")
    return SalesCall(
        request.method,
        *read_address(f"{quote(request.path)}?{query}", {}),
        Headers(request.headers),
        request.get_data(),
        base_url(request) + API_ROOT,
        notes(request),
        caller,
    )


def inner_call(call: SalesCall, part: Part, references: Mapping[str, str]) -> SalesCall:
    """A part as a call of its own, by the same caller."""
    return SalesCall(
        part.method,
        *read_address(part.url, references),
        part.headers,
        part.body,
        call.root,
        Notes(),
        call.caller,
        references,
    )


def note_rows(call: SalesCall, method: str, rows: list[Row]) -> None:
    """For the request log: what a bulk action did to each row."""
    for row in rows:
        path = f"{call.entity.set_name}({row.id})"
        call.notes.parts.append({"method": method, "path": path, "status": 200})


def targets(call: SalesCall) -> list[dict[str, Any]]:
    """The rows of a bulk action; each must name its type."""
    found, entity = call.payload().get("Targets"), call.entity
    if not isinstance(found, list) or not all(isinstance(t, dict) for t in found):
        raise payload_refused(entity, "The parameter 'Targets' must be a list of rows.")
    wanted = f"{ACTIONS}{entity.logical}"
    if any(str(t.get("@odata.type", "")).lstrip("#") != wanted for t in found):
        reason = f"The '@odata.type' of each target must be '{wanted}'."
        raise payload_refused(entity, reason)
    return found
