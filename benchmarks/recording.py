"""Recording errors with grouping, against what the database itself needs for the rows.

    python -m benchmarks.recording [--rows 100000] [--records 5000] [--rounds 3]

Each round records new outcomes in transactions of 1,000 as a run does, records them
again, copies the same rows by one INSERT … SELECT into the same table and indexes, and
saves some row by row. The best round of each counts.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence

from django.db import connection, transaction

from benchmarks.databases import FEW_ROWS, a_copy
from integration import clock
from integration.core.failures import Failure, FailureKind
from integration.core.outcomes import Outcome, OutcomeKind, Presence, RecordRef
from integration.core.records import Direction, System
from integration.models import ErrorPayload, Job, Problem, SyncError
from integration.services.articles import cause_of
from integration.services.errors import record_outcomes

TRANSACTION = 1_000
"""Records of one task's chunk (design §8)."""
SAVED = 200
KEY = ("connection_id", "mapping_key", "direction", "record_key", "fingerprint")
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


def save_again(ended: Sequence[Outcome], last: int) -> Callable[[], None]:
    """Some of these, recorded one by one as a plain program would: look up and save."""
    keys = [one.record_key for one in ended[:SAVED]]
    rows = {
        row.record_key: row
        for row in SyncError.objects.filter(id__gt=last, record_key__in=keys)
    }

    def save() -> None:
        for one in ended[:SAVED]:
            copy, said = rows[one.record_key], one.failure
            assert said
            cause = cause_of(said, one.finding)
            with transaction.atomic():
                problem, _ = Problem.objects.get_or_create(
                    connection=copy.connection, fingerprint=cause.fingerprint
                )
                key = {name: getattr(copy, name) for name in KEY}
                key["record_key"] = f"s{copy.record_key[1:]}"
                old = SyncError.objects.filter(**key).first()
                copy.pk, copy._state.adding = (old.pk, False) if old else (None, True)
                copy.problem, copy.record_key = problem, key["record_key"]
                copy.save()
                ErrorPayload.objects.update_or_create(
                    error=copy,
                    latest=False,
                    defaults={
                        "request": said.request,
                        "response": said.response,
                        "recorded_at": copy.last_seen,
                    },
                )

    return save


def seconds(work: Callable[[], object]) -> float:
    start = clock.monotonic()
    work()
    return clock.monotonic() - start


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
        saved = seconds(save_again(ended, last))
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
    with a_copy(options.rows):
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
