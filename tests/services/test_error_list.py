from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import product
from operator import is_
from typing import Any

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from benchmarks.year import NEWEST, Year, record_key, write_errors
from integration.choices import Role
from integration.models import Look, Operation, Problem, SyncError
from integration.models.statements import ahead
from integration.services.cleanup import delete, delete_selected
from integration.services.cleanup_preview import CleanupRequest, preview
from integration.services.error_filters import ErrorFilter, parse_filter
from integration.services.error_list import ErrorPage, neighbours, read_page
from integration.services.error_reading import likely_statements
from integration.services.error_sort import (
    SORTS,
    Sort,
    parse_sort,
    read_token,
    write_token,
)
from tests.factories import make_error, make_user

pytestmark = pytest.mark.django_db
EVERY_SORT = [
    Sort(name, descending) for name, descending in product(SORTS, (True, False))
]
STATES = ["open", "waiting", "ignored", "resolved", "relevant", "all"]


@pytest.fixture
def shape() -> Year:
    shape = Year(problems=6, jobs=4)
    write_errors(shape, 250)
    return shape


def queries(shape: Year) -> list[dict[str, str]]:
    """Each offered filter once, and some together."""
    day = (NEWEST - timedelta(days=100)).date().isoformat()
    soon = (NEWEST - timedelta(days=2)).isoformat()
    problem = shape.problems[1].pk
    return [
        {},
        {"q": "Müller"},
        {"q": "muller"},
        {"q": "ba"},
        {"q": "100"},
        {"who": "user"},
        {"connection": str(shape.connections[1].pk)},
        {"mapping": "CURRENCY"},
        {"direction": "to_business_central"},
        {"category": "permission"},
        {"problem": str(problem)},
        {"job": str(shape.jobs[1].pk)},
        {"record": f"{record_key(7)},{record_key(8)}"},
        {"from": day},
        {"to": day},
        {"reason": "resolved"},
        {"reason": "resolved", "settled": day},
        {"unsettled": day, "to": day},
        {"reason": "healed"},
        {"moment": "first_seen", "from": soon},
        {"moment": "reopened", "from": soon},
        {"moment": "settled", "from": soon, "reason": "healed"},
        {"moment": "settled", "to": soon},
        {"mapping": "CUSTOMER", "direction": "to_sales", "who": "user"},
    ]


def all_pages(filters: ErrorFilter, sort: Sort, size: int) -> Iterator[ErrorPage]:
    page = read_page(filters, sort, size=size)
    yield page
    while page.after:
        page = read_page(filters, sort, after=page.after, size=size)
        yield page


def expected(filters: ErrorFilter, sort: Sort) -> list[int]:
    """The same list the plain way."""
    rows = SyncError.objects.filter(filters.matching(), deleted_by=None)
    states = {"relevant": ["open", "waiting", "ignored"]}.get(filters.state)
    if filters.state != "all":
        rows = rows.filter(chip__in=states or [filters.state])
    found = rows.values_list(sort.column, "id")
    return [row[1] for row in sorted(found, reverse=sort.descending)]


@pytest.mark.parametrize("sort", EVERY_SORT, ids=str)
def test_every_filter_and_state_is_paged_completely_in_order(
    shape: Year, sort: Sort
) -> None:
    for query, state in product(queries(shape), STATES):
        filters, dropped = parse_filter({**query, "state": state})
        pages = list(all_pages(filters, sort, size=37))
        rows = [row["id"] for page in pages for row in page.rows]
        assert (rows, dropped) == (expected(filters, sort), []), (query, state)
        assert pages[0].chips.of(state) == len(rows), (query, state)


def test_the_previous_page_is_the_one_before(shape: Year) -> None:
    filters = ErrorFilter(state="resolved")
    pages = list(all_pages(filters, Sort(), size=30))

    back = read_page(filters, Sort(), before=pages[2].before, size=30)

    assert back.rows == pages[1].rows
    assert (back.after, back.before) == (pages[1].after, pages[1].before)
    first = read_page(filters, Sort(), before=back.before, size=30)
    assert (first.rows, first.before) == (pages[0].rows, "")


def test_rows_carry_what_the_list_shows_of_their_problem(shape: Year) -> None:
    row = read_page(ErrorFilter(state="resolved")).rows[0]

    assert row["problem__title"] == "Name is longer than 100 characters"
    assert row["problem__who"] in {"administrator", "user", "itself"}


def test_a_row_is_made_again_once_anything_about_it_has_changed(shape: Year) -> None:
    """What stays the same is the very same row: nothing is made of it twice."""
    before = read_page(ErrorFilter()).rows
    assert all(map(is_, before, read_page(ErrorFilter()).rows))
    first = before[0]
    error = SyncError.objects.get(pk=first["id"])
    Look.objects.filter(error=error).delete()
    changes: dict[str, Callable[[], object]] = {
        "its own name": lambda: SyncError.objects.filter(pk=error.pk).update(
            sales_name="Chez Nous SA"
        ),
        "its problem": lambda: Problem.objects.update(title="Something else"),
        "its own name again": lambda: SyncError.objects.filter(pk=error.pk).update(
            sales_name="Chez Nous SA, Vevey"
        ),
        "a look": lambda: Look.objects.create(error=error, sales_presence="exists"),
        "the look": lambda: Look.objects.update(sales_presence="deleted"),
    }

    for what, change in changes.items():
        change()
        now = read_page(ErrorFilter()).rows[0]
        assert now is not first, what
        first = now

    assert first["sales_name"] == "Chez Nous SA, Vevey"
    assert first["problem__title"] == "Something else"
    assert first["sales_presence"] == "deleted"
    assert before[0]["sales_presence"] != "deleted"
    Problem.objects.update(last_seen=NEWEST)  # as with any other record of it
    assert read_page(ErrorFilter()).rows[0] is first


@pytest.mark.postgresql
def test_a_row_that_goes_while_the_page_is_read_is_left_out(shape: Year) -> None:
    before = read_page(ErrorFilter(), size=5).rows
    SyncError.objects.update(occurrences=77)

    def just_now(execute: Any, sql: str, *rest: Any) -> Any:
        if "unnest(" in sql:
            SyncError.objects.filter(pk=before[1]["id"]).delete()
        return execute(sql, *rest)

    with database.execute_wrapper(just_now):
        rows = read_page(ErrorFilter(), size=5).rows

    ids = [row["id"] for row in before]
    assert [row["id"] for row in rows if row["id"] in ids] == [ids[0], *ids[2:]]
    assert {row["occurrences"] for row in rows} == {77}


@pytest.mark.parametrize(
    ("sort", "value"),
    [
        ("last_seen", "9999-12-31T23:59:59-23:59"),
        ("occurrences", 10**30),
        ("record", "\ud800"),
    ],
)
def test_a_token_beyond_every_row_is_ignored(sort: str, value: Any) -> None:
    made = write_token({SORTS[sort]: value, "id": 1}, Sort(sort))

    assert read_token(made, Sort(sort)) is None


@pytest.mark.parametrize("token", ["x", "W10", "WyJhIiwxXQ", "é", "bnVsbA"])
def test_a_token_that_makes_no_sense_is_ignored(shape: Year, token: str) -> None:
    assert read_page(ErrorFilter(), after=token).rows == read_page(ErrorFilter()).rows


def test_a_short_search_finds_beginnings_and_says_so(shape: Year) -> None:
    make_error(bc_number="ZZ1", bc_name="Övre")

    page = read_page(ErrorFilter(state="all", q="zz"))

    assert [row["bc_number"] for row in page.rows] == ["ZZ1"]
    assert page.by_beginning


def test_a_search_counts_what_is_in_sight_under_each_chip() -> None:
    named = {"bc_name": "Léman", "search_text": "Léman"}
    gone, *_rest = [make_error(**named) for _each in range(3)]
    make_error(**named, state="resolved")
    delete_selected([gone.pk], make_user(Role.ADMINISTRATOR))

    for text in ("leman", "lé"):
        page = read_page(ErrorFilter(q=text))

        assert len(page.rows) == 2
        assert page.chips.exact
        assert page.chips.chips == {"open": 2, "resolved": 1}


def test_neighbours_and_position_follow_the_filtered_list(shape: Year) -> None:
    filters, sort = ErrorFilter(state="resolved", who="user"), Sort("record", False)
    ids = expected(filters, sort)

    found = neighbours(SyncError.objects.get(pk=ids[2]), filters, sort)

    assert (found.previous, found.next) == (ids[1], ids[3])
    assert (found.position, found.total) == (3, len(ids))


def test_an_error_that_left_the_list_has_no_position(shape: Year) -> None:
    filters = ErrorFilter(state="resolved")
    outside = SyncError.objects.filter(chip="open").first()
    assert outside is not None

    assert neighbours(outside, filters, Sort()).position is None


@pytest.mark.parametrize("text", ["", "x", "-x", "last_seen; drop", "id"])
def test_only_offered_sorts_are_read(text: str) -> None:
    assert parse_sort(text) is None


def clean_up(query: dict[str, str], older_than: int | None, **values: Any) -> None:
    request = CleanupRequest(older_than, parse_filter(query)[0])
    shown = preview(request, "command line")
    typed = str(shown.relevant)
    delete(shown.token, request, "command line", typed=typed, **values)


@pytest.mark.parametrize("sort", EVERY_SORT, ids=str)
def test_lists_leave_out_what_any_clean_up_hides(shape: Year, sort: Sort) -> None:
    clean_up({"connection": str(shape.connections[1].pk)}, None, include_relevant=True)
    clean_up({"mapping": "CURRENCY"}, None)
    clean_up({}, 7)
    clean_up({"q": "Müller"}, 30, include_relevant=True)

    rows = SyncError.objects.visible(Operation.objects.cuts())
    in_sight = set(rows.values_list("id", flat=True))
    for query, state in product(queries(shape), STATES):
        filters, _ = parse_filter({**query, "state": state})
        listed = [
            row["id"] for page in all_pages(filters, sort, 50) for row in page.rows
        ]
        wanted = [key for key in expected(filters, sort) if key in in_sight]
        assert listed == wanted, (query, state)


@pytest.mark.postgresql
def test_a_page_is_asked_for_with_its_counts_where_the_list_is_as_it_was(
    shape: Year,
) -> None:
    """And one that is not as it was is what it would be without."""
    filters = ErrorFilter(state="resolved", since=NEWEST - timedelta(days=300))
    token = read_page(filters, size=20).after

    def asked_ahead() -> tuple[ErrorPage, int]:
        likely = likely_statements(filters, Sort(), after=token, before="", size=20)
        with ahead(likely), CaptureQueriesContext(database) as captured:
            return read_page(filters, after=token, size=20), len(captured)

    known = read_page(filters, after=token, size=20)
    assert asked_ahead() == (known, 1)

    clean_up({"mapping": "CURRENCY"}, None)
    page, _queries = asked_ahead()
    assert page == read_page(filters, after=token, size=20)
    assert "CURRENCY" not in {row["mapping_key"] for row in page.rows}
