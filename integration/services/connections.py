"""What a person does to a connection: check, enable, enter a new secret.

Pausing and resuming is in ``pauses``.
"""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q
from django.utils.translation import gettext_noop

from integration import clock
from integration.choices import (
    Category,
    CheckState,
    CheckStep,
    OperationKind,
    Origin,
    System,
)
from integration.models import Connection, Endpoint, SyncError, User
from integration.services.articles import cause_of
from integration.services.check_lines import CheckLine, CheckRow, in_rows
from integration.services.credentials import decrypt, keep_secret
from integration.services.errors import record_setup_error, settle_setup_errors
from integration.services.operations import record_operation
from integration.services.outside_jobs import add_fetched
from integration.services.pauses import (
    is_paused_by_failure,
    pause_for,
    record_switch,
    resume,
)
from integration.services.pending import release_cured
from integration.services.sentences import Told, sentence
from integration.services.set_up_errors import open_set_up_errors
from integration.services.setup_check import examine

DAILY = timedelta(days=1)
SOON_AGAIN = timedelta(minutes=5)
ACCOUNT = (
    *("authority", "tenant_id", "sign_in"),
    *("client_id", "user_name", "certificate"),
)
"""What says who signs in; with the secret it is the whole sign-in."""
PASSED = gettext_noop("Its check passed.")
ENDS_SOON = "secret-expires-soon"
UNUSABLE = {"secret-unreadable", "address-not-allowed"}
"""Articles of what keeps us from calling anybody."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The lines of one check, and what it changed."""

    connection: Connection
    lines: tuple[CheckLine, ...]
    settled: int = 0
    resumed: bool = False

    @property
    def passed(self) -> bool:
        """Warnings pass, also where nobody may look."""
        return not self.problems

    @property
    def may_pass_by_itself(self) -> bool:
        """Whether nothing is to be mended: a system asked to wait, or was away."""
        problems = self.problems
        return bool(problems) and not any(
            one.failure or one.finding for one in problems
        )

    @property
    def causes(self) -> set[str] | None:
        """Fingerprints of all that was found; ``None`` where not all was looked at."""
        if any(line.stops or line.blocks for line in self.lines):
            return None
        return self.found

    @property
    def found(self) -> set[str]:
        """Fingerprints of what was found, however far the check came."""
        return {one.fingerprint for one in self.lines if one.failure or one.finding}

    @property
    def problems(self) -> tuple[CheckLine, ...]:
        """The lines that failed."""
        return tuple(line for line in self.lines if line.state == CheckState.FAIL)

    @property
    def rows(self) -> tuple[CheckRow, ...]:
        """The lines as the twelve questions they answer."""
        return in_rows(self.lines)


class NotFit(Exception):  # noqa: N818  (a sentence for a person)
    """The connection may not be enabled; ``result`` says why, line by line."""

    def __init__(self, result: CheckResult) -> None:
        reasons = "; ".join(line.sentence for line in result.lines if line.blocks)
        super().__init__(f"“{result.connection}” cannot be enabled: {reasons}.")
        self.result = result


def check_connection(
    connection: Connection,
    by: User | None = None,
    reason: str | Told = "",
    *,
    is_try: bool = False,
) -> CheckResult:
    """Look at everything, record what is wrong, settle what is well again.

    What fails still is counted once more only if ``is_try``: somebody had it tried.

    It pauses a running connection on which nothing would pass, and resumes one that a
    failure had paused. Records that failed for what is well again are tried at once.
    Calls both systems; a person's check is an operation.
    """
    connection.refresh_from_db()
    fetched: Counter[str] = Counter()
    lines = tuple(examine(connection, fetched))
    add_fetched(connection, fetched)
    settled = _record(connection, lines, is_look=not is_try)
    _try_again(connection, lines)
    resumed = _pause_or_resume(connection, lines, by)
    _stamp(connection, lines)
    result = CheckResult(connection, lines, settled, resumed)
    if by:
        asked = sentence(gettext_noop("To see whether both systems can be used."))
        _record_check(result, by, reason or asked)
    return result


def enable(connection: Connection, by: User, reason: str = "") -> CheckResult:
    """Check, then let it run. Raises ``NotFit``; then only the check has happened."""
    result = check_connection(connection, by, reason)
    if any(line.blocks for line in result.lines):
        raise NotFit(result)
    if Connection.objects.filter(pk=connection.pk, enabled=False).update(enabled=True):
        connection.refresh_from_db()
        record_switch(connection, by, reason or sentence(PASSED), "enabled")
    return result


def save_secret(
    endpoint: Endpoint,
    secret: str,
    by: User,
    reason: str = "",
    expires_at: datetime | None = None,
) -> list[CheckResult]:
    """Keep a new secret or password and check at once every connection that uses it.

    ``expires_at`` is its own end; that of another one before it is over with that.

    The other end of a connection that signs in by the same account gets it too: its
    old password would fail once more, and bring the account nearer to being locked.
    """
    why = reason or sentence(gettext_noop("A new secret or password was entered."))
    alike = _signing_in_alike(endpoint)
    for one in alike:
        if expires_at or decrypt(one.secret) != secret:
            one.secret_expires_at = expires_at
        keep_secret(one, secret)
        one.save(update_fields=["secret", "secret_expires_at"])
        record_operation(
            OperationKind.SET_UP,
            by=by,
            reason=why,
            scope={"endpoint": one.pk, "name": one.name},
            result={"change": "new_secret"},
        )
    uses = Q(business_central__in=alike) | Q(sales__in=alike)
    used = Connection.objects.filter(uses)
    return [check_connection(found, by, why, is_try=True) for found in used]


def _signing_in_alike(endpoint: Endpoint) -> list[Endpoint]:
    """This one, and the other ends of its connections with the same account."""
    connections = Connection.objects.filter(
        Q(business_central=endpoint) | Q(sales=endpoint)
    ).select_related("business_central", "sales")
    found = {endpoint.pk: endpoint}
    for connection in connections:
        for other in (connection.business_central, connection.sales):
            if all(getattr(other, name) == getattr(endpoint, name) for name in ACCOUNT):
                found.setdefault(other.pk, other)
    return list(found.values())


def due_checks() -> list[int]:
    """Connections to check now, claimed: each running one once a day.

    One that an unreachable network paused is looked at every five minutes, because that
    passes without anybody doing something.
    """
    now = clock.now()
    running = Q(enabled=True, paused_at=None) & _not_since(now - DAILY)
    unreachable = Q(pause_article__startswith="net-") & _not_since(now - SOON_AGAIN)
    due = Connection.objects.filter(running | unreachable)
    return [found.pk for found in due if _claim_check(found, now)]


def check_now_and_then(connection: Connection, every: timedelta) -> CheckResult | None:
    """Check unless anybody did within this time."""
    now = clock.now()
    connection.refresh_from_db(fields=["checked_at"])
    last = connection.checked_at
    is_recent = last is not None and now - every < last <= now + clock.AHEAD
    if is_recent or not _claim_check(connection, now):
        return None
    return check_connection(connection)


def _not_since(moment: datetime) -> Q:
    """Also those whose last check lies ahead: the clock was set back since."""
    is_ahead = Q(checked_at__gt=clock.now() + clock.AHEAD)
    return Q(checked_at=None) | Q(checked_at__lte=moment) | is_ahead


def _claim_check(connection: Connection, now: datetime) -> bool:
    unclaimed = Connection.objects.filter(
        pk=connection.pk, checked_at=connection.checked_at
    )
    return bool(unclaimed.update(checked_at=now))


def _record(
    connection: Connection, lines: Collection[CheckLine], *, is_look: bool
) -> int:
    """Errors of what was found; what is no longer found is settled. How many were."""
    told = [line for line in lines if line.failure or line.finding]
    still_there = {line.fingerprint for line in told}
    for line in told:
        if line.reported:
            continue
        record_setup_error(
            connection,
            failure=line.failure,
            finding=line.finding,
            origin=Origin.SETUP_CHECK,
            is_look=is_look,
        )
    looked_everywhere = not any(line.stops or line.blocks for line in lines)
    if looked_everywhere:
        over = open_set_up_errors(connection) - still_there
    else:
        over = _overtaken(connection, lines, open_set_up_errors(connection))
        over -= still_there
    return settle_setup_errors(connection, over) if over else 0


def _try_again(connection: Connection, lines: Collection[CheckLine]) -> None:
    """What the last check saw fail and this one sees pass stops no record any more."""
    well = {CheckState.OK, CheckState.WARN}
    passed = {row.step for row in in_rows(lines) if row.state in well}
    before = map(CheckLine.from_stored, connection.check_lines)
    cured = {line.fingerprint for line in before if line.step in passed} - {""}
    if cured and release_cured(connection, cured):
        connection.mappings.update(next_run_at=clock.now())


def _overtaken(
    connection: Connection, lines: Iterable[CheckLine], stand: Collection[str]
) -> set[str]:
    """What a check that was stopped says something else of now.

    Of a sign-in that nobody came as far as nothing is known; who came to call anybody
    has read both addresses and secrets.
    """
    lines = list(lines)
    tried = {
        line.system
        for line in lines
        if line.step == CheckStep.SIGN_IN
        and (line.state == CheckState.OK or line.failure)
    }
    has_called = any(line.failure or line.state == CheckState.OK for line in lines)
    rows = SyncError.objects.filter(connection=connection, fingerprint__in=stand)
    columns = ("fingerprint", "problem__article", "problem__category")
    over = set()
    for cause, article, category, params in rows.values_list(
        *columns, "problem__params"
    ):
        whose = [params["system"]] if "system" in params else System
        is_sign_in = category == Category.AUTHENTICATION
        if article in UNUSABLE:
            is_over = has_called
        else:
            is_over = is_sign_in and article != ENDS_SOON and tried.issuperset(whose)
        if is_over:
            over.add(cause)
    return over


def _pause_or_resume(
    connection: Connection, lines: Iterable[CheckLine], by: User | None
) -> bool:
    """Whether it goes on now."""
    stopping = next((line for line in lines if line.stops), None)
    if stopping and connection.enabled:
        pause_for(connection, cause_of(stopping.failure, stopping.finding))
        return False
    blocked = any(line.blocks for line in lines)
    if not blocked and is_paused_by_failure(connection):
        return resume(connection, by, sentence(PASSED))
    return False


def _stamp(connection: Connection, lines: Collection[CheckLine]) -> None:
    now = clock.now()
    connection.checked_at = now
    connection.check_lines = [line.stored() for line in lines]
    connection.save(update_fields=["checked_at", "check_lines"])
    for endpoint in (connection.business_central, connection.sales):
        mine = [line for line in lines if line.system == endpoint.kind]
        ours = [line for line in lines if line.is_ours and not line.system]
        failed = (line for line in (*mine, *ours) if line.state == CheckState.FAIL)
        wrong = next((line.told for line in failed), None)
        # Of whom nobody asked it is not known whether they answer.
        is_asked = mine and all(line.state != CheckState.UNCHECKED for line in mine)
        Endpoint.objects.filter(pk=endpoint.pk).update(
            checked_at=now,
            check_passed=False if wrong else (True if is_asked else None),
            check_message=wrong.english if wrong else "",
            check_told=wrong.key if wrong else None,
        )


def _record_check(result: CheckResult, by: User, reason: str | Told) -> None:
    connection = result.connection
    record_operation(
        OperationKind.CHECK,
        by=by,
        reason=reason,
        scope={"connection": connection.pk, "name": connection.name},
        result={
            "passed": result.passed,
            "problems": [line.article or line.step for line in result.problems],
            "told": [line.told.key for line in result.problems],
            "settled": result.settled,
            "resumed": result.resumed,
        },
    )
