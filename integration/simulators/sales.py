"""The Dataverse Web API v9.2 of the simulated Sales environment (protocols §3)."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from werkzeug.wrappers import Request, Response

from integration.simulators import sales_batch
from integration.simulators.entra import SALES, Principal, principal_of
from integration.simulators.faults import Faults
from integration.simulators.http import SimulatorError, base_url, notes
from integration.simulators.sales_batch import ChangeSet, Part
from integration.simulators.sales_call import (
    API_ROOT,
    Answer,
    Call,
    error_answer,
    json_answer,
)
from integration.simulators.sales_entities import ACCOUNT, ENTITIES, Entity
from integration.simulators.sales_metadata import definitions, edmx, one_definition
from integration.simulators.sales_read import Reader
from integration.simulators.sales_refusals import refusal
from integration.simulators.sales_security import Caller, caller_for, find_user
from integration.simulators.sales_values import GUID, payload_refused
from integration.simulators.sales_write import (
    Writer,
    account_number_is_key,
    not_found,
    organization,
    table_of,
)
from integration.simulators.store import Row, Store

__all__ = ["SalesApi"]

Note = Mapping[str, Any]
ACTIONS = "Microsoft.Dynamics.CRM."


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
        answer = self._called_by(principal, request)
        noted = notes(request)
        noted.records, noted.parts = answer.records, [dict(p) for p in answer.parts]
        headers |= answer.headers
        return Response(answer.body, answer.status, headers=headers)

    def _called_by(self, principal: Principal, request: Request) -> Answer:
        prefer = request.headers.get("Prefer", "")
        try:
            user = find_user(self._store, principal)
            call = read_call(request, caller_for(self._store, user))
            notes(request).entity = call.target.name
        except SimulatorError as error:
            return error_answer(error, prefer)
        answer = self.run(call)
        notes(request).wrote = call.method != "GET" and answer.status < 400
        return answer

    def run(self, call: Call) -> Answer:
        """The answer to one call, refusals included; a batch is one call."""
        try:
            if call.target.name == "$batch":
                return self._batch(call)
            self._before_write(call)
            return self._answer(call)
        except SimulatorError as error:
            return error_answer(error, call.annotations)

    def _before_write(self, call: Call) -> None:
        """A fault may edit the row now, outside the transaction that will judge it."""
        entity, key = ENTITIES.get(call.target.name), call.target.key
        if entity and key and call.method == "PATCH":
            row = table_of(self._store, entity).get(key)
            faults = Faults.of(self._store)
            faults.before_write(SALES, entity.set_name, "PATCH", row)

    def _answer(self, call: Call) -> Answer:
        name, key = call.target.name, call.target.key
        if name in self._functions:
            return self._functions[name](call)
        entity = ENTITIES.get(name)
        if entity is None:
            raise refusal("dv-segment-not-found", name=name)
        if key is None:
            return self._collection(call, entity)
        return self._record(call, entity, key)

    @property
    def _functions(self) -> dict[str, Callable[[Call], Answer]]:
        return {
            "WhoAmI": self._who_am_i,
            "$metadata": lambda call: edmx(),
            "EntityDefinitions": lambda call: (
                one_definition(call) if call.target.key else definitions(call)
            ),
        }

    def _who_am_i(self, call: Call) -> Answer:
        values = organization(self._store)
        return json_answer(
            {
                "@odata.context": f"{call.root}$metadata#{ACTIONS}WhoAmIResponse",
                "BusinessUnitId": values.get("businessunitid"),
                "UserId": call.caller.user_id,
                "OrganizationId": values.get("organizationid"),
            }
        )

    def _collection(self, call: Call, entity: Entity) -> Answer:
        match call.method, call.target.tail:
            case "GET", "":
                return self._reader.many(call, entity)
            case "GET", "$count":
                return self._reader.count(call, entity)
            case "POST", "":
                return self._created(call, entity, self._create(call, entity, None))
            case "POST", "Microsoft.Dynamics.CRM.CreateMultiple":
                return self._create_multiple(call, entity)
            case "POST", "Microsoft.Dynamics.CRM.UpdateMultiple":
                return self._update_multiple(call, entity)
        raise refusal("dv-method", method=call.method)

    def _record(self, call: Call, entity: Entity, key: str) -> Answer:
        row = self._find(call, entity, key)
        if call.method == "PATCH" and not call.target.tail:
            return self._patch(call, entity, row, key)
        if row is None:
            raise not_found(entity, key)
        match call.method, call.target.tail:
            case "GET", "":
                return self._get(call, entity, row)
            case "DELETE", "":
                return self._delete(call, entity, row)
            case "PUT" | "DELETE", column if column:
                return self._set_column(call, entity, row, column)
        raise refusal("dv-method", method=call.method)

    def _find(self, call: Call, entity: Entity, key: str) -> Row | None:
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

    def _get(self, call: Call, entity: Entity, row: Row) -> Answer:
        body = self._reader.one(call, entity, row)
        if call.headers.get("if-none-match") == body["@odata.etag"]:
            return Answer(304)
        return json_answer(body)

    def _create(self, call: Call, entity: Entity, id: str | None) -> Row:
        writer = Writer(self._store, call.caller, call.references)
        with self._store.transaction():
            return writer.create(entity, call.payload(entity), id)

    def _patch(self, call: Call, entity: Entity, row: Row | None, key: str) -> Answer:
        """Update, upsert, or create only, as the ``If-…`` headers say (§3.2)."""
        if_match = call.headers.get("if-match", "")
        if row is None and if_match:
            raise not_found(entity, key)
        if row is None:
            own_key = key if GUID.match(key) else None
            return self._created(call, entity, self._create(call, entity, own_key))
        if call.headers.get("if-none-match") == "*":
            raise refusal("dv-duplicate-id")
        writer = Writer(self._store, call.caller, call.references)
        with self._store.transaction():
            writer.match(entity, row, if_match)
            writer.update(entity, row, call.payload(entity))
        return self._represented(call, entity, row, 200)

    def _created(self, call: Call, entity: Entity, row: Row) -> Answer:
        return self._represented(call, entity, row, 201)

    def _represented(self, call: Call, entity: Entity, row: Row, status: int) -> Answer:
        """204 with the address of the row, or the row itself when it was asked for."""
        if call.prefer.get("return") == "representation":
            body = self._reader.one(call, entity, row)
            applied = {"Preference-Applied": "return=representation"}
            return json_answer(body, status, applied)
        address = f"{call.root}{entity.set_name}({row.id})"
        headers = {"OData-Version": "4.0", "OData-EntityId": address}
        return Answer(204, {**headers, "Location": address})

    def _delete(self, call: Call, entity: Entity, row: Row) -> Answer:
        writer = Writer(self._store, call.caller)
        with self._store.transaction():
            writer.match(entity, row, call.headers.get("if-match", ""))
            writer.delete(entity, row)
        return Answer(204, {"OData-Version": "4.0"})

    def _set_column(self, call: Call, entity: Entity, row: Row, column: str) -> Answer:
        """``PUT`` or ``DELETE`` of one column, or of a lookup's ``/$ref``."""
        name = column.removesuffix("/$ref")
        payload: dict[str, Any] = {name: None}
        if name != column:
            payload = {f"{name}@odata.bind": None}
        elif call.method == "PUT":
            payload = {name: call.payload(entity).get("value")}
        with self._store.transaction():
            Writer(self._store, call.caller).update(entity, row, payload)
        return Answer(204, {"OData-Version": "4.0"})

    def _create_multiple(self, call: Call, entity: Entity) -> Answer:
        writer = Writer(self._store, call.caller)
        with self._store.transaction():
            rows = [writer.create(entity, target) for target in targets(call, entity)]
        context = f"{call.root}$metadata#{ACTIONS}CreateMultipleResponse"
        body = {"@odata.context": context, "Ids": [row.id for row in rows]}
        return replace(json_answer(body), parts=noted_rows(entity, "POST", rows))

    def _update_multiple(self, call: Call, entity: Entity) -> Answer:
        writer = Writer(self._store, call.caller)
        table = table_of(self._store, entity)
        rows: list[Row] = []
        with self._store.transaction():
            for target in targets(call, entity):
                key = str(target.get(entity.key, ""))
                row = table.get(key)
                if row is None:
                    raise not_found(entity, key)
                rows.append(writer.update(entity, row, target))
        parts = noted_rows(entity, "PATCH", rows)
        return Answer(204, {"OData-Version": "4.0"}, parts=parts)

    def _batch(self, call: Call) -> Answer:
        entries = sales_batch.parse(call.headers.get("content-type", ""), call.body)
        proceed = "odata.continue-on-error" in call.prefer
        answers: list[Answer | list[Answer]] = []
        status = 200
        for entry in entries:
            if isinstance(entry, ChangeSet):
                answer = self._change_set(call, entry)
            else:
                answer = self._part(call, entry)
            answers.append(answer)
            if isinstance(answer, Answer) and answer.status >= 400 and not proceed:
                status = answer.status
                break
        kind, body = sales_batch.render(answers, str(uuid4()))
        headers = {"Content-Type": kind, "OData-Version": "4.0"}
        parts = noted_parts(entries, answers)
        records = sum(part["records"] for part in parts)
        return Answer(status, headers, body, records=records, parts=parts)

    def _part(self, call: Call, part: Part) -> Answer:
        answer = self.run(inner_call(call, part, {}))
        return replace(answer, content_id=part.content_id)

    def _change_set(self, call: Call, entry: ChangeSet) -> list[Answer] | Answer:
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
            return error_answer(error, call.annotations, content_id)
        return answers


def challenge(request: Request) -> dict[str, str]:
    base = base_url(request)
    uri = f"{base}/oauth2/authorize"
    return {
        "WWW-Authenticate": f"Bearer authorization_uri={uri}, resource_id={base}/sales/"
    }


def read_call(request: Request, caller: Caller) -> Call:
    query = request.query_string.decode("ascii", "replace")
    return Call(
        request.method,
        f"{quote(request.path, safe='/$(),=')}?{query}",
        {name.lower(): value for name, value in request.headers.items()},
        request.get_data(),
        base_url(request) + API_ROOT,
        caller,
    )


def inner_call(call: Call, part: Part, references: Mapping[str, str]) -> Call:
    """A part as a call of its own, by the same caller."""
    return replace(
        call,
        method=part.method,
        address=part.url,
        headers=part.headers,
        body=part.body,
        references=references,
    )


def noted_rows(entity: Entity, method: str, rows: list[Row]) -> tuple[Note, ...]:
    """For the request log: what a bulk action did to each row."""
    return tuple(
        {"method": method, "path": f"{entity.set_name}({row.id})", "status": 200}
        for row in rows
    )


def noted_parts(
    entries: list[Part | ChangeSet], answers: list[Answer | list[Answer]]
) -> tuple[Note, ...]:
    """For the request log: each request of a batch that was answered."""
    found: list[Note] = []
    for entry, answer in zip(entries, answers, strict=False):
        parts = entry.parts if isinstance(entry, ChangeSet) else (entry,)
        given = answer if isinstance(answer, list) else [answer]
        for part, one in zip(parts, given, strict=False):
            note = {"method": part.method, "path": part.url, "status": one.status}
            found.append({**note, "records": one.records})
    return tuple(found)


def targets(call: Call, entity: Entity) -> list[dict[str, Any]]:
    """The rows of a bulk action; each must name its type."""
    found = call.payload(entity).get("Targets")
    if not isinstance(found, list) or not all(isinstance(t, dict) for t in found):
        raise payload_refused(entity, "The parameter 'Targets' must be a list of rows.")
    wanted = f"{ACTIONS}{entity.logical}"
    for target in found:
        if str(target.get("@odata.type", "")).lstrip("#") != wanted:
            raise payload_refused(
                entity, f"The '@odata.type' of each target must be '{wanted}'."
            )
    return found
