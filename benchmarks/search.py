"""Searching the list of errors: rare and common words (design §8, D11).

    [DATABASE_URL=postgres://…] python -m benchmarks.search [--rounds 20] [--rows N]

Prints milliseconds of the list's fragment, and what it takes without the index.
"""

import argparse
from functools import partial
from urllib.parse import urlencode

from benchmarks import databases  # isort: skip  # it sets Django up

from django.db import connection
from django.test import Client

from benchmarks.lists import get
from benchmarks.measure import take_turns
from integration.models import SyncError
from integration.models.cuts import text_q
from integration.models.errors import LIST_COLUMNS

WORDS = {
    "one record": "1077 ",
    "a name with accents": "Müller 12",
    "without accents": "muller 12",
    "in every row of a cause": "privilege",
    "in nearly every row": "record",
    "in no row": "zzzqqq",
    "two characters": "10",
}


def plainly(word: str) -> None:
    """What the search would be without an index."""
    rows = SyncError.objects.filter(text_q(word), chip="open")
    list(rows.order_by("-last_seen", "-id").values(*LIST_COLUMNS)[:51])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--rows", type=int, default=databases.MOST_ROWS)
    options = parser.parse_args()
    databases.use(options.rows)
    client = Client()
    client.force_login(databases.administrator())
    print(f"{connection.vendor}, {options.rows:,} rows, ms")
    print(f"{'':26}{'p50':>8}{'p95':>8}{'in all':>8}{'plainly':>11}")
    for name, word in WORDS.items():
        times = take_turns(
            {
                "ours": partial(get, client, f"/errors/?{urlencode({'q': word})}"),
                "all": partial(
                    get, client, f"/errors/?{urlencode({'q': word, 'state': 'all'})}"
                ),
                "plainly": partial(plainly, word),
            },
            options.rounds,
        )
        ours, everywhere, plain = times["ours"], times["all"], times["plainly"]
        print(
            f"{name:26}{ours.p50:8.1f}{ours.p95:8.1f}{everywhere.p50:8.1f}"
            f"{plain.p50:11.1f}"
        )


if __name__ == "__main__":
    main()
