"""Is this installation well? Our own parts first, then every connection."""

from collections.abc import Iterator
from dataclasses import dataclass

from celery import current_app
from django.db import DatabaseError
from django.db import connection as database
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Max
from django.utils.translation import gettext as _
from kombu.exceptions import KombuError, OperationalError

from integration import clock
from integration.models import Connection, Job, User
from integration.services.check_lines import FAIL, WARN, CheckLine, passed
from integration.services.connections import CheckResult, check_connection

SILENT_MINUTES = 15


@dataclass(frozen=True, slots=True)
class Report:
    """The lines about ourselves, and one result per connection."""

    own: tuple[CheckLine, ...]
    connections: tuple[CheckResult, ...]

    @property
    def passed(self) -> bool:
        """Every enabled connection, and we ourselves, are well."""
        ours = all(line.state != FAIL for line in self.own)
        return ours and all(
            result.passed for result in self.connections if result.connection.enabled
        )


def examine_everything(by: User | None = None) -> Report:
    """Checks all connections; it records, settles and resumes as each check does."""
    own = tuple(check_installation())
    if any(line.step == "database" and line.state == FAIL for line in own):
        return Report(own, ())
    connections = Connection.objects.select_related("business_central", "sales")
    return Report(own, tuple(check_connection(found, by) for found in connections))


def check_installation() -> Iterator[CheckLine]:
    """Database, broker, and whether workers are alive."""
    line = _database()
    yield line
    yield _broker()
    if line.state != FAIL:
        yield _workers()


def _database() -> CheckLine:
    try:
        executor = MigrationExecutor(database)
        missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError as error:
        reason = str(error).strip().partition("\n")[0]
        sentence = _("The database cannot be used: {reason}").format(reason=reason)
        return CheckLine("database", FAIL, sentence, to_do=(_("Check DATABASE_URL."),))
    if missing:
        sentence = _("The database is not up to date.")
        return CheckLine("database", FAIL, sentence, to_do=("manage.py migrate",))
    return passed("database", _("The database answers and is up to date."))


def _broker() -> CheckLine:
    try:
        with current_app.connection_for_write() as broker:
            broker.ensure_connection(max_retries=1, timeout=2)
    except (OperationalError, KombuError, OSError):
        sentence = _("The broker cannot be reached; runs wait in the database.")
        return CheckLine("broker", WARN, sentence, to_do=(_("Check REDIS_URL."),))
    return passed("broker", _("The broker answers."))


def _workers() -> CheckLine:
    last = Job.objects.aggregate(last=Max("heartbeat_at"))["last"]
    if last is None:
        return CheckLine("workers", WARN, _("No job has run yet."))
    age = int((clock.now() - last).total_seconds() // 60)
    if age > SILENT_MINUTES:
        sentence = _("Nothing has run for {minutes} minutes.").format(minutes=age)
        advice = _("Start a worker and beat, or quickstart.")
        return CheckLine("workers", WARN, sentence, to_do=(advice,))
    return passed("workers", _("Jobs are running."))
