"""Lists, single rows and changes of a Dataverse table (protocols §3.4, §3.5)."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

from integration.simulators import odata
from integration.simulators.sales_call import Answer, Call, json_answer
from integration.simulators.sales_entities import ROLE, TABLES, USER, Entity
from integration.simulators.sales_refusals import refusal
from integration.simulators.sales_rows import Printer, query_columns
from integration.simulators.sales_security import roles_of
from integration.simulators.sales_write import organization, table_of
from integration.simulators.store import Row, Store, Tombstone

__all__ = ["PAGE_SIZE", "Reader"]

PAGE_SIZE = 5000
DIALECT = odata.Dialect(ignore_case=True, skip=False)
UNTRACKED_OPTIONS = ("$filter", "$orderby", "$expand", "$top")
TRACKED = {"Preference-Applied": "odata.track-changes"}
STAMP_FORMAT = "%m/%d/%Y %H:%M:%S"
COOKIE = re.compile(
    r'<cookie pagenumber="(\d+)" pagingcookie="([^"]*)" since="(\d*)" />\Z'
)


class Reader:
    """Reads for one caller; every method answers a GET."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def one(self, call: Call, entity: Entity, row: Row) -> dict[str, Any]:
        """The row as ``$select`` and ``$expand`` want it. Raises 403 and 400."""
        call.caller.require("Read", entity)
        query = self._query(call.options, entity)
        printer = Printer(self._store, entity, query.select, call.annotations)
        context = f"{call.root}$metadata#{printer.context}/$entity"
        return {"@odata.context": context} | self._print(
            call, entity, query, printer, row
        )

    def many(self, call: Call, entity: Entity) -> Answer:
        call.caller.require("Read", entity)
        with self._store.lock:
            if "$deltatoken" in call.options:
                return self._changes(call, entity)
            if "odata.track-changes" in call.prefer:
                self._check_tracking(call, entity)
                return self._page(call, entity, tracked=True)
            return self._page(call, entity, tracked=False)

    def count(self, call: Call, entity: Entity) -> Answer:
        call.caller.require("Read", entity)
        if "$deltatoken" in call.options:
            version = self._token_version(call.options["$deltatoken"])
            number = len(table_of(self._store, entity).changes_since(version))
        else:
            query = self._query(call.options, entity)
            number = min(len(query.rows(table_of(self._store, entity))), PAGE_SIZE)
        return Answer(200, {"Content-Type": "text/plain"}, str(number).encode())

    def _page(self, call: Call, entity: Entity, *, tracked: bool) -> Answer:
        number, token, since = self._cookie(call.options.get("$skiptoken", ""))
        options = dict(call.options)
        options.pop("$skiptoken", None)
        if token:
            options["$skiptoken"] = token
        query = self._query(options, entity)
        rows = query.rows(table_of(self._store, entity))
        chosen, following = query.page(rows, page_size(call, query))
        printer = Printer(self._store, entity, query.select, call.annotations)
        body = {
            "@odata.context": f"{call.root}$metadata#{printer.context}",
            **({"@odata.count": min(len(rows), PAGE_SIZE)} if query.count else {}),
            "value": [self._print(call, entity, query, printer, row) for row in chosen],
        }
        start = int(since or self._store.version)
        if following:
            kept = start if tracked else ""
            cookie = (
                f'<cookie pagenumber="{number + 1}" pagingcookie="{following}" '
                f'since="{kept}" />'
            )
            body["@odata.nextLink"] = self._link(call, entity, {"$skiptoken": cookie})
        elif tracked:
            body["@odata.deltaLink"] = self._delta_link(call, entity, start)
        headers = TRACKED if tracked else None
        return replace(json_answer(body, headers=headers), records=len(chosen))

    def _changes(self, call: Call, entity: Entity) -> Answer:
        version = self._token_version(call.options["$deltatoken"])
        query = self._query(call.options, entity)
        printer = Printer(self._store, entity, query.select, call.annotations)
        entries = table_of(self._store, entity).changes_since(version)
        size = page_size(call, query)
        chosen = entries[:size]
        gone = f"{call.root}$metadata#{entity.set_name}/$deletedEntity"
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
        if len(entries) > size:
            last = chosen[-1].version
            body["@odata.nextLink"] = self._delta_link(call, entity, last)
        else:
            body["@odata.deltaLink"] = self._delta_link(
                call, entity, self._store.version
            )
        return replace(json_answer(body), records=len(chosen))

    def _query(self, options: Mapping[str, str], entity: Entity) -> odata.Query:
        try:
            return odata.parse_query(options, query_columns(entity), DIALECT)
        except odata.ODataError as error:
            reason = str(error)
            if reason.startswith("Could not find a property"):
                reason += f" on type 'Microsoft.Dynamics.CRM.{entity.logical}'."
            raise refusal("dv-query", reason=reason) from error

    def _print(
        self, call: Call, entity: Entity, query: odata.Query, printer: Printer, row: Row
    ) -> dict[str, Any]:
        found = printer(row)
        for expand in query.expand:
            found[expand.name] = self._expanded(call, entity, expand, row)
        return found

    def _expanded(
        self, call: Call, entity: Entity, expand: odata.Expand, row: Row
    ) -> list[dict[str, Any]] | dict[str, Any] | None:
        if entity is USER and expand.name == "systemuserroles_association":
            rows, target = roles_of(self._store, row), ROLE
            return self._related(call, target, expand, rows)
        column = entity.by_name.get(expand.name)
        related = TABLES.get(column.target) if column else None
        if column is None or related is None:
            raise refusal(
                "dv-property-not-found", name=expand.name, table=entity.logical
            )
        key = row.values.get(column.name) or ""
        single = table_of(self._store, related).get(key)
        found = self._related(call, related, expand, [single] if single else [])
        return found[0] if found else None

    def _related(
        self, call: Call, target: Entity, expand: odata.Expand, rows: Iterable[Row]
    ) -> list[dict[str, Any]]:
        call.caller.require("Read", target)
        query = self._query(expand.options, target)
        printer = Printer(self._store, target, query.select, call.annotations)
        return [printer(row) for row in rows]

    def _check_tracking(self, call: Call, entity: Entity) -> None:
        if not entity.tracked:
            raise refusal("dv-change-tracking-off", table=entity.logical)
        for option in UNTRACKED_OPTIONS:
            if option in call.options:
                raise refusal("dv-change-tracking-option", option=option)

    def _token_version(self, token: str) -> int:
        """The version in a delta token. Raises 400 when it is too old or not ours."""
        number, _, stamp = token.partition("!")
        try:
            made = datetime.strptime(stamp, STAMP_FORMAT).replace(tzinfo=UTC)
            version = int(number)
        except ValueError as error:
            raise refusal(
                "dv-query", reason=f"The delta token '{token}' is not valid."
            ) from error
        days = organization(self._store).get("expirechangetrackingindays", 7)
        started = self._store.setting("reset.version", 0)
        if self._store.now() - made > timedelta(days=days) or version < started:
            raise refusal("dv-delta-token-expired")
        return version

    def _cookie(self, text: str) -> tuple[int, str, str]:
        """Page number, place in the order and starting version of a skip token."""
        if not text:
            return 1, "", ""
        found = COOKIE.match(text)
        if found is None:
            raise refusal("dv-query", reason="Malformed XML in the Paging Cookie.")
        return int(found[1]), found[2], found[3]

    def _delta_link(self, call: Call, entity: Entity, version: int) -> str:
        token = f"{version}!{self._store.now().strftime(STAMP_FORMAT)}"
        return self._link(call, entity, {"$deltatoken": token})

    def _link(self, call: Call, entity: Entity, token: Mapping[str, str]) -> str:
        kept = {
            name: value
            for name, value in call.options.items()
            if name not in ("$skiptoken", "$deltatoken")
        }
        query = urlencode({**kept, **token}, safe="$,()", quote_via=quote)
        return f"{call.root}{entity.set_name}?{query}"


def page_size(call: Call, query: odata.Query) -> int:
    """Rows of one page: never above 5,000; ``$top`` rules paging out."""
    wanted = call.prefer.get("odata.maxpagesize", "")
    if not wanted.isdigit() or int(wanted) < 1 or query.top is not None:
        return PAGE_SIZE
    return min(int(wanted), PAGE_SIZE)
