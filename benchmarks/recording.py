"""Recording errors with grouping, against what the database itself needs for the rows.

    python -m benchmarks.recording [--rows 100000] [--records 5000] [--rounds 3]

Each round records new outcomes in transactions of 1,000 as a run does, records them
again, copies the same rows by one INSERT … SELECT into the same table and indexes, and
saves some row by row with the same payloads and counts. The best round of each counts.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from django.db import connection, transaction
from django.db.models import F, Sum

from benchmarks.databases import FEW_ROWS, a_copy
from integration import clock
from integration.choices import Chip
from integration.core.failures import Failure, FailureKind
from integration.core.outcomes import Outcome, OutcomeKind, Presence, RecordRef
from integration.core.records import Direction, System
from integration.models import (
    ErrorCell,
    ErrorPayload,
    ErrorTotal,
    Job,
    Problem,
    ProblemDay,
    SyncError,
)
from integration.services.articles import cause_of
from integration.services.error_rows import failing_outcome
from integration.services.errors import record_outcomes
from integration.services.execution import collected_seldom

TRANSACTION = 1_000
"""Records of one task's chunk (design §8)."""
SAVED = 200
_TABLE = SyncError._meta.db_table
_COLUMNS = [
    field.column
    for field in SyncError._meta.concrete_fields
    if not (field.primary_key or field.generated)
]


def outcomes(start: int, count: int) -> list[Outcome]:
    """Failures of so many records, of the year's causes, with request and answer."""
    year = SyncError.objects.order_by("id").values_list(
        "problem_id", "message", "call_stack"
    )
    made = []
    for number, (cause, message, call_stack) in enumerate(year[:count], start):
        key = f"{number:08x}-1111-4000-8000-{number:012x}"
        made.append(
            Outcome(
                OutcomeKind.FAILED,
                Direction.TO_SALES,
                key,
                RecordRef(key, str(number), f"Garage {number}", Presence.EXISTS),
                RecordRef(presence=Presence.NOT_CREATED),
                Failure(
                    System.SALES,
                    FailureKind.REFUSED,
                    f"0x8004{cause:04x}",
                    message,
                    400,
                    field="name",
                    request=message * 2,
                    response=message,
                ),
                call_stack=call_stack,
            )
        )
    return made


def record(job: Job, ended: Sequence[Outcome]) -> None:
    for start in range(0, len(ended), TRANSACTION):
        with transaction.atomic():
            record_outcomes(job, ended[start : start + TRANSACTION])


def insert_again(last: int) -> Callable[[], None]:
    """The rows beyond ``last`` once more under other keys: one INSERT … SELECT."""
    names = ", ".join(f'"{name}"' for name in _COLUMNS)
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS recorded")
        cursor.execute(
            f"CREATE TEMP TABLE recorded AS SELECT {names} FROM {_TABLE} "
            f"WHERE id > {last}"
        )
        cursor.execute("UPDATE recorded SET record_key = 'p' || substr(record_key, 2)")

    def insert() -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                f"INSERT INTO {_TABLE} ({names}) SELECT {names} FROM recorded"
            )

    return insert


def save_again(job: Job, ended: Sequence[Outcome]) -> Callable[[], None]:
    """Some of these under other keys, recorded one by one as a plain program would.

    Each in a transaction of its own, which leaves behind what ours does: the row, its
    payload, its problem and every count of it.
    """
    others = [
        one._replace(record_key=f"s{one.record_key[1:]}") for one in ended[:SAVED]
    ]

    def save() -> None:
        for one in others:
            with transaction.atomic():
                save_one(job, one)

    return save


def save_one(job: Job, one: Outcome) -> None:
    mapping, now = job.mapping, clock.now()
    cause = cause_of(one.failure, one.finding)
    row = failing_outcome(one, cause, mapping.name, job.pk)
    problem, _ = Problem.objects.update_or_create(
        connection=mapping.connection,
        fingerprint=cause.fingerprint,
        defaults={"last_seen": now},
        create_defaults={
            "article": cause.article,
            "params": dict(cause.params),
            "title": cause.title[:300],
            "category": cause.category,
            "who": cause.who,
            "first_seen": now,
            "last_seen": now,
        },
    )
    error, is_new = SyncError.objects.get_or_create(
        connection=mapping.connection,
        mapping_key=row.mapping_key,
        direction=row.direction,
        record_key=row.record_key,
        fingerprint=cause.fingerprint,
        defaults={
            **row.columns,
            "problem": problem,
            "first_seen": now,
            "last_seen": now,
        },
    )
    assert is_new  # one seen again would move the counts
    sent = {"request": row.request, "response": row.response, "recorded_at": now}
    ErrorPayload.objects.update_or_create(error=error, latest=False, defaults=sent)
    group = {
        "problem": problem,
        "connection": mapping.connection,
        "mapping_key": row.mapping_key,
        "direction": row.direction,
        "state": Chip.WAITING if row.columns["waits_for"] else Chip.OPEN,
    }
    count_one(ErrorCell, day=now.date(), **group)
    count_one(ErrorTotal, **group)
    count_one(ProblemDay, problem=problem, day=now.date())


def count_one(model: Any, **key: Any) -> None:
    """One more, as Django's documentation counts."""
    counter, _ = model.objects.get_or_create(**key, defaults={"n": 0})
    model.objects.filter(pk=counter.pk).update(n=F("n") + 1)


def seconds(work: Callable[[], object]) -> float:
    start = clock.monotonic()
    work()
    return clock.monotonic() - start


def visible() -> int:
    """What the roll-up says."""
    return int(ErrorTotal.objects.aggregate(n=Sum("n"))["n"])


def measure(records: int, rounds: int) -> Iterator[dict[str, float]]:
    """Rows a second of each way, round by round."""
    job = Job.objects.select_related("mapping__connection").order_by("id")[0]
    record(job, outcomes(50_000_000, TRANSACTION))  # articles read, plans made
    for place in range(rounds):
        ended = outcomes(60_000_000 + place * records, records)
        last = SyncError.objects.order_by("-id")[0].pk
        new = seconds(lambda ended=ended: record(job, ended))  # type: ignore[misc]  # mypy infers no defaults
        peer = seconds(insert_again(last))
        again = seconds(lambda ended=ended: record(job, ended))  # type: ignore[misc]  # as above
        counted = visible()
        saved = seconds(save_again(job, ended))
        assert visible() == counted + SAVED
        yield {
            "new": records / new,
            "again": records / again,
            "insert": records / peer,
            "save": SAVED / saved,
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=FEW_ROWS)
    parser.add_argument("--records", type=int, default=5_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with a_copy(options.rows), collected_seldom():  # as a run does
        found = list(measure(options.records, options.rounds))
    best = {name: max(one[name] for one in found) for name in found[0]}
    print(f"{connection.vendor}, beside {options.rows:,} rows:")
    for name, rate in best.items():
        print(f"  {name:6} {rate:9,.0f} rows/s")
    print(f"new errors: {best['new'] / best['insert']:.2f} × INSERT … SELECT")
    print(f"recurring:  {best['again'] / best['insert']:.2f} × INSERT … SELECT")
    print(f"new errors: {best['new'] / best['save']:.0f} × row by row")


if __name__ == "__main__":
    main()
