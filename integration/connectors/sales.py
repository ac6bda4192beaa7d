"""The Dynamics 365 Sales client: Dataverse Web API v9.2 (protocols §3)."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qs, urlsplit

from integration.connectors import batch_multipart
from integration.connectors.auth import PUBLIC_AUTHORITY, token_url
from integration.connectors.base import (
    LONGEST_NAME,
    Create,
    Delete,
    Identity,
    Update,
    WriteResult,
    Written,
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
    RemoteError,
    remote_error,
)
from integration.connectors.odata import (
    RecordShape,
    address,
    dump_json,
    guid,
    id_filters,
    is_guid,
)
from integration.connectors.session import Entrance, Session, Wiring
from integration.connectors.sign_in import SignIn
from integration.core.failures import FailureKind
from integration.core.records import Page, Record, System

BATCH_SIZE = 1_000
"""The most a batch may hold; a good size for bulk actions too (protocols §3.7)."""
PAGE_SIZE = 5_000
CONCURRENT = 10
_SMALL = 10
"""Up to so many creates go as single requests of one batch: their etags come back."""
_URL_CHARACTERS = 16_000
_BATCH_SECONDS = 300.0
_PAGES = f"odata.maxpagesize={PAGE_SIZE}"
_TRACKED = f"odata.track-changes,{_PAGES}"
_BIND = "@odata.bind"
_TARGET = re.compile(r"\(([0-9a-fA-F-]{36})\)\s*$")
_POLYMORPHIC = re.compile(r"_(?:account|contact)$")
_MOST_ROLES = 200
_USER_FIELDS = (
    "fullname,domainname,isdisabled,accessmode,applicationid,islicensed,"
    "isintegrationuser"
)
_PRIVILEGES = "Microsoft.Dynamics.CRM.RetrieveUserPrivileges()"
_ROLES = "systemuserroles_association($select=roleid,name,_roletemplateid_value)"


@dataclass(slots=True, kw_only=True, eq=False)
class Sales:
    """One environment. ``base_url`` is what stands before ``/api/data/…``.

    ``scope`` is the organization's address with ``/.default`` unless given.
    ``strong_consistency`` goes round the permission cache of about 30 s: for checks
    after somebody changed a role.
    """

    base_url: str
    tenant: str
    sign_in: SignIn
    authority: str = PUBLIC_AUTHORITY
    scope: str = ""
    strong_consistency: bool = False
    wiring: Wiring = field(default_factory=Wiring, repr=False)
    # What is created carries our key: it is found, or refused, whenever that was.
    goes_on_seconds: float = field(default=0.0, init=False)
    system: System = field(default=System.SALES, init=False)
    fetched: Counter[str] = field(default_factory=Counter, init=False, repr=False)
    _session: Session = field(init=False, repr=False)

    def __post_init__(self) -> None:
        base = self.base_url.rstrip("/")
        headers = {
            "Accept": "application/json",
            "Accept-Language": "en-US",
            "OData-MaxVersion": "4.0",
            "OData-Version": "4.0",
        }
        if self.strong_consistency:
            headers["Consistency"] = "Strong"
        scope = self.scope or f"{base}/.default"
        self._session = Session.open(
            Call(self.system, "", "", f"{base}/api/data/v9.2/", headers),
            Entrance(token_url(self.authority, self.tenant), scope, self.sign_in),
            self.wiring,
            CONCURRENT,
        )

    def read_changes(
        self, entity: str, fields: Sequence[str], cursor: str
    ) -> Iterator[Page]:
        """Changes and deletions since the delta link ``cursor``; all when it is "".

        A link that another column set or another host made counts as expired.
        """
        select = _shape(entity).select(fields)
        call = self._get(f"read {entity}", address(entity, select=select), _TRACKED)
        if cursor:
            call = replace(call, url=self._stored_link(call, cursor, select))
        try:
            yield from self._changes(entity, call)
        except RemoteError as error:
            if cursor and _means_expired(error):
                kind = FailureKind.EXPIRED_CURSOR
                failure = replace(error.failure, kind=kind)
                raise CursorExpired(failure) from error
            raise

    def read_all(
        self,
        entity: str,
        fields: Sequence[str],
        where: str = "",
        most: int | None = None,
    ) -> Iterator[Page]:
        shape = _shape(entity)
        # Paging is only steady in the order of a unique column (protocols §3.4).
        path = address(
            entity, select=shape.select(fields), filter=where, orderby=shape.key
        )
        call = self._get(f"read {entity}", path, _PAGES)
        for body, _ in self._session.pages(call, most):
            with self._session.readable(call):
                records = shape.records(body["value"])
            self.fetched[entity] += len(records)
            yield Page(records=records)

    def read_many(
        self, entity: str, fields: Sequence[str], ids: Sequence[str]
    ) -> dict[str, Record]:
        key = _shape(entity).key
        found: dict[str, Record] = {}
        for where in id_filters(key, ids, _URL_CHARACTERS):
            for page in self.read_all(entity, fields, where, len(ids)):
                found |= {record.id: record for record in page.records}
        return found

    def read_one(self, entity: str, fields: Sequence[str], id: str) -> Record:
        path = self._one(entity, fields, id)
        call = replace(self._get(f"read {entity}", path), record_id=guid(id))
        body = self._session.get(call)
        with self._session.readable(call):
            return _shape(entity).record(body)

    def read_each(
        self, entity: str, fields: Sequence[str], ids: Sequence[str]
    ) -> list[WriteResult]:
        def read(chunk: Sequence[str]) -> list[WriteResult]:
            parts = [
                Part("GET", self._one(entity, fields, key), None, record_id=guid(key))
                for key in chunk
            ]
            return self._write(entity, f"read {entity}", parts)

        return write_in_chunks(ids, BATCH_SIZE, read)

    def create_many(
        self, entity: str, fields: Sequence[str], creates: Sequence[Create]
    ) -> list[WriteResult]:
        """Create with our own keys, so that sending twice does no harm.

        One bulk action per 1,000; when it is refused as a whole, one batch of single
        requests, in which the guilty stand alone. The bulk action answers ids only;
        the records are not read back: what somebody changed since would pass for ours.
        """

        def write(chunk: Sequence[Create]) -> list[WriteResult]:
            keys = [guid(create.key) for create in chunk]
            if len(chunk) > _SMALL:
                # Beforehand: once it is answered, the next call waits for it.
                made: list[WriteResult] = [*map(_as_sent, keys, chunk)]
                if self._create_in_bulk(entity, keys, chunk):
                    return made
            parts = [_create(entity, fields, create) for create in chunk]
            return self._write(entity, f"create {entity}", parts)

        return write_in_chunks(creates, BATCH_SIZE, write)

    def update_many(
        self, entity: str, fields: Sequence[str], updates: Sequence[Update]
    ) -> list[WriteResult]:
        """Update 1,000 per call, each with its own ``If-Match``.

        Bulk actions know no ``If-Match`` and are not used here (design §6, promise 5).
        """

        def write(known: Sequence[Update]) -> list[WriteResult]:
            parts = [_update(entity, fields, update) for update in known]
            return write_in_chunks(
                parts, BATCH_SIZE, lambda c: self._write(entity, operation, c)
            )

        operation = f"update {entity}"
        blank = self._session.call(operation, "PATCH", entity)
        return update_known(updates, blank, write)

    def delete_many(self, entity: str, deletes: Sequence[Delete]) -> list[WriteResult]:
        parts = [
            Part(
                "DELETE",
                f"{entity}({guid(delete.id)})",
                None,
                {"If-Match": delete.etag},
                record_id=guid(delete.id),
            )
            for delete in deletes
        ]
        return write_in_chunks(
            parts, BATCH_SIZE, lambda c: self._write(entity, f"delete {entity}", c)
        )

    def identity(self) -> Identity:
        """The user we are, with roles; two calls."""
        who = self._session.get(self._get("read identity", "WhoAmI"))
        with self._session.readable(self._get("read identity", "WhoAmI")):
            user_id = guid(str(who.get("UserId", "")))
        path = address(f"systemusers({user_id})", select=_USER_FIELDS, expand=_ROLES)
        call = self._get("read identity", path)
        user = self._session.get(call)
        with self._session.readable(call):
            return _identity(user_id, user)

    def privileges(self, user_id: str) -> frozenset[str]:
        """The names of what this user may do, by roles and teams: "prvReadAccount"."""
        path = f"systemusers({guid(user_id)})/{_PRIVILEGES}"
        call = self._get("read privileges", path)
        body = self._session.get(call)
        with self._session.readable(call):
            rows = body.get("RolePrivileges") or ()
            return frozenset(str(row.get("PrivilegeName") or "") for row in rows)

    def base_currency(self) -> str:
        """The code of the currency in which rates are counted; two calls."""
        pages = self.read_all("organizations", ("_basecurrencyid_value",), most=1)
        rows = [record for page in pages for record in page.records]
        if not rows:
            call = self._get("read organizations", "organizations")
            kind = FailureKind.REFUSED
            message = "The environment does not name its organization"
            raise remote_error(call.failure(kind, "nothing-there", message))
        values = rows[0].values
        with self._session.readable(self._get("read organizations", "organizations")):
            currency_id = guid(str(values.get("_basecurrencyid_value") or ""))
        currency = self.read_one(
            "transactioncurrencies", ("isocurrencycode",), currency_id
        )
        return str(currency.values.get("isocurrencycode") or "").upper()

    def be_patient(self, seconds: float) -> None:
        self._session.be_patient(seconds)

    def server_time(self) -> datetime | None:
        return self._session.server_time()

    def close(self) -> None:
        self._session.close()

    def _get(self, operation: str, path: str, prefer: str = "") -> Call:
        headers = {"Prefer": prefer} if prefer else {}
        # Defeats caches between us and the service (protocols §3.1).
        return self._session.call(
            operation, "GET", path, If_None_Match="null", **headers
        )

    def _one(self, entity: str, fields: Sequence[str], id: str) -> str:
        select = _shape(entity).select(fields)
        return address(f"{entity}({guid(id)})", select=select)

    def _stored_link(self, call: Call, link: str, select: str) -> str:
        if self._session.belongs_here(link):
            asked = parse_qs(urlsplit(link).query).get("$select", [select])[0]
            if set(asked.split(",")) == set(select.split(",")):
                return link
        message = "The stored delta link belongs to another host or other columns"
        kind = FailureKind.EXPIRED_CURSOR
        raise CursorExpired(call.failure(kind, "delta-link-foreign", message))

    def _changes(self, entity: str, call: Call) -> Iterator[Page]:
        shape = _shape(entity)
        for body, answer in self._session.pages(call):
            rows: list[dict[str, Any]] = body["value"]
            deleted = [row for row in rows if _is_deleted(row)]
            link = str(body.get("@odata.deltaLink") or "")
            if not link and not body.get("@odata.nextLink"):
                message = f"Changes of {entity} are not tracked"
                kind = FailureKind.REFUSED
                failure = call.failure(kind, "delta-link-missing", message, answer)
                raise remote_error(failure)
            with self._session.readable(call):
                page = Page(
                    records=shape.records(r for r in rows if not _is_deleted(r)),
                    deleted=tuple(str(row["id"]).lower() for row in deleted),
                    cursor=link,
                )
            self.fetched[entity] += len(rows)
            yield page

    def _create_in_bulk(
        self, entity: str, keys: Sequence[str], creates: Sequence[Create]
    ) -> bool:
        """Whether all were created; ``False`` when the action was refused or lost, or
        its answer does not name them."""
        kind = f"Microsoft.Dynamics.CRM.{logical_name(entity)}"
        column = _shape(entity).key
        targets = [
            {"@odata.type": kind, column: key, **create.values}
            for key, create in zip(keys, creates, strict=True)
        ]
        path = f"{entity}/Microsoft.Dynamics.CRM.CreateMultiple"
        call = self._writing(f"create {entity}", path, "application/json")
        call = replace(call, content=dump_json({"Targets": targets}))
        try:
            answer = self._session.transport.send(call)
        except RemoteError as error:
            if error.concerns_everybody:
                raise
            return False
        return _made(answer) == set(keys)

    def _write(
        self, entity: str, operation: str, parts: Sequence[Part]
    ) -> list[WriteResult]:
        root_path = urlsplit(self._session.root).path

        def send(chunk: Sequence[Part]) -> list[Answer | None]:
            content_type, content = batch_multipart.encode(chunk, root_path)
            call = self._writing(
                operation, "$batch", content_type, "odata.continue-on-error"
            )
            whole = replace(call, content=content, cost=len(chunk))
            answer = self._session.transport.send(whole)
            return with_request_id(batch_multipart.decode(answer, len(chunk)), answer)

        results = send_splitting(parts, send, repeatable=True)
        blank = self._session.call(operation, "POST", "$batch")
        return results_of(parts, results, _shape(entity), blank)

    def _writing(
        self, operation: str, path: str, content_type: str, prefer: str = ""
    ) -> Call:
        headers = {"Content_Type": content_type}
        if prefer:
            headers["Prefer"] = prefer
        call = self._session.call(operation, "POST", path, **headers)
        return replace(call, read_timeout_seconds=_BATCH_SECONDS)


def _identity(user_id: str, user: Mapping[str, Any]) -> Identity:
    roles = list(user.get("systemuserroles_association") or ())[:_MOST_ROLES]
    templates = (role.get("_roletemplateid_value") for role in roles)
    mode = user.get("accessmode")
    return Identity(
        user_id=user_id,
        name=_name_of(user, "fullname", "domainname"),
        role_template_ids=tuple(str(t).lower() for t in templates if t),
        role_names=tuple(_name_of(role, "name") for role in roles),
        role_ids=tuple(_guid_or_none(role.get("roleid")) for role in roles),
        is_disabled=bool(user.get("isdisabled")),
        is_licensed=bool(user.get("islicensed", True)),
        access_mode=None if mode is None else int(mode),
    )


def _guid_or_none(value: Any) -> str:
    text = str(value or "").lower()
    return text if is_guid(text) else ""


def _name_of(body: Mapping[str, Any], *columns: str) -> str:
    """By the first that is filled in."""
    filled = (body[column] for column in columns if body.get(column))
    return str(next(filled, ""))[:LONGEST_NAME]


def logical_name(entity: str) -> str:
    """The table's name in the singular: ``accounts`` → ``account``."""
    if entity.endswith("ies"):
        return f"{entity[:-3]}y"
    return entity.removesuffix("s")


@lru_cache(maxsize=64)
def _query(entity: str, fields: tuple[str, ...]) -> str:
    """Of each part of a batch: the same a thousand times."""
    return address("", select=_shape(entity).select(fields))


@lru_cache(maxsize=64)
def _shape(entity: str) -> RecordShape:
    return RecordShape(key=f"{logical_name(entity)}id", modified="modifiedon")


def _is_deleted(row: Mapping[str, Any]) -> bool:
    return row.get("reason") == "deleted"


def _means_expired(error: RemoteError) -> bool:
    """Any such refusal of a stored link; which code it has is not documented."""
    if isinstance(error, ConnectionRefused):
        return False
    return error.failure.status in {400, 404, 410}


def _create(entity: str, fields: Sequence[str], create: Create) -> Part:
    shape = _shape(entity)
    return Part(
        "POST",
        f"{entity}{_query(entity, tuple(fields))}",
        {shape.key: guid(create.key), **create.values},
        {"Prefer": "return=representation"},
    )


def _update(entity: str, fields: Sequence[str], update: Update) -> Part:
    record_id = guid(update.id)
    return Part(
        "PATCH",
        f"{entity}({record_id}){_query(entity, tuple(fields))}",
        update.values,
        {"If-Match": update.etag, "Prefer": "return=representation"},
        record_id=record_id,
    )


def _made(answer: Answer) -> set[str]:
    """The ids that a bulk action answers (protocols §3.7)."""
    try:
        body = answer.json()
    except ValueError:
        return set()
    ids = body.get("Ids") if isinstance(body, dict) else None
    return {str(one).lower() for one in ids} if isinstance(ids, list) else set()


def _as_sent(key: str, create: Create) -> Written:
    values = dict(create.values)
    for name in _binds(*values):
        column, target = _as_read(name, values.pop(name))
        values[column] = target
    return Written(Record(key, "", None, values), is_as_sent=True)


@lru_cache(maxsize=1_000)  # Most records are given the same columns.
def _binds(*names: str) -> tuple[str, ...]:
    """Which of these name another record."""
    return tuple(name for name in names if name.endswith(_BIND))


@lru_cache(maxsize=1_000)  # Thousands of records name a few others.
def _as_read(name: str, value: Any) -> tuple[str, Any]:
    """A lookup by the name and in the form it is read by."""
    column = _POLYMORPHIC.sub("", name.removesuffix(_BIND).lower())
    found = _TARGET.search(str(value))
    return f"_{column}_value", found[1].lower() if found else None
