"""Searching errors by text (D11): ask the index for a bounded number of hits.

Fewer hits than the bound are sorted by whatever the list is sorted by; more of them
walk the list's own order, testing each row, because the first page is then found at
once.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Q

from integration.models import SyncError
from integration.models.cuts import text_q
from integration.models.dialect import (
    PREFIX_LENGTH,
    among_ids,
    are_hits_tested,
    hit_ids,
    prefix,
)
from integration.models.folding import spelling

MOST_HITS = 10_000


@dataclass(frozen=True, slots=True)
class Search:
    """What the index says of a text: its hits, or ``None`` when there are too many."""

    text: str
    hits: Sequence[int] | None

    @property
    def by_beginning(self) -> bool:
        """The text is too short for the index.

        Only numbers and names that begin with it are found; the page says so.
        """
        return len(self.text) < PREFIX_LENGTH

    @property
    def matching(self) -> Q:
        """Tests a row."""
        return text_q(self.text)

    @property
    def is_tested(self) -> bool:
        """Whether every hit has passed the test: reading its text again costs most."""
        return self.hits is not None and (self.by_beginning or are_hits_tested())

    @property
    def among(self) -> Q | None:
        """The hits to look at, or ``None`` when there are too many."""
        return None if self.hits is None else Q(id__in=among_ids(self.hits))


def search(text: str) -> Search:
    """Look up a text in the index: one query."""
    if len(text) >= PREFIX_LENGTH:
        return Search(text, hit_ids(spelling(text), MOST_HITS))
    hits = _beginning(text)
    return Search(text, hits if len(hits) <= MOST_HITS else None)


def _beginning(text: str) -> list[int]:
    numbers = SyncError.objects.filter(_in_any_chip() & prefix("record_label", text))
    names = SyncError.objects.filter(_in_any_chip() & prefix("record_name", text))
    ids = [rows.order_by().values_list("id", flat=True) for rows in (numbers, names)]
    return list(ids[0].union(ids[1], all=True)[: MOST_HITS + 1])


def _in_any_chip() -> Q:
    """The indexes begin with the chip."""
    return Q(chip__in=["open", "waiting", "ignored", "resolved"])
