"""When an error without a record is over (design §5, settled)."""

from django.db.models import QuerySet

from integration.choices import JobState, Origin
from integration.models import Connection, Job, SyncError, TableMapping
from integration.services.errors import settle_setup_errors


def settle_after_success(mapping: TableMapping) -> int:
    """What runs had raised is over once every mapping's latest run has succeeded.

    A run signs in to both systems and reads both, so its success is the proof. What a
    check has raised, only a check settles.
    """
    connection = mapping.connection
    raised = _open(connection).filter(origin=Origin.ENGINE)
    fingerprints = set(raised.values_list("fingerprint", flat=True))
    if not fingerprints or not _all_succeeded(connection):
        return 0
    return settle_setup_errors(connection, fingerprints)


def open_set_up_errors(connection: Connection) -> set[str]:
    """Fingerprints of the unsettled errors without a record."""
    return set(_open(connection).values_list("fingerprint", flat=True))


def _open(connection: Connection) -> QuerySet[SyncError]:
    return SyncError.objects.filter(
        connection=connection, mapping_key="", record_key="", settled_at=None
    )


def _all_succeeded(connection: Connection) -> bool:
    for mapping in connection.mappings.filter(paused_at=None):
        latest = Job.objects.filter(mapping=mapping, finished_at__isnull=False).first()
        if latest and latest.state != JobState.SUCCEEDED:
            return False
    return True
