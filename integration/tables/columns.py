"""What every list shares: a head from django-tables2, rows that are written lean.

django-tables2 knows columns, captions and the order that was asked for. Its cells cost
about ten times what these do, and a list has some three hundred of them: a row here is
one string, made of ``cell_<column>`` methods or by ``row`` itself.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, ClassVar

import django_tables2 as tables
from django.utils.safestring import SafeString
from django_tables2.columns import BoundColumn


@dataclass(frozen=True, slots=True)
class Head:
    """One column's head: ``href`` is "" where the list cannot be sorted by it."""

    name: str
    label: str
    css: str
    href: str
    aria_sort: str


class KeysetTable(tables.Table):
    """A page of rows. ``sort_href`` turns an order ("-seen") into the address of it."""

    css: ClassVar[str] = ""
    row_css: ClassVar[str] = ""

    def __init__(
        self,
        rows: Sequence[Any],
        sort: str = "",
        sort_href: Callable[[str], str] | None = None,
    ) -> None:
        # For mypy the library's metaclass hides that a class can be a key.
        self.columns = _columns_of(type(self))  # type: ignore[arg-type]
        self.data = rows
        self.sort_href = sort_href
        self.sort = sort

    def heads(self) -> Iterator[Head]:
        """The head row; the sorted column says so and leads to the opposite order."""
        for column in self.columns:
            offered = column.orderable and self.sort_href is not None
            descending = self.sort == f"-{column.name}"
            chosen = descending or self.sort == column.name
            alias = column.column.attrs.get("first", "") + column.name
            wanted = opposite(self.sort) if chosen else alias
            yield Head(
                name=column.name,
                label=str(column.header),
                css=column.column.attrs.get("css", ""),
                href=self.sort_href(wanted) if offered and self.sort_href else "",
                aria_sort=("descending" if descending else "ascending")
                if chosen
                else "",
            )

    def row(self, record: Any) -> str:
        """One row as a string: markup that has escaped its values."""
        start = f'<tr class="{self.row_css}">' if self.row_css else "<tr>"
        return "".join([start, *[cell(record) for cell in self._cells], "</tr>\n"])

    @cached_property
    def _cells(self) -> list[Callable[[Any], str]]:
        return [getattr(self, f"cell_{column.name}") for column in self.columns]

    def body(self) -> SafeString:
        """All rows as one string: a loop in a template costs as much as its rows."""
        return SafeString("".join(map(self.row, self.data)))


@cache
def _columns_of(kind: type[KeysetTable]) -> tuple[BoundColumn, ...]:
    """Made once: for every page the library would copy each of them deeply."""
    declared = type("Declared", (tables.Table,), dict(kind.base_columns))
    return tuple(declared([], orderable=True).columns)


def opposite(order: str) -> str:
    """-seen for seen, seen for -seen."""
    return order[1:] if order.startswith("-") else f"-{order}"
