"""Lists, single rows and changes of a Dataverse table (protocols §3.4, §3.5)."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

from integration.simulators.entities import LOOKUP, Entity, Field
from integration.simulators.faults import Faults
from integration.simulators.http import SALES, Answer, iso, refusal
from integration.simulators.odata import Expand, Query, parse_query
from integration.simulators.odata_filter import Dialect, ODataError
from integration.simulators.sales_call import SalesCall
from integration.simulators.sales_security import roles_of
from integration.simulators.sales_tables import (
    ROLE,
    TABLES,
    USER,
    organization,
    table_of,
)
from integration.simulators.store import Row, Store, Tombstone

PAGE_SIZE = 5000
DIALECT = Dialect(ignore_case=True, skip=False)
UNTRACKED_OPTIONS = ("$filter", "$orderby", "$expand", "$top")
TOKENS = ("$skiptoken", "$deltatoken")
TRACKED = {"Preference-Applied": "odata.track-changes"}
STAMP_FORMAT = "%m/%d/%Y %H:%M:%S"
COOKIE = re.compile(
    r'<cookie pagenumber="(\d+)" pagingcookie="([^"]*)" since="(\d*)" />\Z'
)
FORMATTED = "OData.Community.Display.V1.FormattedValue"
LOGICAL_NAME = "Microsoft.Dynamics.CRM.lookuplogicalname"


class Reader:
    """Every method answers a GET."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def one(self, call: SalesCall, row: Row) -> dict[str, Any]:
        """The row as ``$select`` and ``$expand`` want it. Raises 403 and 400."""
        call.caller.require("Read", call.entity)
        printer = Printer(self._store, call, call.entity, call.options)
        context = f"{call.root}$metadata#{printer.context}/$entity"
        return {"@odata.context": context, **printer.expanded(row)}

    def many(self, call: SalesCall) -> Answer:
        call.caller.require("Read", call.entity)
        with self._store.lock:
            if "$deltatoken" in call.options:
                return self._changes(call)
            tracked = "odata.track-changes" in call.prefer
            if tracked:
                _check_tracking(call)
            return self._page(call, tracked=tracked)

    def count(self, call: SalesCall) -> Answer:
        call.caller.require("Read", call.entity)
        table = table_of(self._store, call.entity)
        if "$deltatoken" in call.options:
            version = self._token_version(call.options["$deltatoken"])
            number = len(table.changes_since(version))
        else:
            query = read_query(call.options, call.entity)
            number = min(len(query.rows(table)), PAGE_SIZE)
        return Answer(200, str(number).encode(), {"Content-Type": "text/plain"})

    def _page(self, call: SalesCall, *, tracked: bool) -> Answer:
        number, token, since = _cookie(call.options.get("$skiptoken", ""))
        options = {**call.options, "$skiptoken": token}
        printer = Printer(self._store, call, call.entity, options)
        query = printer.query
        rows = self._in_sight(call, query.rows(table_of(self._store, call.entity)))
        chosen, following = query.page(rows, _page_size(call, query))
        body: dict[str, Any] = {
            "@odata.context": f"{call.root}$metadata#{printer.context}"
        }
        if query.count:
            body["@odata.count"] = min(len(rows), PAGE_SIZE)
        body["value"] = [printer.expanded(row) for row in chosen]
        start = int(since or self._store.version)
        if following:
            cookie = (
                f'<cookie pagenumber="{number + 1}" pagingcookie="{following}" '
                f'since="{start if tracked else ""}" />'
            )
            body["@odata.nextLink"] = _link(call, {"$skiptoken": cookie})
        elif tracked:
            body["@odata.deltaLink"] = self._delta_link(call, start)
        call.notes.records += len(chosen)
        return Answer(200, body, TRACKED if tracked else {})

    def _changes(self, call: SalesCall) -> Answer:
        version = self._token_version(call.options["$deltatoken"])
        printer = Printer(self._store, call, call.entity, call.options)
        changes = table_of(self._store, call.entity).changes_since(version)
        entries = self._in_sight(call, changes)
        size = _page_size(call, printer.query)
        chosen = entries[:size]
        gone = f"{call.root}$metadata#{call.entity.set_name}/$deletedEntity"
        body: dict[str, Any] = {
            "@odata.context": f"{call.root}$metadata#{printer.context}/$delta",
            "value": [
                {"@odata.context": gone, "id": entry.id, "reason": "deleted"}
                if isinstance(entry, Tombstone)
                else printer(entry)
                for entry in chosen
            ],
        }
        # Changes come in order of version, so a page goes on where the last one ended.
        more = len(entries) > size
        end = chosen[-1].version if more else self._store.version
        link = "@odata.nextLink" if more else "@odata.deltaLink"
        body[link] = self._delta_link(call, end)
        call.notes.records += len(chosen)
        return Answer(200, body)

    def _in_sight(self, call: SalesCall, rows: list[Any]) -> list[Any]:
        """Rows, or deletions, which nobody hides."""
        faults = Faults.of(self._store)
        return faults.in_sight(SALES, call.entity.set_name, rows)

    def _token_version(self, token: str) -> int:
        """The version in a delta token. Raises 400 when it is too old or not ours."""
        number, _, stamp = token.partition("!")
        try:
            made = datetime.strptime(stamp, STAMP_FORMAT).replace(tzinfo=UTC)
            version = int(number)
        except ValueError as error:
            reason = f"The delta token '{token}' is not valid."
            raise refusal("dv-query", reason=reason) from error
        days = organization(self._store).get("expirechangetrackingindays", 7)
        started = self._store.setting("reset.version", 0)
        if self._store.now() - made > timedelta(days=days) or version < started:
            raise refusal("dv-delta-token-expired")
        return version

    def _delta_link(self, call: SalesCall, version: int) -> str:
        token = f"{version}!{self._store.now().strftime(STAMP_FORMAT)}"
        return _link(call, {"$deltatoken": token})


class Printer:
    """Prints rows of one table as the options and preferences of a call want them."""

    def __init__(
        self, store: Store, call: SalesCall, entity: Entity, options: Mapping[str, str]
    ) -> None:
        self.query = read_query(options, entity)
        select = self.query.select
        names = list(entity.by_read_name if select is None else select)
        if entity.id_name not in names:
            names.append(entity.id_name)
        self._store = store
        self._call = call
        self._entity = entity
        self._columns = [entity.by_read_name[name] for name in names]
        self._readers = [(name, entity.readers[name]) for name in names]
        self._annotated = "*" in call.annotations or FORMATTED in call.annotations
        self.context = f"{entity.set_name}({','.join(names)})"

    def __call__(self, row: Row) -> dict[str, Any]:
        found: dict[str, Any] = {"@odata.etag": f'W/"{row.version}"'}
        for name, read in self._readers:
            found[name] = as_json(read(row))
        if self._annotated:
            found.update(self._annotations(found))
        return found

    def expanded(self, row: Row) -> dict[str, Any]:
        """The row with what ``$expand`` names."""
        found = self(row)
        for expand in self.query.expand:
            found[expand.name] = self._expand(expand, row)
        return found

    def _expand(self, expand: Expand, row: Row) -> Any:
        """The rows of the one collection there is, the row of a lookup, or None."""
        if self._entity is USER and expand.name == "systemuserroles_association":
            return self._related(ROLE, expand, roles_of(self._store, row))
        column = self._entity.by_name.get(expand.name)
        related = TABLES.get(column.target) if column else None
        if column is None or related is None:
            words = {"name": expand.name, "table": self._entity.logical}
            raise refusal("dv-property-not-found", **words)
        key = row.values.get(column.name) or ""
        single = table_of(self._store, related).get(key)
        found = self._related(related, expand, [single] if single else [])
        return found[0] if found else None

    def _related(
        self, target: Entity, expand: Expand, rows: Iterable[Row]
    ) -> list[dict[str, Any]]:
        self._call.caller.require("Read", target)
        printer = Printer(self._store, self._call, target, expand.options)
        return [printer(row) for row in rows]

    def _annotations(self, values: Mapping[str, Any]) -> dict[str, Any]:
        found = {}
        for column in self._columns:
            name, value = column.read_name, values[column.read_name]
            if value is None:
                continue
            if column.type == LOOKUP:
                found[f"{name}@{FORMATTED}"] = self._name_of(column, value)
                found[f"{name}@{LOGICAL_NAME}"] = column.target
            elif column.options:
                found[f"{name}@{FORMATTED}"] = column.options.get(value, str(value))
        return found

    def _name_of(self, column: Field, id: str) -> str:
        target = TABLES.get(column.target)
        row = table_of(self._store, target).get(id) if target else None
        return str(row.values.get(target.title) or "") if row and target else ""


def as_json(value: Any) -> Any:
    """Moments with whole seconds; everything else as it is."""
    return iso(value) if isinstance(value, datetime) else value


def read_query(options: Mapping[str, str], entity: Entity) -> Query:
    try:
        return parse_query(options, entity.columns(entity.readers), DIALECT)
    except ODataError as error:
        reason = str(error)
        if reason.startswith("Could not find a property"):
            reason += f" on type 'Microsoft.Dynamics.CRM.{entity.logical}'."
        raise refusal("dv-query", reason=reason) from error


def _check_tracking(call: SalesCall) -> None:
    if not call.entity.tracked:
        raise refusal("dv-change-tracking-off", table=call.entity.logical)
    for option in UNTRACKED_OPTIONS:
        if option in call.options:
            raise refusal("dv-change-tracking-option", option=option)


def _cookie(text: str) -> tuple[int, str, str]:
    """Page number, place in the order and starting version of a skip token."""
    if not text:
        return 1, "", ""
    found = COOKIE.match(text)
    if found is None:
        raise refusal("dv-query", reason="Malformed XML in the Paging Cookie.")
    return int(found[1]), found[2], found[3]


def _link(call: SalesCall, token: Mapping[str, str]) -> str:
    kept = {name: call.options[name] for name in call.options if name not in TOKENS}
    query = urlencode({**kept, **token}, safe="$,()", quote_via=quote)
    return f"{call.root}{call.entity.set_name}?{query}"


def _page_size(call: SalesCall, query: Query) -> int:
    """Rows of one page: never above 5,000; ``$top`` rules paging out."""
    wanted = call.page_size()
    return min(wanted, PAGE_SIZE) if wanted and query.top is None else PAGE_SIZE
