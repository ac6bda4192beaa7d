"""Searching errors by text (D11): ask the index for a bounded number of hits.

Fewer hits than the bound are sorted by whatever the list is sorted by; more of them
walk the list's own order, testing each row, because the first page is then found at
once.
"""

from dataclasses import dataclass

from django.db.models import Q

from integration.models import SyncError
from integration.models.cuts import text_q
from integration.models.dialect import PREFIX_LENGTH, count_hits, hit_ids, prefix
from integration.models.folding import spellings

MOST_HITS = 10_000


@dataclass(frozen=True, slots=True)
class Search:
    """What the index says of a text.

    ``matching`` tests a row. ``among`` are the hits to look at, or ``None`` when there
    are too many. ``by_beginning``: the text is too short for the index, so only numbers
    and names that begin with it are found; the page says so.
    """

    matching: Q
    among: Q | None
    by_beginning: bool


def search(text: str) -> Search:
    """Look up a text in the index: one query."""
    if len(text) < PREFIX_LENGTH:
        return _beginning(text)
    words = spellings(text)
    few = count_hits(words, MOST_HITS + 1) <= MOST_HITS
    among = Q(id__in=hit_ids(words, MOST_HITS)) if few else None
    return Search(text_q(text), among, by_beginning=False)


def _beginning(text: str) -> Search:
    numbers = SyncError.objects.filter(_in_any_chip() & prefix("record_label", text))
    names = SyncError.objects.filter(_in_any_chip() & prefix("record_name", text))
    hits = (
        numbers.order_by().values("id").union(names.order_by().values("id"), all=True)
    )
    few = hits[: MOST_HITS + 1].count() <= MOST_HITS
    return Search(text_q(text), Q(id__in=hits) if few else None, by_beginning=True)


def _in_any_chip() -> Q:
    """The indexes begin with the chip."""
    return Q(chip__in=["open", "waiting", "ignored", "resolved"])
