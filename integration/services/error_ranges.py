"""Which rows of the list are in sight, as ranges that an index can walk.

``NOT (last_seen <= cutoff …)`` walks every hidden row. So the list is read in two
ranges: what was seen after every cut-off, then what is spared below it (clean-up
design).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q

from integration.choices import Chip
from integration.models.cuts import Cut, covering
from integration.services.error_filters import ALL


@dataclass(frozen=True, slots=True)
class Ranges:
    """``below`` the cut-offs an index holds only what is spared or relevant.

    ``sight`` is the union of both in one condition.
    """

    above: Q
    below: Q | None
    sight: Q


def ranges(
    cuts: Iterable[Cut],
    scope: Mapping[str, Any],
    state: str,
    last_seen: str = "last_seen",
) -> Ranges:
    """The ranges of a list with this scope and state.

    ``last_seen`` names the column as the list compares it in every part.
    """
    left = _left(cuts, state)
    whole = [cut for cut in left if cut.is_within(scope)]
    always = Q(deleted_by__isnull=True)
    for cut in left:
        if cut not in whole:
            always &= cut.shows()
    floor = _latest([cut for cut in whole if cut.include_relevant])
    if floor:
        always &= Q(**{f"{last_seen}__gt": floor})
    sparing = [cut for cut in whole if not cut.include_relevant]
    line = _latest(sparing)
    sight = always
    for cut in sparing:
        sight &= cut.shows()
    if line is None or (floor and line <= floor):
        return Ranges(always, None, sight)
    below = Q(spared=True) if state == Chip.RESOLVED else _SPARED_OR_RELEVANT
    return Ranges(
        above=always & Q(last_seen__gt=line),
        below=sight & Q(last_seen__lte=line) & below,
        sight=sight,
    )


def hides(cuts: Iterable[Cut], state: str) -> bool:
    """Whether a cut may hide some of a state's rows."""
    return bool(_left(cuts, state))


def _left(cuts: Iterable[Cut], state: str) -> list[Cut]:
    left = covering(cuts)
    if state in {Chip.RESOLVED.value, ALL}:
        return left
    # Nothing of these chips is settled: only cuts of relevant ones matter.
    return [cut for cut in left if cut.include_relevant]


_SPARED_OR_RELEVANT = Q(settled_at__isnull=True) | Q(spared=True)


def _latest(cuts: Sequence[Cut]) -> datetime | None:
    return max((cut.cutoff for cut in cuts), default=None)
