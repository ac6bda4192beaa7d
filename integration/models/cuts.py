"""Cut: a clean-up that hides rows by a predicate, without touching them.

``hidden(row)`` is: a cut in force has ``last_seen`` at or before its cut-off, and takes
the relevant ones too or the row was settled at or before its instant, and its scope
holds the row. The list reads two ranges instead of a negation: a negation would walk
over every hidden row (design §7, clean-up design).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import (
    BigIntegerField,
    Case,
    Expression,
    F,
    Q,
    Value,
    When,
)

from integration.models.dialect import PREFIX_LENGTH, prefix
from integration.models.folding import spelling

VISIBLE = 0
"""The place of a row that no cut hides."""
EXACT = {
    "connection": "connection_id",
    "mapping": "mapping_key",
    "direction": "direction",
    "problem": "problem_id",
}


def text_q(text: str) -> Q:
    """Rows that a search for ``text`` finds (D11).

    Under three characters: those whose number or name begins so.
    """
    if len(text) < PREFIX_LENGTH:
        return prefix("record_label", text) | prefix("record_name", text)
    return Q(search_text__contains=spelling(text))


def scope_q(scope: Mapping[str, Any]) -> Q:
    """Rows inside a clean-up's filter: only columns that never change."""
    inside = Q()
    for key, column in EXACT.items():
        if key in scope:
            inside &= Q(**{column: scope[key]})
    if "record" in scope:
        inside &= Q(record_key__in=scope["record"])
    if "text" in scope:
        inside &= text_q(scope["text"])
    return inside


@dataclass(frozen=True, slots=True)
class Cut:
    """One clean-up in force, as the list needs it."""

    id: int
    instant: datetime
    cutoff: datetime
    include_relevant: bool
    scope: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def hides(self) -> Q:
        """What it hides, seen alone."""
        hidden = Q(last_seen__lte=self.cutoff) & scope_q(self.scope)
        if not self.include_relevant:
            hidden &= Q(settled_at__lte=self.instant)
        return hidden

    def shows(self) -> Q:
        """The opposite of ``hides``, without a NOT over dates."""
        shown = Q(last_seen__gt=self.cutoff)
        if not self.include_relevant:
            shown |= Q(settled_at__isnull=True) | Q(settled_at__gt=self.instant)
        if self.scope:
            shown |= ~scope_q(self.scope)
        return shown

    def is_within(self, scope: Mapping[str, Any]) -> bool:
        """Whether every row of a list with this scope is in the cut's scope."""
        return all(
            key in scope and scope[key] == value for key, value in self.scope.items()
        )

    def covers(self, other: "Cut") -> bool:
        """Whether nothing ``other`` hides would show without it."""
        return (
            self.cutoff >= other.cutoff
            and self.instant >= other.instant
            and (self.include_relevant or not other.include_relevant)
            and self.is_within(other.scope)
        )

    def may_meet(self, other: "Cut") -> bool:
        """False when no row can be in both scopes."""
        return not any(
            key in other.scope and other.scope[key] != value
            for key, value in self.scope.items()
            if key in EXACT
        )


def covering(cuts: Iterable[Cut]) -> list[Cut]:
    """Only the cuts that no other covers; usually one or two are left."""
    kept: list[Cut] = []
    for cut in sorted(cuts, key=lambda cut: cut.id, reverse=True):
        if not any(other.covers(cut) for other in kept):
            kept = [other for other in kept if not cut.covers(other)]
            kept.append(cut)
    return kept


def visible_q(cuts: Iterable[Cut]) -> Q:
    """Rows that no cut hides and no selection took."""
    shown = Q(deleted_by__isnull=True)
    for cut in covering(cuts):
        shown &= cut.shows()
    return shown


def place(cuts: Sequence[Cut]) -> Expression:
    """Which operation a row is counted under: ``VISIBLE`` or an operation's id.

    A selection that took the row comes first, then the oldest cut that hides it: an
    operation counts what was in sight when it was made.
    """
    whens = [When(deleted_by__isnull=False, then=F("deleted_by"))]
    whens += [
        When(cut.hides(), then=Value(cut.id))
        for cut in sorted(cuts, key=lambda cut: cut.id)
    ]
    return Case(*whens, default=Value(VISIBLE), output_field=BigIntegerField())
