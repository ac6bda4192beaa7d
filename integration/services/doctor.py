"""Is this installation well? Our own parts first, then every connection."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from celery import current_app
from django.conf import settings
from django.db import DatabaseError
from django.db import connection as database
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Max
from django.utils.translation import gettext as _
from kombu.exceptions import KombuError, OperationalError
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    RedisError,
    ResponseError,
)

from integration import clock
from integration.choices import CheckState
from integration.models import Connection, Job
from integration.services.connections import CheckResult, check_connection

SILENT_MINUTES = 15
_NOT_MIGRATED = re.compile("no such (table|column)|(relation|column) .* does not exist")
_TRIED, _TRIED_MS = "syncerrors:tried", 1_000
"""What is written to the broker to see whether that can be; it goes by itself."""
_REFUSALS = (ResponseError, AuthenticationError, AuthorizationError)


@dataclass(frozen=True, slots=True)
class OwnLine:
    """One of our own parts, in the active language."""

    step: str
    state: CheckState
    sentence: str
    to_do: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """The lines about ourselves, and one result per connection."""

    own: tuple[OwnLine, ...]
    connections: tuple[CheckResult, ...]

    @property
    def passed(self) -> bool:
        """Every enabled connection, and we ourselves, are well."""
        ours = all(line.state != CheckState.FAIL for line in self.own)
        return ours and all(
            result.passed for result in self.connections if result.connection.enabled
        )


def examine_everything() -> Report:
    """Checks all connections; it records, settles and resumes as each check does."""
    own = tuple(check_installation())
    if any(line.step == "database" and line.state == CheckState.FAIL for line in own):
        return Report(own, ())
    connections = Connection.objects.select_related("business_central", "sales")
    return Report(own, tuple(check_connection(found) for found in connections))


def check_installation() -> Iterator[OwnLine]:
    """Database, broker, and whether workers are alive."""
    line = check_database()
    yield line
    yield check_broker()
    if line.state != CheckState.FAIL:
        yield _workers()


def check_database() -> OwnLine:
    """Whether it answers, and has the tables of this version."""
    try:
        executor = MigrationExecutor(database)
        missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError as error:
        reason = reason_of(error)
        sentence = _("The database cannot be used: {reason}").format(reason=reason)
        return _wrong("database", sentence, cure_of_database(reason))
    if missing:
        sentence = _("The database is not up to date.")
        return _wrong("database", sentence, "manage.py migrate")
    return OwnLine(
        "database", CheckState.OK, _("The database answers and is up to date.")
    )


def reason_of(error: DatabaseError) -> str:
    """What the database says first; further lines guess at why."""
    return str(error).strip().partition("\n")[0] or type(error).__name__


def cure_of_database(reason: str) -> str:
    """What to do about a database that cannot be used, for this reason."""
    if _NOT_MIGRATED.search(reason):
        return _("If it is new or was just updated, run: manage.py migrate")
    if "locked" in reason:
        return _("Something else writes to it; try again in a moment.")
    if database.vendor == "sqlite":
        return _(
            "See that {file} is a database that can be read and written, and that its "
            "disk has room."
        ).format(file=database.settings_dict["NAME"])
    return _("Check DATABASE_URL, and whether the server runs.")


def check_broker() -> OwnLine:
    """Whether it answers within a few seconds, and takes what is sent to it."""
    try:
        with current_app.connection_for_write() as broker:
            broker.ensure_connection(max_retries=1, interval_start=0, timeout=2)
            channel: Any = broker.default_channel
            channel.client.set(_TRIED, "", px=_TRIED_MS)
    except (OperationalError, KombuError, RedisError, OSError) as error:
        if isinstance(error.__cause__ or error, _REFUSALS):
            return _refused(error)
        sentence = _("The broker cannot be reached; runs wait in the database.")
        advice = (
            _("Check REDIS_URL.")
            if settings.REDIS_URL
            else _("It runs with quickstart or serve; or name one in REDIS_URL.")
        )
        return OwnLine("broker", CheckState.WARN, sentence, (advice,))
    return _well("broker", _("The broker answers."))


def _refused(error: Exception) -> OwnLine:
    """Its memory is full, it is a replica, it does not know us: no task arrives."""
    sentence = _("The broker takes no task; runs wait in the database: {reason}")
    advice = _("Free its memory, or name one in REDIS_URL that may be written to.")
    said = sentence.format(reason=error)
    return OwnLine("broker", CheckState.WARN, said, (advice,))


def _workers() -> OwnLine:
    last = Job.objects.aggregate(last=Max("heartbeat_at"))["last"]
    if last is None:
        return OwnLine("workers", CheckState.WARN, _("No job has run yet."))
    age = int((clock.now() - last).total_seconds() // 60)
    if age > SILENT_MINUTES:
        sentence = _("Nothing has run for {minutes} minutes.").format(minutes=age)
        advice = _("Start a worker and beat, or quickstart.")
        return OwnLine("workers", CheckState.WARN, sentence, (advice,))
    return _well("workers", _("Jobs are running."))


def _well(step: str, sentence: str) -> OwnLine:
    return OwnLine(step, CheckState.OK, sentence)


def _wrong(step: str, sentence: str, advice: str) -> OwnLine:
    return OwnLine(step, CheckState.FAIL, sentence, (advice,))
