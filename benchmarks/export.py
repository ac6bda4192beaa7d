"""A CSV file of the list, against csv.writer over the same SELECT and a peer.

    uv run --group dev --group bench python -m benchmarks.export [--rows 100000]

To reach: 0.9 times the rows per second of csv.writer over the same SELECT, and at most
20 MB of memory. The best of three rounds counts. django-import-export writes a part
only: it keeps all of it in memory.
"""

import argparse
import csv
import os
import tracemalloc
from collections.abc import Callable

from django.db.models import CharField, Value
from django.db.models.functions import Cast, Concat

from benchmarks.databases import FEW_ROWS, use
from integration import clock
from integration.models import SyncError
from integration.services import export
from integration.services.error_filters import ALL, ErrorFilter
from integration.services.error_sort import NEWEST_FIRST

ROUNDS = 3
PEER_ROWS = 5_000
ADDRESS = "https://sync.example.com/errors/"
FILE = (
    *("problem__title", *export._COLUMNS[1:11], "problem__who"),
    *(*export._COLUMNS[11:14], "connection__name"),
    Concat(
        Value("https://sync.example.com/errors/"), Cast("id", CharField()), Value("/")
    ),
)
"""What the file shows, as one SELECT gives it: in English, with stored words."""
EVERY = SyncError.objects.order_by("-last_seen", "-id")


def ours() -> int:
    every, write = ErrorFilter(state=ALL), export.csv_writer(",")
    with open(os.devnull, "wb") as file:
        file.write(write([export.heads()]))
        for lines in export.read_rows(every, NEWEST_FIRST, "en", ADDRESS, write):
            file.write(lines)
    return EVERY.count()


def plain() -> int:
    with open(os.devnull, "w", encoding="utf-8", newline="") as file:
        rows = EVERY.values_list(*FILE).iterator(chunk_size=5_000)
        csv.writer(file).writerows(rows)
    return EVERY.count()


def import_export() -> int:
    from import_export.resources import modelresource_factory

    chosen = EVERY[:PEER_ROWS]
    with open(os.devnull, "w", encoding="utf-8", newline="") as file:
        file.write(modelresource_factory(SyncError)().export(chosen).csv)
    return PEER_ROWS


def rate(export_rows: Callable[[], int]) -> float:
    """Rows per second."""
    start = clock.monotonic()
    rows = export_rows()
    return rows / (clock.monotonic() - start)


def memory(export_rows: Callable[[], int]) -> float:
    """Megabytes at the most, in a round of its own: tracing makes it slow."""
    tracemalloc.start()
    export_rows()
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return most / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=FEW_ROWS)
    use(parser.parse_args().rows)
    rounds = [(rate(ours), rate(plain)) for _ in range(ROUNDS)]
    best, floor = map(max, zip(*rounds, strict=True))
    print(f"ours {best:,.0f} rows/s, {memory(ours):.1f} MB")
    print(f"csv.writer over the same SELECT {floor:,.0f} rows/s")
    print(f"django-import-export {rate(import_export):,.0f} rows/s, ", end="")
    print(f"{memory(import_export):.0f} MB for {PEER_ROWS:,} rows")
    print(f"export: {best / floor:.2f} × csv.writer (≥ 0.9)")


if __name__ == "__main__":
    main()
