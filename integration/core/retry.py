"""When a record is tried again (design §6, second table)."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from integration.core.failures import Failure, FailureKind

WAITS = (
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=12),
)
"""After the first, second, … failure; the one after the last wait skips the record."""

_PASSING = frozenset(
    {FailureKind.THROTTLED, FailureKind.TRANSIENT, FailureKind.LOST_ANSWER}
)
_FIRST_WAIT = timedelta(seconds=30)
_LONGEST_WAIT = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class RetryDecision:
    """Exactly one is set: the next try, what is waited for, or why nothing is tried."""

    next_attempt_at: datetime | None = None
    waits_for: str = ""
    skip_reason: str = ""


def decide_retry(
    failure: Failure | None, attempts: int, now: datetime, waits_for: str = ""
) -> RetryDecision:
    """``attempts`` counts this failure too. ``failure`` is None for a finding of ours.

    Passing faults wait 30 s, 1, 2, 4 … minutes, at most an hour, without end; the wait
    the system asks for counts when it is longer. Everything else waits 5 min, 30 min,
    2 h and 12 h, and is then skipped until the record changes or someone retries it.
    """
    if waits_for:
        return RetryDecision(waits_for=waits_for)
    if failure is not None and failure.kind in _PASSING:
        wait = min(_FIRST_WAIT * 2 ** min(attempts - 1, 10), _LONGEST_WAIT)
        asked = timedelta(seconds=failure.retry_after_seconds or 0)
        return RetryDecision(next_attempt_at=now + max(wait, asked))
    if attempts <= len(WAITS):
        return RetryDecision(next_attempt_at=now + WAITS[attempts - 1])
    return RetryDecision(skip_reason=f"Gave up after {attempts} attempts.")
