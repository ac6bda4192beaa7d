"""The list of errors as a file: the rows it shows, in its order, as CSV or XLSX.

The database writes moments and makes cells harmless, so that a row costs Python only
some look-ups; memory holds one chunk.
"""

import csv
import io
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import chain, islice
from typing import IO, Any, TypeVar

import xlsxwriter
from django.db.models import Case, CharField, Expression, F, Value, When
from django.db.models.functions import Cast, Concat, LTrim, Substr
from django.db.models.lookups import In
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from integration.choices import Chip, Direction, Presence, System, Who
from integration.models import Connection, Problem
from integration.models.dialect import UtcText
from integration.services.articles import title_of
from integration.services.error_chunks import Row, read_chunks
from integration.services.error_filters import ErrorFilter
from integration.services.error_sort import Sort

_T = TypeVar("_T")
_FORMULA_STARTS = (*"=+-@\t\r\n", *"\uff1d\uff0b\uff0d\uff20")
"""A spreadsheet may carry out what begins so, blanks aside; four are full-width."""
_CAME_BACK = "came_back"
_MOST_SHEET_ROWS = 1_048_575
"""A sheet of Excel holds no more, beside its head."""
_MOMENTS = (13, 14)
_WIDTHS = (60, 14, 12, 14, 18, 14, 30, 16, 18, 14, 30, 16, 14, 20, 20, 11, 24, 40)


def heads() -> list[str]:
    """The columns of a file in the reader's language."""
    sides = [
        _("%(side)s: %(column)s") % {"side": side, "column": column}
        for side in (_("Source"), _("Destination"))
        for column in (_("system"), _("number"), _("name"), _("state"))
    ]
    return [
        *(_("What is wrong"), _("Mapping"), _("State"), _("Waits for"), *sides),
        pgettext("who fixes it", "Who"),
        *(_("First seen (UTC)"), _("Last seen (UTC)"), _("Occurrences")),
        *(_("Connection"), _("Address")),
    ]


def read_rows(
    filters: ErrorFilter,
    sort: Sort,
    language: str,
    address: str,
    make: Callable[[list[Row]], _T],
) -> Iterator[_T]:
    """What is made of chunks of rows under ``heads``, with one cell more; the first one
    at once.

    ``address`` is that of the list; an entry's is below it.
    """
    tell = _teller(language, address)
    made = read_chunks(filters, sort, _COLUMNS, lambda chunk: make(tell(chunk)))
    return chain(list(islice(made, 1)), made)


def csv_writer(delimiter: str) -> Callable[[Iterable[Sequence[Any]]], bytes]:
    """What makes a part of a file of rows."""

    def write(rows: Iterable[Sequence[Any]]) -> bytes:
        buffer = io.StringIO(newline="")
        csv.writer(buffer, delimiter=delimiter).writerows(rows)
        return buffer.getvalue().encode()

    return write


def write_xlsx(
    rows: Iterable[list[Row]], head: Sequence[str], about: Sequence[Sequence[str]]
) -> IO[bytes]:
    """A temporary file with a sheet of the rows and one that says what they are."""
    file = tempfile.TemporaryFile()  # noqa: SIM115  # the answer closes it
    options = {
        "constant_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "default_date_format": "yyyy-mm-dd hh:mm:ss",
    }
    with xlsxwriter.Workbook(file, options) as book:
        sheet = book.add_worksheet(_("Errors"))
        sheet.freeze_panes(1, 0)
        for column, width in enumerate(_WIDTHS):
            sheet.set_column(column, column, width)
        sheet.write_row(0, 0, head, book.add_format({"bold": True}))
        every = chain.from_iterable(rows)
        last = 0
        for last, row in enumerate(islice(every, _MOST_SHEET_ROWS), 1):
            sheet.write_row(last, 0, _with_dates(row))
        sheet.autofilter(0, 0, last, len(head) - 1)
        if next(every, None):
            about = [*about, (_("Rows"), _("A sheet holds no more; CSV has them all."))]
        notes = book.add_worksheet(_("About this file"))
        notes.set_column(0, 1, 30)
        for line, told in enumerate(about):
            notes.write_row(line, 0, told)
    file.seek(0)
    return file


def _with_dates(row: Row) -> list[Any]:
    cells = list(row)
    for column in _MOMENTS:
        cells[column] = datetime.fromisoformat(row[column]).replace(tzinfo=None)
    return cells


def harmless(text: str) -> str:
    """The text as a cell that no spreadsheet takes for a formula."""
    starts = text.lstrip(" ").startswith(_FORMULA_STARTS)
    return f"'{text}" if starts else text


class _Words(dict[Any, Any]):
    """Words by key, told once each."""

    def __init__(self, tell: Callable[[Any], Any]) -> None:
        super().__init__()
        self._tell = tell

    def __missing__(self, key: Any) -> Any:
        self[key] = told = self._tell(key)
        return told


def _teller(language: str, address: str) -> Callable[[list[Row]], list[Row]]:
    """What tells rows of the database in the reader's words, all of them known now.

    A stream goes on when the request's language is over, so nothing is looked up late.
    """
    setup = _("Set-up")
    chips = {value: str(label) for value, label in Chip.choices}
    chips[_CAME_BACK] = _("came back")
    presences = {value: str(label) for value, label in Presence.choices}
    presences |= {Presence.EXISTS: "", Presence.NONE: ""}
    whos = {"": "", **{value: str(label) for value, label in Who.choices}}
    both = (str(System.BUSINESS_CENTRAL.label), str(System.SALES.label))
    systems = {"": ("", ""), Direction.TO_SALES: both}
    systems[Direction.TO_BUSINESS_CENTRAL] = both[::-1]
    names = Connection.objects.values_list("pk", "name")
    connections = {key: harmless(name) for key, name in names}

    def presence(stored: str) -> str:
        word, _blank, day = stored.partition(" ")
        return f"{presences[word]} {day}".strip()

    def cause(key: int) -> tuple[str, str]:
        found = Problem.objects.get(pk=key)
        title = title_of(found.article, found.params, language, found.title)
        return harmless(title), whos[found.who]

    mappings = _Words(lambda key: harmless(key) or setup)
    records, causes = _Words(presence), _Words(cause)

    def tell(chunk: list[Row]) -> list[Row]:
        return [
            (
                causes[problem][0],
                mappings[mapping],
                chips[chip],
                waits_for,
                systems[way][0],
                number,
                name,
                records[here],
                systems[way][1],
                other_number,
                other_name,
                records[there],
                causes[problem][1],
                first,
                last,
                times,
                connections[connection],
                f"{address}{error}/",
                "",
            )
            # Flat, not in groups: at a million rows the difference is seconds.
            for (
                _value,
                error,
                problem,
                mapping,
                way,
                chip,
                waits_for,
                number,
                name,
                here,
                other_number,
                other_name,
                there,
                first,
                last,
                times,
                connection,
            ) in chunk
        ]

    return tell


def _harmless(text: Expression) -> Case:
    starts = In(Substr(LTrim(text), 1, 1), _FORMULA_STARTS)
    return Case(When(starts, then=Concat(Value("'"), text)), default=text)


def _of_side(column: str, *, source: bool) -> Case:
    usual, back = ("bc", "sales") if source else ("sales", "bc")
    return Case(
        When(direction=Direction.TO_BUSINESS_CENTRAL, then=F(f"{back}_{column}")),
        default=F(f"{usual}_{column}"),
    )


def _side(*, source: bool) -> Iterator[Expression]:
    """Number, name, and what is known of the record: “deleted 2026-11-12”."""
    yield _harmless(_of_side("number", source=source))
    yield _harmless(_of_side("name", source=source))
    presence = _of_side("presence", source=source)
    day = Substr(UtcText(_of_side("deleted_at", source=source)), 1, 10)
    yield Concat(presence, Value(" "), day)


_COLUMNS: tuple[Expression | F, ...] = (
    F("problem_id"),
    F("mapping_key"),
    F("direction"),
    Case(
        When(chip=Chip.OPEN, reopened_at__isnull=False, then=Value(_CAME_BACK)),
        default=F("chip"),
    ),
    _harmless(Cast("waits_for", CharField())),
    *_side(source=True),
    *_side(source=False),
    UtcText("first_seen"),
    UtcText("last_seen"),
    F("occurrences"),
    F("connection_id"),
)
