"""The list of errors against the floor inside Django and against its peers (design §8).

    [DATABASE_URL=postgres://…] python -m benchmarks.lists [--rounds 60] [--rows N]

Prints milliseconds and ratios of one run: the list's fragment with 50 rows and every
column, among few rows and among many, then while errors are recorded.
"""

import argparse
from collections.abc import Callable, Mapping
from functools import partial
from urllib.parse import urlencode

from benchmarks import databases  # isort: skip  # it sets Django up

from django.db import connection
from django.db.models import Count
from django.test import Client
from django.test.utils import CaptureQueriesContext

from benchmarks.measure import Times, take_turns
from benchmarks.writer import recording
from integration.models import ErrorTotal, Job, SyncError
from integration.services.error_sort import NEWEST_FIRST, SORTS, write_token

FLOOR, WHOLE = "ok view", "whole page"
_RATE = 500
_STOCK_ADMIN = "/peers/admin/integration/syncerror/?chip=open"


def cases() -> dict[str, str]:
    """Query strings by what they try."""
    few = ErrorTotal.objects.values_list("problem").annotate(n=Count("n")).earliest("n")
    newest = SyncError.objects.order_by("-last_seen").values(
        "problem_id", "connection_id", "last_seen", "record_key", "bc_number", "job_id"
    )
    row = newest[0]
    day = newest[1_000]["last_seen"].date().isoformat()
    queries: dict[str, dict[str, object]] = {
        "first page": {},
        "resolved": {"state": "resolved"},
        "all": {"state": "all"},
        "who": {"who": "user"},
        "category": {"category": "permission"},
        "connection": {"connection": row["connection_id"]},
        "mapping": {"mapping": "CURRENCY"},
        "direction": {"direction": "to_business_central"},
        "newest problem": {"problem": row["problem_id"], "state": "all"},
        "small problem": {"problem": few[0]},
        "job": {"job": Job.objects.earliest("id").pk, "state": "all"},
        "record": {"record": row["record_key"], "state": "all"},
        "from a day": {"from": day, "state": "resolved"},
        "to a day": {"to": day, "state": "resolved"},
        "reason": {"reason": "replaced", "state": "resolved"},
        "deep page": {"after": deep_token()},
        **{f"by {name}": {"sort": f"-{name}"} for name in list(SORTS)[1:]},
        **{
            f"resolved by {name}": {"sort": f"-{name}", "state": "resolved"}
            for name in list(SORTS)[1:]
        },
    }
    return {name: urlencode(query) for name, query in queries.items()}


def deep_token() -> str:
    """The page that begins in the middle of the open ones."""
    rows = SyncError.objects.filter(chip="open").order_by("-last_seen", "-id")
    middle = rows.values("last_seen", "id")[rows.count() // 2]
    return write_token(middle, NEWEST_FIRST)


def calls(client: Client, queries: Mapping[str, str]) -> dict[str, Callable[[], None]]:
    """What is timed."""
    found: dict[str, Callable[[], None]] = {FLOOR: partial(get, client, "/peers/ok")}
    for name, query in queries.items():
        found[name] = partial(get, client, f"/errors/?{query}")
    found[WHOLE] = partial(get, client, "/errors/", whole=True)
    return found


def get(client: Client, address: str, *, whole: bool = False) -> None:
    """The list's fragment, or a whole page."""
    headers = {} if whole else {"HX-Request": "true", "HX-Target": "list"}
    response = client.get(address, headers=headers)
    assert response.status_code == 200, (address, response.status_code)


def queries_of(client: Client, query: str) -> int:
    """How many statements the fragment takes."""
    with CaptureQueriesContext(connection) as captured:
        get(client, f"/errors/?{query}")
    return len(captured)


def measure(rows: int, rounds: int) -> tuple[dict[str, Times], dict[str, int], Client]:
    databases.use(rows)
    client = Client()
    client.force_login(databases.administrator())
    found = cases()
    counts = {name: queries_of(client, query) for name, query in found.items()}
    return take_turns(calls(client, found), rounds), counts, client


def show(
    few: Mapping[str, Times], many: Mapping[str, Times], counts: Mapping[str, int]
) -> None:
    floor = many[FLOOR]
    print(f"{'':24}{'few':>8}{'many':>8}{'p50/ok':>8}{'p95/ok':>8}{'m/f':>6}  queries")
    for name, times in many.items():
        print(
            f"{name:24}{few[name].p50:8.1f}{times.p50:8.1f}{times.p50 / floor.p50:8.1f}"
            f"{times.p95 / floor.p50:8.1f}{times.p50 / few[name].p50:6.1f}"
            f"  {counts.get(name, '')}"
        )


def show_peers(client: Client, rounds: int) -> None:
    times = take_turns(
        {
            FLOOR: partial(get, client, "/peers/ok"),
            "ours": partial(get, client, "/errors/"),
            "LazyPaginator": partial(get, client, "/peers/lazy"),
            "naive django-tables2": partial(get, client, "/peers/naive"),
            "stock admin": partial(
                get, client, "/peers/admin/integration/syncerror/?chip=open"
            ),
        },
        rounds,
    )
    print("\npeers, all columns, 50 rows")
    for name, one in times.items():
        print(f"{name:24}{one.p50:9.1f} ms {one.p50 / times[FLOOR].p50:8.1f} x")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--rows", type=int, default=databases.MOST_ROWS)
    options = parser.parse_args()
    few, _, _ = measure(databases.FEW_ROWS, options.rounds)
    many, counts, client = measure(options.rows, options.rounds)
    print(f"{connection.vendor}: {databases.FEW_ROWS:,} and {options.rows:,} rows, ms")
    show(few, many, counts)
    show_peers(client, options.rounds // 10)
    some = {name: cases()[name] for name in ("first page", "resolved", "deep page")}
    with recording(_RATE) as written:
        busy = take_turns(calls(client, some), options.rounds)
    print(f"\nwhile {written.rows:,} errors are recorded")
    show({name: many[name] for name in busy}, busy, counts)


if __name__ == "__main__":
    main()
