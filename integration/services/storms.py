"""Storms: a mapping all of whose tries fail for one cause pauses (promise 9).

A try is a write that a system did or refused. What waits for another record, and what
we find ourselves (a conflict, an ambiguity), is none.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby

from django.utils.translation import gettext_noop

from integration.core.causes import Cause
from integration.core.outcomes import Outcome, OutcomeKind
from integration.models import TableMapping
from integration.services.pending import release_cured
from integration.services.sentences import InWords

LAST_TRIES = 2_000
WHOLE_RUN = 200
FAILED_ALIKE = gettext_noop("{failed} of {tries} tries failed for the same cause.")
TRIAL = 10
"""Tries after a storm; if none of them passes, it is not over."""

_PASSED = {OutcomeKind.INSERTED, OutcomeKind.MODIFIED, OutcomeKind.DELETED}


class Storm(InWords):
    """The last tries all failed for one cause; nothing more is tried."""


def note_tries(
    mapping: TableMapping,
    tries: Counter[str],
    outcomes: Sequence[Outcome],
    causes: Sequence[Cause],
) -> None:
    """Count a chunk, in its transaction; ``causes`` are those of the failed ones.

    ``tries`` are those of the run, by the fingerprint of their cause; "" passed.
    """
    before = (mapping.failing_cause, mapping.failing_tries, mapping.on_trial)
    for fingerprint, alike in groupby(_tries(outcomes, causes)):
        number = sum(1 for _ in alike)
        tries[fingerprint] += number
        if fingerprint != mapping.failing_cause:
            mapping.failing_cause, mapping.failing_tries = fingerprint, 0
            mapping.on_trial = False
        if fingerprint:
            mapping.failing_tries += number
    if before != (mapping.failing_cause, mapping.failing_tries, mapping.on_trial):
        mapping.save(update_fields=["failing_cause", "failing_tries", "on_trial"])
    if before[2] and not mapping.on_trial:
        # It is over for the others that it stopped as well.
        release_cured(mapping.connection, {before[0]}, mapping)


def room(mapping: TableMapping, tries: Counter[str]) -> int:
    """How many records may be tried at once: a storm ends with the very last try."""
    left = (
        TRIAL - tries.total()
        if mapping.on_trial
        else LAST_TRIES - mapping.failing_tries
    )
    return max(left, 1)


def refuse_storm(
    mapping: TableMapping, tries: Counter[str], *, at_end: bool = False
) -> None:
    """Raises ``Storm``: the last 2,000 tries failed for one cause, or all of a run did
    that tried at least 200 or was a trial."""
    failing = mapping.failing_tries
    if not (tries and failing):
        return
    whole_run = at_end and set(tries) == {mapping.failing_cause}
    is_enough = mapping.on_trial or tries.total() >= WHOLE_RUN
    failed_trial = mapping.on_trial and tries.total() >= TRIAL
    if failing >= LAST_TRIES or failed_trial or (whole_run and is_enough):
        raise Storm(
            FAILED_ALIKE,
            failed=failing,
            tries=failing,
        )


def _tries(outcomes: Sequence[Outcome], causes: Sequence[Cause]) -> Iterator[str]:
    of_failed = iter(causes)
    for outcome in outcomes:
        if outcome.kind is OutcomeKind.FAILED:
            cause = next(of_failed)
            if outcome.failure and not outcome.waits_for:
                yield cause.fingerprint
        elif outcome.kind in _PASSED:
            yield ""
