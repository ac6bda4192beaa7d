"""A clean-up of nearly everything: preview, click, undo, removal (design §7, §8).

    [DATABASE_URL=postgres://…] python -m benchmarks.cleanup [--rows N]

Works on copies of the rows. Removal is compared with one DELETE that leaves the same
behind, each on a copy of its own and committed. Then it is carried out once more while
somebody records errors: those it lets through, where the one DELETE keeps them waiting.
"""

import argparse
import resource
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import Any

from benchmarks import databases  # isort: skip  # it sets Django up

from django.db import connection, transaction
from django.test import Client

from benchmarks.lists import get
from benchmarks.measure import timed
from benchmarks.writer import recording
from integration.choices import OperationState
from integration.models import ErrorPayload, Look, Operation, SyncError
from integration.services import purge
from integration.services.cleanup import delete
from integration.services.cleanup_preview import CleanupRequest, Preview, preview
from integration.services.undo import undo

_RATE = 50
_KIB = 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=databases.MOST_ROWS)
    options = parser.parse_args()
    with databases.a_copy(options.rows):
        print(f"{connection.vendor}, {options.rows:,} rows")
        client = Client()
        client.force_login(databases.administrator())
        # A web process has loaded its pages before anybody comes.
        get(client, "/errors/?state=all", whole=True)
        for days in (7, None):
            _in_and_out(client, CleanupRequest(days))
        at_once, _ = _removed(_delete)
    with databases.a_copy(options.rows):
        chunked, _ = _removed(_purge)
    print(
        f"removal {chunked:.1f} s, one DELETE {at_once:.1f} s: "
        f"{chunked / at_once:.2f} x"
    )
    with databases.a_copy(options.rows):
        beside, said = _removed(_purge, _RATE)
    print(f"beside a writer {beside:.1f} s: {said}")


def _in_and_out(client: Client, request: CleanupRequest) -> None:
    """Preview, click and undo, each until its page is there."""
    by = databases.administrator()
    shown: list[Preview] = []
    counted = timed(lambda: shown.append(preview(request, by)))
    hidden: list[Operation] = []
    listing = partial(get, client, "/errors/?state=all", whole=True)

    def click() -> None:
        hidden.append(delete(shown[0].token, request, by))
        listing()

    def back() -> None:
        undo(hidden[0], by)
        listing()

    what = "all entries" if request.older_than is None else "older than 7 days"
    print(
        f"{what:20} preview {counted:6.2f} s, click to list {timed(click):6.2f} s "
        f"({hidden[0].rows:,} rows), undo to list {timed(back):6.2f} s"
    )


def _removed(remove: Callable[[Operation], None], rate: int = 0) -> tuple[float, str]:
    """Seconds that the removal of all entries took, and what it meant for others.

    ``rate`` errors a second are recorded meanwhile.
    """
    request, by = CleanupRequest(None), databases.administrator()
    operation = delete(preview(request, by).token, request, by)
    alone = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with recording(rate) if rate else nullcontext() as written:
        taken = timed(partial(remove, operation))
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - alone
    assert not Operation.objects.hiding().exists()
    if written is None:
        return taken, ""
    return taken, (
        f"{operation.rows:,} rows; memory +{grown / _KIB:.0f} MB; a writer waited "
        f"{written.times.longest:.0f} ms at most (p50 {written.times.p50:.0f}) in "
        f"{written.rows:,} rows, refused {written.refused}"
    )


def _purge(operation: Operation) -> None:
    assert operation.undo_until
    purge.purge_due(operation.undo_until, max_seconds=3_600)


def _delete(operation: Operation) -> None:
    """One statement a table."""
    cut = next(cut for cut in Operation.objects.cuts() if cut.id == operation.pk)
    rows = SyncError.objects.filter(cut.hides())
    held: Any
    with transaction.atomic():
        for held in (ErrorPayload.objects, Look.objects):
            held.filter(error__in=rows.values("id"))._raw_delete("default")
        rows._raw_delete("default")
        operation.cells.all().delete()
        Operation.objects.filter(pk=operation.pk).update(state=OperationState.PURGED)


if __name__ == "__main__":
    main()
