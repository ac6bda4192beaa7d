"""The ambiguous records of a review, with the records each of them could be."""

from collections.abc import Mapping
from typing import Any

from integration.choices import System
from integration.markup.records import RecordSide, record_name
from integration.models import JobEntry
from integration.services.places import Place


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


def link(place: Place, system: System, id: str, number: str) -> str:
    if system == System.SALES:
        return place.sales_link(id)
    return place.business_central_link(number, id)
