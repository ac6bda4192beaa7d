"""Couplings: found in bulk, made in bulk, and told what both sides hold."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import MISSING, dataclass, fields
from datetime import datetime
from functools import cache
from operator import attrgetter
from types import MappingProxyType
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from integration.core.outcomes import Presence, RecordRef
from integration.core.records import System
from integration.core.snapshots import Snapshot
from integration.models import Coupling, PendingRecord, TableMapping
from integration.models.bulk import Columns, insert_new, update
from integration.models.couplings import CouplingQuerySet, coupling_of, text_of
from integration.models.dialect import among, among_ids
from integration.models.statements import Slots, Statement

_NO_MORE: Columns = MappingProxyType({})
_SAVED = (
    *("bc_number", "bc_name", "sales_name", "search_text", "bc_etag", "sales_etag"),
    *("bc_modified_at", "sales_modified_at", "bc_hash", "sales_hash", "values"),
    *("bc_deleted_at", "sales_deleted_at", "to_sales_at", "to_sales_failed"),
    *("to_business_central_at", "to_business_central_failed"),
)


@dataclass(slots=True)
class Known:
    """What is asked of a coupling for each record that is read: not its values, whose
    reading costs most. ``has_met``: the pair has been in step once."""

    id: int
    bc_id: str
    sales_id: str
    bc_number: str
    bc_name: str
    sales_name: str
    bc_etag: str
    sales_etag: str
    bc_hash: str
    sales_hash: str
    bc_deleted_at: datetime | None
    sales_deleted_at: datetime | None
    has_met: bool
    bc_modified_at: datetime | None = None
    sales_modified_at: datetime | None = None

    @property
    def search_text(self) -> str:
        """As it is to be stored."""
        return text_of(self.bc_number, self.bc_name, self.sales_name)


_KNOWN = tuple(field.name for field in fields(Known) if field.default is MISSING)
_Row = Coupling | Known
_NEW = {name: value for name, value in vars(Coupling()).items() if name != "_state"}
_COLUMNS = [*_NEW]
_BLANK = {name: value for name, value in _NEW.items() if value is not None}


def by_id(ids: Sequence[int]) -> dict[int, Coupling]:
    """Those that are there."""
    if not ids:
        return {}
    rows = Coupling.objects.filter(pk__in=among_ids(ids)).values_list(*_COLUMNS)
    # As a statement, whose rows are converted value by value instead of row by row.
    found = Statement.of(rows, once=True).rows()
    loaded = (coupling_of(dict(zip(_COLUMNS, row, strict=True))) for row in found)
    return {row.pk: row for row in loaded}


def are_there(mapping: TableMapping) -> bool:
    """Whether anything is coupled: asked first where thousands of ids would be sent."""
    return bool(_any_one().raw(mapping.pk))


@cache
def _any_one() -> Statement:
    rows = Coupling.objects.filter(mapping=Slots.KEY).order_by().values_list("pk")
    return Statement.of(rows[:1], slots=(Slots.KEY,))


def by_record(
    mapping: TableMapping, side: System, ids: Sequence[str]
) -> dict[str, Coupling]:
    """The couplings of these records, by the record's id."""
    if not ids:
        return {}
    key = column(side, "id")
    return {getattr(row, key): row for row in _of(mapping, key, ids)}


def known_by_record(
    mapping: TableMapping, side: System, ids: Sequence[str]
) -> dict[str, Known]:
    """What of the couplings of these records is asked for, by the record's id."""
    if not (ids and are_there(mapping)):
        return {}
    key = column(side, "id")
    rows = _of(mapping, key, ids).annotate(has_met=Q(values__isnull=False))
    found = Statement.of(rows.values_list(*_KNOWN), once=True).rows()
    return {getattr(each, key): each for each in (Known(*row) for row in found)}


def coupled_ids(mapping: TableMapping, side: System, ids: Sequence[str]) -> set[str]:
    key = column(side, "id")
    return set(_of(mapping, key, ids).values_list(key, flat=True))


def with_number(
    mapping: TableMapping, side: System, numbers: Collection[str]
) -> list[str]:
    """Records of this side that a newcomer with one of these numbers may replace.

    Business Central gives a number once, so the one that had it is renumbered or gone;
    of Sales only those are meant that are known to be deleted.
    """
    if not are_there(mapping):
        return []
    rows = Coupling.objects.filter(mapping=mapping, bc_number__in=among(list(numbers)))
    if side is System.SALES:
        rows = rows.filter(sales_deleted_at__isnull=False)
    return list(rows.values_list(column(side, "id"), flat=True))


def _of(mapping: TableMapping, key: str, ids: Sequence[str]) -> QuerySet[Coupling]:
    rows = Coupling.objects.filter(mapping=mapping)
    return rows.filter(**{f"{key}__in": among(ids)}) if ids else rows.none()


def in_step() -> CouplingQuerySet:
    """Pairs of which neither record is pending."""

    def pending(side: System) -> Exists:
        return Exists(
            PendingRecord.objects.filter(
                mapping=OuterRef("mapping"),
                side=side.value,
                record_id=OuterRef(column(side, "id")),
            )
        )

    return Coupling.objects.filter(*(~pending(side) for side in System))


def column(side: System, name: str) -> str:
    """The column that holds this of one side: ``bc_etag``."""
    return f"{side.short}_{name}"


def held(coupling: Coupling | Known, side: System, name: str) -> str:
    """What that column holds: the id, the version or the check sum of one side."""
    return str(getattr(coupling, f"{side.short}_{name}"))


def check(coupling: Coupling | Known, side: System) -> str:
    """The check sum of one side when both were in step; asked of every pair."""
    return coupling.sales_hash if side is System.SALES else coupling.bc_hash


def make(
    mapping: TableMapping,
    pairs: Sequence[tuple[Snapshot, Snapshot]],
    now: datetime,
    columns: Columns = _NO_MORE,
) -> list[int | None]:
    """Couple these, here and in Sales, in the caller's transaction. They were never in
    step, but for what ``columns`` hold of each.

    Returns the id of each coupling; ``None`` where one of both has another partner. A
    repetition after a crash finds a record coupled already: that row stays as it is.
    """
    if not pairs:
        return []
    made = insert_new(Coupling, {**_fresh(mapping, pairs, now), **columns}, "bc_id")
    met = [bc.id for bc, _ in pairs if bc.id not in made]
    known = by_record(mapping, System.BUSINESS_CENTRAL, met)
    kept = {(row.bc_id, row.sales_id): row.pk for row in known.values()}
    return [made.pop(bc.id, None) or kept.get((bc.id, sales.id)) for bc, sales in pairs]


def _fresh(
    mapping: TableMapping, pairs: Sequence[tuple[Snapshot, Snapshot]], now: datetime
) -> dict[str, Sequence[Any]]:
    """The columns of couplings that were never in step."""
    count, (bc, sales) = len(pairs), zip(*pairs, strict=True)
    numbers = [record.number[:100] for record in bc]
    names, sales_names = (
        [record.name[:250] for record in side] for side in (bc, sales)
    )
    return {name: [value] * count for name, value in _BLANK.items()} | {
        "mapping_id": [mapping.pk] * count,
        "bc_id": [record.id for record in bc],
        "sales_id": [record.id for record in sales],
        "coupled_at": [now] * count,
        "bc_number": numbers,
        "bc_name": names,
        "sales_name": sales_names,
        "search_text": [*map(text_of, numbers, names, sales_names)],
    }


def versions(pairs: Sequence[tuple[Snapshot, Snapshot]]) -> dict[str, Sequence[Any]]:
    """The columns of couplings that ``see`` writes, of both sides."""
    bc, sales = zip(*pairs, strict=True) if pairs else ((), ())
    return {
        "bc_etag": [record.etag for record in bc],
        "bc_hash": [record.check for record in bc],
        "bc_modified_at": [record.modified_at for record in bc],
        "sales_etag": [record.etag for record in sales],
        "sales_hash": [record.check for record in sales],
        "sales_modified_at": [record.modified_at for record in sales],
    }


def give(coupling: Coupling, side: System, record: Snapshot) -> None:
    """Its record of one side is this one now, with which it has never been in step.

    It is not saved here: a rehearsal gives nothing away for good.
    """
    short = side.short
    setattr(coupling, f"{short}_id", record.id)
    setattr(coupling, f"{short}_deleted_at", None)
    coupling.values = None
    for each in System:
        unsee(coupling, each, "")
    rename(coupling, side, record)


def save(couplings: Iterable[Coupling]) -> None:
    """What a pair's decision changed, in the caller's transaction."""
    _update(couplings, _SAVED)


def save_seen(couplings: Iterable[Known], side: System) -> None:
    """What ``see`` changed of one side, in the caller's transaction."""
    names = ("etag", "modified_at", "hash", "deleted_at", "name")
    numbers = ["bc_number"] if side is System.BUSINESS_CENTRAL else []
    own = (column(side, name) for name in names)
    _update(couplings, [*own, *numbers, "search_text"])


def _update(couplings: Iterable[_Row], columns: Sequence[str]) -> None:
    update(Coupling, columns, _rows(couplings, (*columns, "id")))


def _rows(couplings: Iterable[_Row], columns: Sequence[str]) -> list[tuple[Any, ...]]:
    return [*map(attrgetter(*columns), couplings)]


def is_echo(coupling: Known, side: System, record: Snapshot) -> bool:
    """Whether this version was handled: our own write, or read again (promise 4).

    One handled by a mapping that let other values leave is none: its check differs.
    """
    if not coupling.has_met:
        return False
    if side is System.SALES:
        return (coupling.sales_etag, coupling.sales_hash) == (record.etag, record.check)
    return (coupling.bc_etag, coupling.bc_hash) == (record.etag, record.check)


def see(coupling: _Row, side: System, record: Snapshot) -> None:
    """Remember this version of one side as handled."""
    if side is System.SALES:
        coupling.sales_etag, coupling.sales_hash = record.etag, record.check
        coupling.sales_modified_at, coupling.sales_deleted_at = record.modified_at, None
    else:
        coupling.bc_etag, coupling.bc_hash = record.etag, record.check
        coupling.bc_modified_at, coupling.bc_deleted_at = record.modified_at, None
    rename(coupling, side, record)


def unsee(coupling: Coupling, side: System, etag: str | None = None) -> None:
    """Something of this side is not on the other yet: its version is never an echo."""
    short = side.short
    setattr(coupling, f"{short}_hash", "")
    if etag is not None:
        setattr(coupling, f"{short}_etag", etag)


def refs(coupling: Coupling | Known) -> tuple[RecordRef, RecordRef]:
    """Both records as a person knows them."""
    return (
        RecordRef(
            coupling.bc_id,
            coupling.bc_number,
            coupling.bc_name,
            _presence(coupling.bc_deleted_at),
            coupling.bc_deleted_at,
        ),
        RecordRef(
            coupling.sales_id,
            "",
            coupling.sales_name,
            _presence(coupling.sales_deleted_at),
            coupling.sales_deleted_at,
        ),
    )


def _presence(deleted_at: datetime | None) -> Presence:
    return Presence.DELETED if deleted_at else Presence.EXISTS


def rename(coupling: _Row, side: System, record: Snapshot) -> None:
    """Call one side as a person knows it now."""
    name = record.name[:250]
    if side is System.SALES:
        if coupling.sales_name == name:
            return
        coupling.sales_name = name
    else:
        number = record.number[:100]
        if coupling.bc_name == name and coupling.bc_number == number:
            return
        coupling.bc_number, coupling.bc_name = number, name
    if isinstance(coupling, Coupling):
        coupling.search_text = text_of(*_names(coupling))


_names = attrgetter("bc_number", "bc_name", "sales_name")
