from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from integration.simulators.odata import Query, parse_query, split_outside
from integration.simulators.odata_filter import (
    Column,
    Dialect,
    ODataError,
    compile_filter,
)
from integration.simulators.store import Row, Store, Table

COLUMNS = {
    "id": Column("id", lambda row: row.id, "guid", key=True),
    "name": Column("name", lambda row: row.values.get("name")),
    "city": Column("city", lambda row: row.values.get("city")),
    "rate": Column("rate", lambda row: row.values.get("rate"), "number"),
    "day": Column("day", lambda row: row.values.get("day"), "date"),
    "on": Column("on", lambda row: row.values.get("on"), "bool"),
    "changed": Column("changed", lambda row: row.modified_at, "moment"),
}
LOOSE = Dialect(ignore_case=True)
AT = datetime(2026, 11, 22, 8, 5, 0, 123000, tzinfo=UTC)


@pytest.fixture
def table() -> Table:
    table = Store().table("t", ("name",))
    for number, name in enumerate(("Anna", "anton", "O'Neil", None, "Zoë")):
        day = f"2026-01-0{number + 1}"
        values = {"name": name, "rate": Decimal(number), "day": day}
        table.insert({**values, "on": number > 2, "city": "Nyon"}, at=AT)
    return table


def found(table: Table, text: str, dialect: Dialect | None = None) -> list[object]:
    query = Query(filter=compile_filter(text, COLUMNS.get, dialect))
    return [row.values["rate"] for row in query.rows(table)]


@pytest.mark.parametrize(
    ("text", "rates"),
    [
        ("name eq 'Anna'", [0]),
        ("name eq 'anna'", []),
        ("name eq 'O''Neil'", [2]),
        ("name eq null", [3]),
        ("name ne null and rate lt 2", [0, 1]),
        ("name ne 'Anna'", [1, 2, 3, 4]),
        ("name in ('Anna', 'Zoë')", [0, 4]),
        ("tolower(name) eq 'anna'", [0]),
        ("toupper(name) eq 'ANTON'", [1]),
        ("startswith(tolower(name),'an')", [0, 1]),
        ("endswith(name,'il') or contains(name,'o')", [1, 2, 4]),
        ("not (rate ge 1) or rate gt 3.5", [0, 4]),
        ("rate ge 1 and rate le 2 or rate eq 4", [1, 2, 4]),
        ("day gt 2026-01-04", [4]),
        ("on eq true", [3, 4]),
        ("changed ge 2026-11-22T08:05:00.123Z and rate eq 0", [0]),
        ("changed gt 2026-11-22T09:05:00.123+01:00", []),
        ("name ge 'Zoë' and rate gt 1", [4]),
    ],
)
def test_a_filter_finds(table: Table, text: str, rates: list[int]) -> None:
    assert found(table, text) == rates


def test_dataverse_ignores_case(table: Table) -> None:
    assert found(table, "name eq 'ANNA' or startswith(name,'ANT')", LOOSE) == [0, 1]


def test_ids_are_looked_up_without_reading_the_table() -> None:
    table = Store().table("t")
    rows = [table.insert({}) for _ in range(50)]
    reads = []

    def read(row: Row) -> str:
        reads.append(row.id)
        return row.id

    columns = {"id": Column("id", read, "guid", key=True)}
    text = " or ".join(f"id eq {row.id.upper()}" for row in reversed(rows[10:15]))
    query = Query(filter=compile_filter(text, columns.get))

    assert query.rows(table) == rows[10:15]
    assert len(reads) == 5


@pytest.mark.parametrize("text", ["name eq 'Anna' and rate ge 0", "name in ('Anna')"])
def test_an_index_is_used_where_a_field_is_pinned(table: Table, text: str) -> None:
    pinned = compile_filter(text, COLUMNS.get).pinned

    assert pinned is not None
    assert pinned[0].name == "name"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name eq", "Expression expected at position 7"),
        ("name eq 'a", "Syntax error at position 7"),
        ("(name eq 'a'", r"'\)' expected"),
        ("name eq 'a' 'b'", "Syntax error"),
        ("name like 'a'", "Syntax error"),
        ("name eq other", "Syntax error"),
        ("nothing eq 1", "Could not find a property named 'nothing'"),
        ("name eq 5", "incompatible types"),
        ("changed gt 'yesterday'", "incompatible types"),
        ("changed gt 2026-13-01T00:00:00Z", "Invalid date"),
        ("contains(name 'a')", "',' expected"),
    ],
)
def test_a_filter_that_makes_no_sense_is_refused(text: str, words: str) -> None:
    with pytest.raises(ODataError, match=words):
        compile_filter(text, COLUMNS.get)


def test_or_over_two_fields_is_refused_where_it_must_be() -> None:
    strict = Dialect(or_distinct_fields=False)

    with pytest.raises(ODataError, match="not supported on distinct fields"):
        compile_filter("name eq 'a' or rate eq 1", COLUMNS.get, strict)

    same = compile_filter("rate gt 1 or rate eq 0", COLUMNS.get, strict)
    assert same.fields == {"rate"}


def test_skip_is_refused_where_it_must_be() -> None:
    with pytest.raises(ODataError, match="Skip Clause"):
        parse_query({"$skip": "1"}, COLUMNS.get, Dialect(skip=False))


@pytest.mark.parametrize(
    "options",
    [
        {"$top": "-1"},
        {"$select": "name,nothing"},
        {"$orderby": "nothing"},
        {"$orderby": "name up"},
        {"$skiptoken": "nonsense"},
        {"$skiptoken": "eyJhIjoxfQ"},
    ],
)
def test_other_nonsense_is_refused(options: dict[str, str]) -> None:
    with pytest.raises(ODataError):
        parse_query(options, COLUMNS.get, Dialect())


def test_options_are_taken_apart() -> None:
    options = {
        "$select": "id, name",
        "$orderby": "rate desc,name",
        "$top": "3",
        "$count": "true",
        "$expand": "roles($select=name,code;$top=1),owner",
    }

    query = parse_query(options, COLUMNS.get, Dialect())

    assert query.select == ("id", "name")
    assert [(column.name, down) for column, down in query.order] == [
        ("rate", True),
        ("name", False),
    ]
    assert (query.top, query.count) == (3, True)
    assert query.expand[0].options == {"$select": "name,code", "$top": "1"}
    assert query.expand[1].name == "owner"


def pages(
    table: Table, size: int, between: Callable[[], object], **options: str
) -> list[object]:
    """Every page's rates; ``between`` happens after each page."""
    seen: list[object] = []
    given = {f"${name}": value for name, value in options.items()}
    while True:
        query = parse_query(given, COLUMNS.get, Dialect())
        page, token = query.page(query.rows(table), size)
        seen += [row.values["rate"] for row in page]
        if token is None:
            return seen
        given["$skiptoken"] = token
        between()


@pytest.mark.parametrize(
    "order", ["", "changed desc", "name", "name desc", "rate desc"]
)
@pytest.mark.parametrize("size", [1, 2, 5])
def test_pages_hold_every_row_once(table: Table, size: int, order: str) -> None:
    options = {"orderby": order} if order else {}

    assert len(pages(table, size, lambda: None, **options)) == 5
    assert set(pages(table, size, lambda: None, **options)) == {0, 1, 2, 3, 4}


def test_a_row_deleted_between_two_pages_shifts_nothing(table: Table) -> None:
    first = table.rows()[0]

    def delete_first() -> None:
        if table.get(first.id):
            table.delete(first.id)

    assert pages(table, 2, delete_first) == [0, 1, 2, 3, 4]


def test_top_counts_over_pages_and_skip_only_once(table: Table) -> None:
    assert pages(table, 2, lambda: None, top="3") == [0, 1, 2]
    assert pages(table, 2, lambda: None, skip="3") == [3, 4]


def test_splitting_respects_parentheses() -> None:
    assert split_outside("a(b,c),d", ",") == ["a(b,c)", "d"]
