"""Searching errors by text (D11): ask the index for a bounded number of hits.

Fewer hits than the bound are sorted by whatever the list is sorted by; more of them
walk the list's own order, testing each row, because the first page is then found at
once.
"""

from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet

from integration.models import SyncError
from integration.models.cuts import text_q
from integration.models.dialect import PREFIX_LENGTH, count_hits, hit_ids, prefix
from integration.models.folding import spellings

MOST_HITS = 10_000


@dataclass(frozen=True, slots=True)
class Search:
    """What the index says of a text.

    ``few``: the hits can be looked at one by one. ``by_beginning``: the text is too
    short for the index, so only numbers and names that begin with it are found; the
    page says so.
    """

    text: str
    few: bool

    @property
    def by_beginning(self) -> bool:
        return len(self.text) < PREFIX_LENGTH

    @property
    def matching(self) -> Q:
        """Tests a row."""
        return text_q(self.text)

    @property
    def among(self) -> Q | None:
        """The hits to look at, or ``None`` when there are too many."""
        if not self.few:
            return None
        if self.by_beginning:
            return Q(id__in=_beginning(self.text))
        return Q(id__in=hit_ids(spellings(self.text), MOST_HITS))


def search(text: str) -> Search:
    """Look up a text in the index: one query."""
    if len(text) < PREFIX_LENGTH:
        hits = _beginning(text)[: MOST_HITS + 1].count()
    else:
        hits = count_hits(spellings(text), MOST_HITS + 1)
    return Search(text, hits <= MOST_HITS)


def _beginning(text: str) -> QuerySet[SyncError, Any]:
    numbers = SyncError.objects.filter(_in_any_chip() & prefix("record_label", text))
    names = SyncError.objects.filter(_in_any_chip() & prefix("record_name", text))
    return (
        numbers.order_by().values("id").union(names.order_by().values("id"), all=True)
    )


def _in_any_chip() -> Q:
    """The indexes begin with the chip."""
    return Q(chip__in=["open", "waiting", "ignored", "resolved"])
