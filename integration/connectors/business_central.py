"""The Business Central client: API v2.0 of one company (protocols §2).

Reads never go to the read-only replica: it may lag behind what we look for.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from urllib.parse import quote

from integration.connectors import batch_json
from integration.connectors.auth import PUBLIC_AUTHORITY, token_url
from integration.connectors.base import (
    LONGEST_NAME,
    Create,
    Delete,
    Identity,
    Update,
    WriteResult,
)
from integration.connectors.batch import (
    Part,
    results_of,
    send_splitting,
    update_known,
    with_request_id,
    write_in_chunks,
)
from integration.connectors.calls import Answer, Call
from integration.connectors.errors import (
    ConnectionRefused,
    CursorExpired,
    NotFound,
    remote_error,
)
from integration.connectors.odata import (
    RecordShape,
    address,
    guid,
    id_filters,
    literal,
    parse_moment,
)
from integration.connectors.session import Entrance, Session, Wiring
from integration.connectors.sign_in import SignIn
from integration.core.failures import FailureKind
from integration.core.records import Page, Record, System

BATCH_SIZE = 100
"""The most a batch may hold (protocols §2.5)."""
PAGE_SIZE = 5_000
CONCURRENT = 5
MOST_LISTED = 10_000
"""Of what is read into one list: companies, entries of the job queue."""
_URL_CHARACTERS = 2_000
_BATCH_SECONDS = 300.0
GOES_ON_SECONDS = 600.0
"""Its gateway gives up a call that takes longer."""
_SCOPE = "https://api.businesscentral.dynamics.com/.default"
_SHAPE = RecordShape(key="id", modified="lastModifiedDateTime")
_PAGES = f"odata.maxpagesize={PAGE_SIZE}"


@dataclass(slots=True, kw_only=True, eq=False)
class BusinessCentral:
    """One company. ``base_url`` is what stands before ``/v2.0/{tenant}/…``.

    ``goes_on_seconds``: so long a call may be carried out there, also when nobody waits
    for its answer any more (protocols §2.6).
    """

    base_url: str
    tenant: str
    environment: str
    company_id: str
    sign_in: SignIn
    authority: str = PUBLIC_AUTHORITY
    scope: str = _SCOPE
    goes_on_seconds: float = GOES_ON_SECONDS
    wiring: Wiring = field(default_factory=Wiring, repr=False)
    system: System = field(default=System.BUSINESS_CENTRAL, init=False)
    fetched: Counter[str] = field(default_factory=Counter, init=False, repr=False)
    _session: Session = field(init=False, repr=False)
    _company: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        place = f"{quote(self.tenant, safe='')}/{quote(self.environment, safe='')}"
        root = f"{self.base_url.rstrip('/')}/v2.0/{place}/api/v2.0/"
        # Error texts follow the language; ours are matched in English.
        headers = {"Accept": "application/json", "Accept-Language": "en-US"}
        self._company = f"companies({guid(self.company_id)})"
        self._session = Session.open(
            Call(self.system, "", "", root, headers),
            Entrance(token_url(self.authority, self.tenant), self.scope, self.sign_in),
            self.wiring,
            CONCURRENT,
        )

    def read_changes(
        self, entity: str, fields: Sequence[str], cursor: str
    ) -> Iterator[Page]:
        """Records changed at or after ``cursor``; by id when it is "" (protocols §5).

        The next cursor is the ``Date`` of the first answer: what changes while the
        pages are read is read again next time, what was read is not. Without a ``Date``
        it is the newest change seen. It never goes back: a cursor later than that
        ``Date`` counts as expired, since the clock has gone back.
        """
        call = self._list(entity, fields, orderby="id")
        since = parse_moment(cursor)
        if since:
            changed = f"{_SHAPE.modified} ge {literal(since)}"
            order = f"{_SHAPE.modified},{_SHAPE.key}"
            call = self._list(entity, fields, filter=changed, orderby=order)
        elif cursor:
            message = f"Not a moment: {cursor[:60]!r}"
            raise _expired(call, "cursor-unreadable", message)
        newest = since
        began: datetime | None = None
        for body, answer in self._session.pages(call):
            with self._session.readable(call):
                records = _records(body)
            self.fetched[entity] += len(records)
            began = began or answer.date
            if since and began and began < since:
                message = f"{cursor} is later than the server's time"
                raise _expired(call, "cursor-of-the-future", message)
            newest = _newest(newest, records)
            is_last = not body.get("@odata.nextLink")
            reached = began or newest
            yield Page(
                records=records,
                cursor=literal(reached) if is_last and reached else "",
            )

    def read_all(
        self,
        entity: str,
        fields: Sequence[str],
        where: str = "",
        most: int | None = None,
    ) -> Iterator[Page]:
        call = self._list(entity, fields, filter=where)
        for body, _ in self._session.pages(call, most):
            with self._session.readable(call):
                records = _records(body)
            self.fetched[entity] += len(records)
            yield Page(records=records)

    def read_many(
        self, entity: str, fields: Sequence[str], ids: Sequence[str]
    ) -> dict[str, Record]:
        bare = self._list(entity, fields, filter=" ").url
        found: dict[str, Record] = {}
        room = max(200, _URL_CHARACTERS - len(bare))
        for where in id_filters(_SHAPE.key, ids, room):
            for page in self.read_all(entity, fields, where, len(ids)):
                found |= {record.id: record for record in page.records}
        return found

    def read_one(self, entity: str, fields: Sequence[str], id: str) -> Record:
        path = self._one(entity, fields, id)
        call = self._session.call(f"read {entity}", "GET", path)
        call = replace(call, record_id=guid(id))
        body = self._session.get(call)
        with self._session.readable(call):
            return _SHAPE.record(body)

    def read_each(
        self, entity: str, fields: Sequence[str], ids: Sequence[str]
    ) -> list[WriteResult]:
        parts = [
            Part("GET", self._one(entity, fields, key), None, record_id=guid(key))
            for key in ids
        ]
        return self._write(f"read {entity}", parts, repeatable=True)

    def create_many(
        self, entity: str, fields: Sequence[str], creates: Sequence[Create]
    ) -> list[WriteResult]:
        """Create, 100 per call. An id cannot be sent, so nothing is sent twice."""
        parts = [
            Part("POST", f"{self._company}/{entity}", create.values)
            for create in creates
        ]
        return self._write(f"create {entity}", parts, repeatable=False)

    def update_many(
        self, entity: str, fields: Sequence[str], updates: Sequence[Update]
    ) -> list[WriteResult]:
        def write(known: Sequence[Update]) -> list[WriteResult]:
            parts = [
                self._part("PATCH", entity, update, update.values) for update in known
            ]
            return self._write(operation, parts, repeatable=True)

        operation = f"update {entity}"
        blank = self._session.call(operation, "PATCH", f"{self._company}/{entity}")
        return update_known(updates, blank, write)

    def delete_many(self, entity: str, deletes: Sequence[Delete]) -> list[WriteResult]:
        parts = [self._part("DELETE", entity, delete, None) for delete in deletes]
        return self._write(f"delete {entity}", parts, repeatable=True)

    def identity(self) -> Identity:
        """The company's name: nothing here says who we are.

        Raises ``ConnectionRefused`` when the company is not there.
        """
        path = address(self._company, select="id,name,displayName")
        call = self._session.call("read company", "GET", path)
        call = replace(call, record_id=guid(self.company_id))
        try:
            body = self._session.get(call)
        except NotFound as error:
            failure = replace(
                error.failure,
                kind=FailureKind.CONNECTION,
                code="company-not-found",
                message=f"There is no company with the id {self.company_id}",
            )
            raise ConnectionRefused(failure) from error
        return Identity(name=str(body.get("name") or "")[:LONGEST_NAME])

    def companies(self) -> list[dict[str, Any]]:
        """Every company of the environment, as the API gives it."""
        return self._rows("companies")

    def ledger_setup(self) -> dict[str, Any]:
        """General ledger setup; ``localCurrencyCode`` is in it."""
        return self._single(f"{self._company}/generalLedgerSetup")

    def job_queue_entries(self, where: str = "") -> list[dict[str, Any]]:
        """Job queue entries that meet ``where``: Microsoft's own sync is among them."""
        return self._rows(address(f"{self._company}/jobQueueEntries", filter=where))

    def peek(self, entity: str) -> None:
        """Read none of its records: whether we may. Raises ``RemoteError``."""
        self._session.get(self._list(entity, (), top="0"))

    def be_patient(self, seconds: float) -> None:
        self._session.be_patient(seconds)

    def server_time(self) -> datetime | None:
        return self._session.server_time()

    def close(self) -> None:
        self._session.close()

    def _list(self, entity: str, fields: Sequence[str], **options: str) -> Call:
        select = _SHAPE.select(fields)
        path = address(f"{self._company}/{entity}", select=select, **options)
        return self._session.call(f"read {entity}", "GET", path, Prefer=_PAGES)

    def _one(self, entity: str, fields: Sequence[str], id: str) -> str:
        select = _SHAPE.select(fields)
        return address(f"{self._company}/{entity}({guid(id)})", select=select)

    def _rows(self, path: str) -> list[dict[str, Any]]:
        name = path.partition("?")[0].rpartition("/")[2]
        call = self._session.call(f"read {name}", "GET", path, Prefer=_PAGES)
        pages = self._session.pages(call, MOST_LISTED)
        return [row for body, _ in pages for row in body["value"]]

    def _single(self, path: str) -> dict[str, Any]:
        """The only row of a set that holds one, wherever the API puts it."""
        name = path.rpartition("/")[2]
        call = self._session.call(f"read {name}", "GET", path)
        body = self._session.get(call)
        rows = body.get("value")
        if not isinstance(rows, list):
            return body
        if not rows:
            message = f"{name} is empty"
            kind = FailureKind.REFUSED
            raise remote_error(call.failure(kind, "nothing-there", message))
        with self._session.readable(call):
            return dict(rows[0])

    def _part(
        self, method: str, entity: str, of: Update | Delete, body: Any | None
    ) -> Part:
        """To a record as it was read."""
        path = f"{self._company}/{entity}({guid(of.id)})"
        return Part(method, path, body, {"If-Match": of.etag}, record_id=guid(of.id))

    def _write(
        self, operation: str, parts: Sequence[Part], *, repeatable: bool
    ) -> list[WriteResult]:
        call = self._batch_call(operation)

        def send(chunk: Sequence[Part]) -> list[Answer | None]:
            whole = replace(call, content=batch_json.encode(chunk), cost=len(chunk))
            answer = self._session.transport.send(whole)
            body = self._session.read(whole, answer)
            return with_request_id(batch_json.decode(body, len(chunk)), answer)

        def write(chunk: Sequence[Part]) -> list[WriteResult]:
            results = send_splitting(chunk, send, repeatable=repeatable)
            return results_of(chunk, results, _SHAPE, call)

        return write_in_chunks(parts, BATCH_SIZE, write)

    def _batch_call(self, operation: str) -> Call:
        call = self._session.call(
            operation,
            "POST",
            "$batch",
            Content_Type="application/json",
            Prefer="odata.continue-on-error",
        )
        return replace(call, read_timeout_seconds=_BATCH_SECONDS)


def _expired(call: Call, code: str, message: str) -> CursorExpired:
    return CursorExpired(call.failure(FailureKind.EXPIRED_CURSOR, code, message))


def _records(body: dict[str, Any]) -> tuple[Record, ...]:
    return _SHAPE.records(body["value"])


def _newest(known: datetime | None, records: Sequence[Record]) -> datetime | None:
    moments = [record.modified_at for record in records if record.modified_at]
    return max([*moments, known] if known else moments, default=None)
