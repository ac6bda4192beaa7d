"""The records that one could be, or that stand in its way on the other side."""

from collections.abc import Mapping
from typing import Any

from integration.choices import Direction, System
from integration.markup.records import RecordSide, record_name
from integration.models import JobEntry, SyncError, TableMapping
from integration.services.places import Place, place_of

NUMBER_IS_TAKEN = "bc-duplicate-key"


def candidates_of(entry: JobEntry, place: Place) -> tuple[RecordSide, list[RecordSide]]:
    """The record of one entry, and its candidates on the other side."""
    system = System.BUSINESS_CENTRAL if entry.bc_id else System.SALES
    detail: Mapping[str, Any] = entry.detail or {}
    number = entry.label.partition(" ")[0]  # a label is number and name
    own = RecordSide(
        entry.label or record_name("", ""),
        system,
        link(place, system, entry.bc_id or entry.sales_id, number),
    )
    other = System.SALES if entry.bc_id else System.BUSINESS_CENTRAL
    return own, [
        RecordSide(
            record_name(one.get("number", ""), one.get("name", "")),
            other,
            link(place, other, one.get("id", ""), one.get("number", "")),
        )
        for one in detail.get("candidates", [])
    ]


def others_of(error: SyncError, mapping: TableMapping | None) -> list[RecordSide]:
    """What a person must open to mend it, as far as it is known here."""
    if mapping is None or error.settled_at:
        return []
    place = place_of(mapping)
    to_sales = error.direction == Direction.TO_SALES
    side = System.SALES if to_sales else System.BUSINESS_CENTRAL
    known = (error.values or {}).get("others") or _with_its_number(error)
    return [
        RecordSide(
            record_name(one["number"], one["name"]),
            side,
            link(place, side, one["id"], one["number"]),
        )
        for one in known
    ]


def _with_its_number(error: SyncError) -> list[dict[str, str]]:
    """Business Central opens a record by its number, so that it need not be read."""
    is_taken = error.problem.article == NUMBER_IS_TAKEN and not error.bc_id
    if not (is_taken and error.sales_number):
        return []
    return [{"id": "", "number": error.sales_number, "name": ""}]


def link(place: Place, system: System, id: str, number: str) -> str:
    if system == System.SALES:
        return place.sales_link(id)
    return place.business_central_link(number, id)
