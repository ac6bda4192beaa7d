"""What was read from a system, and from which one.

What is made anew for every record is a named tuple: a frozen dataclass takes twice as
long to make, and there are a dozen of them for each.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple


class System(StrEnum):
    """One of the two products that are kept in step."""

    BUSINESS_CENTRAL = "business_central"
    SALES = "sales"

    def __init__(self, value: str) -> None:
        # As columns are named by it. Held, because every record asks for it.
        self.short = "sales" if value == "sales" else "bc"

    @property
    def other(self) -> "System":
        return (
            System.SALES if self is System.BUSINESS_CENTRAL else System.BUSINESS_CENTRAL
        )


class Direction(StrEnum):
    """Which way values travel in one job."""

    TO_SALES = "to_sales"
    TO_BUSINESS_CENTRAL = "to_business_central"

    def __init__(self, value: str) -> None:
        here, there = System
        # Held, because every record asks for them a dozen times.
        self.source = here if value == "to_sales" else there
        self.destination = self.source.other

    @property
    def back(self) -> "Direction":
        return next(way for way in Direction if way is not self)


class Record(NamedTuple):
    """One row of one system, as it answered.

    ``id`` is a lower-case GUID with hyphens. ``values`` holds JSON values by the
    system's own property names; decimals are ``Decimal``, never ``float``.
    """

    id: str
    etag: str
    modified_at: datetime | None
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a read.

    ``deleted`` lists ids the system reports as deleted (Sales only). ``cursor`` is
    empty on every page but the last, where it is what the next read starts from.
    """

    records: tuple[Record, ...] = ()
    deleted: tuple[str, ...] = ()
    cursor: str = ""
