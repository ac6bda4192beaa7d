"""The list's shape at 100,000 rows: queries, plans and what they sort (D10)."""

import re
from collections.abc import Iterator
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from django.db import connection as database
from django.db import transaction
from django.test.utils import CaptureQueriesContext

from benchmarks.year import NEWEST, Year, write_errors
from integration import clock
from integration.models import ErrorTotal, Problem, SyncError
from integration.models.dialect import SEARCH_TABLE
from integration.services.error_filters import parse_filter
from integration.services.error_list import read_page
from integration.services.error_sort import SORTS, Sort, write_token
from tests.services.test_error_list import clean_up, queries

pytestmark = pytest.mark.django_db
only_sqlite = pytest.mark.sqlite
MANY = 100_000
AT_TEN_ROWS: list[int] = []
MOST_SORTED = 10_000
BELOW = '"spared"'
PLAIN_SCAN = re.compile(
    r"SCAN (?!CONSTANT ROW|\(|.*USING .*INDEX|.*VIRTUAL TABLE)"
    r"|Seq Scan on integration_syncerror"
)
SORTED = re.compile(r"FOR ORDER BY|^ *(->  )?Sort ")


@pytest.fixture(scope="module")
def many(django_db_setup: None, django_db_blocker: Any) -> Iterator[Year]:
    """A hundred thousand rows, once for the module."""
    with django_db_blocker.unblock(), transaction.atomic():
        shape = Year(problems=20, jobs=40)
        write_errors(shape, 10)
        AT_TEN_ROWS[:] = [finding(query) for query in queries(shape)]
        SyncError.objects.all().delete()
        if database.vendor == "sqlite":
            gather_words()
        write_errors(shape, MANY)
        if database.vendor == "postgresql":
            with database.cursor() as cursor:
                cursor.execute("ANALYZE")
                # No index is read alone before a VACUUM, which a transaction cannot
                # have: let its reads cost what they cost on a solid-state disk.
                cursor.execute("SET LOCAL random_page_cost = 1.1")
        yield shape
        transaction.set_rollback(True)


def gather_words() -> None:
    """In memory, else the index of words is made of parts merged again and again."""
    with database.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {SEARCH_TABLE} ({SEARCH_TABLE}, rank) VALUES (%s, %s)",  # noqa: S608
            ["hashsize", 64_000_000],
        )


def asked(query: dict[str, str], sort: Sort) -> list[str]:
    """The statements that one page takes."""
    with CaptureQueriesContext(database) as captured:
        read_page(parse_filter(query)[0], sort)
    return [entry["sql"] for entry in captured.captured_queries]


def finding(query: dict[str, str]) -> int:
    """How many statements a page takes, but the one by which PostgreSQL reads whole
    what this process has not shown yet."""
    return sum("unnest(" not in sql for sql in asked(query, Sort()))


def reads(sql: str) -> bool:
    """Whether it finds rows of the list: neither tells when the last one failed, nor
    what has been found."""
    finds = "max(last_seen)" not in sql and "unnest(" not in sql
    return 'FROM "integration_syncerror"' in sql and finds


def plan(sql: str) -> list[str]:
    explain = "EXPLAIN QUERY PLAN " if database.vendor == "sqlite" else "EXPLAIN "
    with database.cursor() as cursor:
        cursor.execute(explain + sql.replace("%", "%%"))
        return [row[-1] for row in cursor.fetchall()]


def unsorted_rows(sql: str) -> int:
    """How many rows a statement had to sort: all it finds without its limit."""
    bare = re.sub(r" LIMIT \d+$", "", sql)
    with database.cursor() as cursor:
        counting = f"SELECT count(*) FROM ({bare}) AS found"  # noqa: S608  # our own statement
        cursor.execute(counting.replace("%", "%%"))
        return int(cursor.fetchone()[0])


def faults(query: dict[str, str], sort: Sort) -> list[str]:
    found = []
    for sql in asked(query, sort):
        if not sql.startswith("SELECT"):
            continue
        steps = plan(sql)
        errors = [step for step in steps if "syncerror" in step]
        found += [f"{step}: {sql}" for step in errors if PLAIN_SCAN.search(step)]
        if any(map(SORTED.search, steps)) and errors:
            rows = unsorted_rows(sql)
            found += [f"sorts {rows}: {sql}"] if rows > MOST_SORTED else []
    return found


def soon_after(query: dict[str, str]) -> dict[str, str]:
    """What a preview kept is looked at soon after it.

    A hundred days later a quarter of the table has settled since, and PostgreSQL reads
    that by whatever costs less.
    """
    day = (NEWEST - timedelta(days=2)).date().isoformat()
    return {**query, "unsettled": day, "to": day} if "unsettled" in query else query


def test_no_filter_or_sort_scans_the_table_or_sorts_much(many: Year) -> None:
    asked_for = queries(many)
    if database.vendor == "postgresql":
        asked_for = list(map(soon_after, asked_for))
    found = [
        fault
        for name, state in product(SORTS, ("open", "resolved", "all"))
        for query in asked_for
        for fault in faults({**query, "state": state}, Sort(name))
    ]

    assert found == []


def test_a_page_takes_the_same_few_queries_at_any_size(many: Year) -> None:
    asked_many = [finding(query) for query in queries(many)]

    assert max(asked_many) <= 6
    # What finds nothing among ten rows needs no problems for them.
    pairs = zip(asked_many, AT_TEN_ROWS, strict=True)
    assert all(many <= few + 1 for many, few in pairs)
    assert asked_many[0] == AT_TEN_ROWS[0]


@only_sqlite
@pytest.mark.parametrize("query", [{}, {"mapping": "CUSTOMER"}, {"who": "user"}])
@pytest.mark.parametrize("name", SORTS)
def test_a_deep_page_is_read_from_where_it_begins(
    many: Year, name: str, query: dict[str, str]
) -> None:
    sort = Sort(name)
    rows = SyncError.objects.filter(chip="resolved").order_by(sort.column, "id")
    after = write_token(rows.values(sort.column, "id")[40_000], sort)
    # In a text SQLite sees that two values are one; of parameters it knows nothing.
    sent: list[tuple[str, Any]] = []

    def note(execute: Any, sql: str, params: Any, *rest: Any) -> Any:
        sent.append((sql, params))
        return execute(sql, params, *rest)

    with database.execute_wrapper(note):
        read_page(parse_filter({**query, "state": "resolved"})[0], sort, after=after)

    (read,) = [one for one in sent if " AS page" in one[0]]
    with database.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {read[0]}", read[1])
        steps = [row[-1] for row in cursor.fetchall()]
    assert any(
        f"{sort.column}<?" in step or f"{sort.column}>?" in step for step in steps
    )


@only_sqlite
def test_a_job_is_read_in_the_order_of_its_index(many: Year) -> None:
    query = {"job": str(many.jobs[1].pk), "state": "all"}
    _count, read = [sql for sql in asked(query, Sort()) if reads(sql)]

    # What is sorted are the rows of the page, with what stands beside them.
    assert sum("FOR ORDER BY" in step for step in plan(read)) == 1


@only_sqlite
@pytest.mark.parametrize("query", [{"who": "user"}, {"category": "permission"}])
def test_causes_that_most_rows_have_are_met_in_the_order_of_the_list(
    many: Year, query: dict[str, str]
) -> None:
    (read,) = [sql for sql in asked(query, Sort()) if reads(sql)]

    assert any("INDEX error_in_chip" in step for step in plan(read))
    assert sum("FOR ORDER BY" in step for step in plan(read)) == 1


@only_sqlite
def test_causes_that_few_rows_have_are_read_without_the_others(many: Year) -> None:
    """Those may all be older than thousands of rows of other causes."""
    Problem.objects.filter(pk=many.problems[-1].pk).update(category="schema")
    query = {"category": "schema", "state": "resolved"}

    (read,) = [sql for sql in asked(query, Sort()) if reads(sql)]

    assert any("(problem_id=?" in step for step in plan(read))


@only_sqlite
def test_what_a_preview_kept_is_found_by_when_it_settled(many: Year) -> None:
    now = NEWEST.isoformat()
    query = {"state": "all", "to": now, "unsettled": now}
    steps = [" ".join(plan(sql)) for sql in asked(query, Sort()) if reads(sql)]

    assert len(steps) == 2
    assert all("PRIMARY KEY (rowid=?)" in step for step in steps)
    assert all("USING COVERING INDEX error_settled" in step for step in steps)


@only_sqlite
@pytest.mark.parametrize("state", ["resolved", "all"])
@pytest.mark.parametrize("name", ["last_seen", "occurrences"])
def test_below_a_cut_no_hidden_row_is_walked(many: Year, state: str, name: str) -> None:
    with transaction.atomic():
        clean_up({}, None)
        steps = [
            step
            for query in queries(many)
            if not set(query) & {"q", "record", "job", "unsettled", "moment"}
            for sql in asked({**query, "state": state}, Sort(name))
            if reads(sql) and BELOW in sql and "COUNT" not in sql
            for step in plan(sql)
            if "integration_syncerror" in step and "last_seen>?" not in step
        ]
        transaction.set_rollback(True)

    assert len(steps) >= 10
    few = {"error_below_a_cut", "error_spared", "error_settled"}
    assert {re.findall(r"USING INDEX (\w+)", step)[0] for step in steps} <= few


def test_clean_ups_in_force_change_no_plan(many: Year) -> None:
    with transaction.atomic():
        clean_up({}, 7)
        clean_up({"mapping": "CURRENCY"}, None, include_relevant=True)
        found = [
            fault
            for name, state in product(("last_seen", "occurrences"), ("open", "all"))
            for query in queries(many)[:8]
            for fault in faults({**query, "state": state}, Sort(name))
        ]
        transaction.set_rollback(True)

    assert found == []


@pytest.mark.parametrize("cut", [False, True])
@pytest.mark.parametrize("state", ["all", "relevant"])
@pytest.mark.parametrize("name", ["problem", "mapping", "connection", "direction"])
def test_several_states_of_a_scope_are_not_walked_past_the_rows_of_others(
    many: Year, name: str, state: str, cut: bool
) -> None:
    row = SyncError.objects.filter(mapping_key="CUSTOMER").values()[0]
    value = row.get(f"{name}_id") or row.get(f"{name}_key") or row.get(name)
    with transaction.atomic():
        if cut:
            clean_up({}, 7)
        (sql, *below) = [
            sql
            for sql in asked({name: str(value), "state": state}, Sort())
            if reads(sql)
        ]
        steps = [step for step in plan(sql) if f"error_of_{name}" in step]
        transaction.set_rollback(True)

    assert len(steps) == (4 if state == "all" else 3)
    assert len(below) <= cut


def test_a_bound_that_was_reached_is_believed_while_nothing_else_changes(
    many: Year, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1_000.0
    monkeypatch.setattr(clock, "monotonic", lambda: now)
    query = {"reason": "resolved", "state": "resolved"}

    def counts() -> int:
        return sum("FILTER (WHERE unsettled" in sql for sql in asked(query, Sort()))

    first, again = counts(), counts()
    now += 10
    later = counts()
    with transaction.atomic():
        ErrorTotal.objects.filter(pk=ErrorTotal.objects.earliest("pk").pk).update(n=0)
        changed = counts()
        transaction.set_rollback(True)

    assert (first, again, later, changed) == (1, 0, 1, 1)


@pytest.mark.postgresql
def test_what_a_list_asks_again_and_again_is_planned_once(many: Year) -> None:
    prepared = "SELECT statement FROM pg_prepared_statements"
    row = SyncError.objects.values("problem_id")[0]
    for _time in range(4):
        asked({"problem": str(row["problem_id"])}, Sort())

    with database.cursor() as cursor:
        cursor.execute(prepared)
        known = [sql for (sql,) in cursor.fetchall() if reads(sql)]

    assert any(f"= {row['problem_id']} " in sql for sql in known)
