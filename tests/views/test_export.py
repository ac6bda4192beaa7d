"""The list as a file: what one sees, safe to open, and telling what it is."""

import csv
import io
import re
import zipfile
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

import pytest
from django.test import Client

from integration.services import error_chunks, error_list
from integration.services.error_filters import ErrorFilter
from integration.services.error_sort import SORTS, Sort, parse_sort
from tests.factories import SOME_TIME, make_connection, make_error, make_problem
from tests.views.test_errors import recount

CSV, XLSX = "/errors/export.csv", "/errors/export.xlsx"
SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
Line = dict[str, str]


@pytest.fixture(params=[5, 6])
def list_of_twelve(
    request: pytest.FixtureRequest, db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some records each way, of two causes; a file of them is read in three chunks, of
    which the last is full or empty."""
    monkeypatch.setattr(error_chunks, "_CHUNK", request.param)
    connection = make_connection(name="Fabrique du Léman SA")
    problems = [
        make_problem(connection, title=title, who="user")
        for title in ("Name is too long", "=Currency is not coupled")
    ]
    for number in range(12):
        make_error(
            problem=problems[number % 2],
            direction="to_sales" if number % 3 else "to_business_central",
            bc_name=f"Hôtel {number}",
            sales_name=f"Account {number}",
            bc_presence="exists",
            sales_presence="not_created",
            occurrences=1 + number % 4,
        )
    recount()


def get(client: Client, address: str, **headers: str) -> bytes:
    response = client.get(address, headers=headers)
    assert response.status_code == 200
    assert "attachment" in response["Content-Disposition"]
    return b"".join(response)


def lines(client: Client, query: str = "") -> list[Line]:
    text = get(client, f"{CSV}?{query}").decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))


def sheet(content: bytes, number: int) -> Iterator[list[tuple[str, str]]]:
    """Rows of a sheet: text or number of each cell, with its kind."""
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        root = ElementTree.fromstring(book.read(f"xl/worksheets/sheet{number}.xml"))  # noqa: S314  # our own file
    for row in root.iter(f"{SHEET}row"):
        yield [("".join(cell.itertext()), cell.get("t", "n")) for cell in row]


@pytest.mark.parametrize("state", ["open", "all"])
@pytest.mark.parametrize("sort", [f"{sign}{name}" for sign in "-+" for name in SORTS])
def test_a_file_has_every_row_of_the_list_in_its_order(
    viewer: Client, list_of_twelve: None, sort: str, state: str
) -> None:
    listed = error_list.read_page(
        ErrorFilter(state=state), parse_sort(sort.lstrip("+")) or Sort()
    )

    found = lines(viewer, f"state={state}&sort={sort.lstrip('+')}")

    assert [line["Address"].split("/")[-2] for line in found] == [
        str(row["id"]) for row in listed.rows
    ]


def test_a_file_is_filtered_as_the_list_is_and_says_so(
    viewer: Client, list_of_twelve: None
) -> None:
    text = get(viewer, f"{CSV}?direction=to_business_central&q=H%C3%B4tel").decode()

    assert text.startswith("\ufeffWhat is wrong,Mapping,State,")
    assert "direction to Business Central" in text.splitlines()[0]
    assert "search “Hôtel”" in text.splitlines()[0]
    assert len(lines(viewer, "direction=to_business_central")) == 4


@pytest.mark.usefixtures("list_of_twelve")
def test_a_list_too_long_for_its_sort_says_in_which_order_it_comes(
    viewer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("integration.services.error_reading.MOST_HITS", 2)
    query = "state=all&sort=-record"

    file = lines(viewer, query)
    page = viewer.get(f"/errors/?{query}").content.decode()
    first = re.search(r'<tr data-watch="(/errors/\d+/)', page)
    told = '<span id="summary">Errors: all, newest first'

    assert "Errors: all, newest first" in list(file[0])[-1]
    assert told in page
    assert 'aria-current="true">newest first</a>' in page
    assert first
    opened = viewer.get(f"{first[1]}?{query}").content.decode()
    assert "Errors: all, newest first" in opened
    entry = first[1].split("/")[2]
    news = viewer.get(f"/errors/live/?{query}&entry={entry}").content.decode()
    assert "by record" not in news
    assert "Errors: all, newest first" in news


def test_a_row_tells_both_records_in_the_direction_of_the_values(
    viewer: Client, db: None
) -> None:
    make_error(
        direction="to_business_central",
        sales_number="A1",
        sales_name="Atelier",
        sales_presence="exists",
        bc_number="",
        bc_name="",
        bc_presence="deleted",
        bc_deleted_at=SOME_TIME,
        occurrences=7,
        reopened_at=SOME_TIME,
    )
    recount()

    (line,) = lines(viewer)

    told = {name: line[name] for name in list(line)[:-2]}
    assert list(told.values()) == [
        *("Name is longer than 100 characters", "CUSTOMER", "came back", ""),
        *("Sales", "A1", "Atelier", ""),
        *("Business Central", "", "", "deleted 2026-11-01"),
        *("Administrator", "2026-11-01T08:00:00Z", "2026-11-01T08:00:00Z", "7"),
        line["Connection"],
    ]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "＝", "  ="])
def test_no_cell_is_a_formula(viewer: Client, db: None, start: str) -> None:
    bad = f"{start}HYPERLINK(1)"
    connection = make_connection(name=bad)
    make_error(
        problem=make_problem(connection, title=bad),
        mapping_key=bad,
        waits_for=bad,
        bc_number=bad,
        bc_name=bad,
        sales_number=bad,
        sales_name=bad,
    )
    recount()

    (line,) = lines(viewer, "state=all")
    rows = list(sheet(get(viewer, f"{XLSX}?state=all"), 1))

    assert list(line.values()).count(f"'{bad}") == 8
    assert not any(value.startswith(start) for value in line.values())
    assert not any(text.startswith(start) for text, _kind in rows[1])


def test_excel_has_dates_a_fixed_head_and_says_what_it_is(
    viewer: Client, list_of_twelve: None
) -> None:
    content = get(viewer, f"{XLSX}?mapping=CUSTOMER")

    head, *rows = sheet(content, 1)
    notes = [text for row in sheet(content, 2) for text, _kind in row]
    # Blank cells are not written, and there are some before this one only.
    seen = [text for text, _kind in head].index("Last seen (UTC)") - len(head)
    assert len(rows) == 12
    assert {row[seen] for row in rows} == {("46327.33333333334", "n")}
    assert b'state="frozen"' in zipfile.ZipFile(io.BytesIO(content)).read(
        "xl/worksheets/sheet1.xml"
    )
    assert "Errors: open, newest first, mapping CUSTOMER" in notes


def test_excel_says_when_a_sheet_is_too_short(
    viewer: Client, list_of_twelve: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("integration.services.export._MOST_SHEET_ROWS", 7)

    content = get(viewer, XLSX)

    assert len(list(sheet(content, 1))) == 8
    assert "A sheet holds no more; CSV has them all." in str(list(sheet(content, 2)))


@pytest.mark.parametrize(
    ("language", "delimiter", "expected"),
    [
        ("fr-CH", "", "Problème;Mappage;État;En attente de;Origine\u00a0: système;"),
        ("en", "", "What is wrong,Mapping,State,Waits for,Source: system,"),
        ("en", "semicolon", "What is wrong;Mapping;"),
        ("fr-CH", "tab", "Problème\tMappage\t"),
    ],
)
def test_the_reader_s_language_decides_on_words_and_delimiter(
    viewer: Client,
    list_of_twelve: None,
    language: str,
    delimiter: str,
    expected: str,
) -> None:
    address = f"{CSV}?{f'delimiter={delimiter}' if delimiter else ''}"

    text = get(viewer, address, **{"Accept-Language": language}).decode("utf-8-sig")

    assert text.startswith(expected)


def test_an_address_that_makes_no_sense_gives_no_file(viewer: Client, db: None) -> None:
    for address in (CSV, XLSX):
        response = viewer.get(f"{address}?state=sideways", follow=True)

        assert response.redirect_chain == [("/errors/?state=sideways", 302)]
        assert "left out: state" in response.content.decode()


def test_list_and_preview_offer_the_file_of_what_they_show(
    administrator: Client, list_of_twelve: None
) -> None:
    listed = administrator.get("/errors/?mapping=CUSTOMER&sort=record")
    preview: Any = administrator.get("/errors/cleanup/?all=1&direction=to_sales")

    assert f"{CSV}?mapping=CUSTOMER&amp;sort=record" in listed.content.decode()
    scope = preview.context["scope_query"]
    assert f"{XLSX}?{scope.replace('&', '&amp;')}" in preview.content.decode()
    assert "state=all" in scope
    assert "direction=to_sales" in scope
    assert len(lines(administrator, unquote(scope).replace("+", "%2B"))) == 8
