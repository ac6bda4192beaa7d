"""Searching errors by text (D11): ask the index for a bounded number of hits.

Fewer hits than the bound are sorted by whatever the list is sorted by; more of them
walk the list's own order, testing each row, because the first page is then found at
once.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.db.models import Q

from integration.choices import Chip
from integration.models import SyncError
from integration.models.cuts import text_q
from integration.models.dialect import (
    PREFIX_LENGTH,
    among_ids,
    hits,
    prefix,
)
from integration.models.folding import spelling

MOST_HITS = 10_000


@dataclass(frozen=True, slots=True)
class Search:
    """What the index says of a text.

    ``hits`` are ids by chip, or ``None`` when there are too many. Those of an index
    that knows no chip stand under "": they are candidates.
    """

    text: str
    hits: Mapping[str, Sequence[int]] | None

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
        return self.hits is not None and "" not in self.hits

    def counts(self) -> dict[str, int]:
        """How many hits each chip has."""
        return {chip: len(ids) for chip, ids in (self.hits or {}).items()}

    def among(self, chips: Collection[str]) -> Q | None:
        """The hits to look at, or ``None`` when there are too many."""
        if self.hits is None:
            return None
        ids = (each for chip in {*chips, ""} for each in self.hits.get(chip, ()))
        return Q(id__in=among_ids(list(ids)))


def search(text: str) -> Search:
    """Look up a text in the index: one query."""
    if len(text) >= PREFIX_LENGTH:
        found = hits(spelling(text), MOST_HITS)
        return Search(text, None if found is None else _by_chip(found))
    begun = _beginning(text)
    return Search(text, _by_chip(begun) if len(begun) <= MOST_HITS else None)


def _by_chip(found: Iterable[tuple[int, str]]) -> dict[str, list[int]]:
    """Each once, though both its number and its name may begin with the text."""
    ids = defaultdict(list)
    for key, chip in dict(found).items():
        ids[chip].append(key)
    return ids


def _beginning(text: str) -> list[tuple[int, str]]:
    numbers = SyncError.objects.filter(_in_any_chip() & prefix("record_label", text))
    names = SyncError.objects.filter(_in_any_chip() & prefix("record_name", text))
    rows = [found.order_by().values_list("id", "chip") for found in (numbers, names)]
    return list(rows[0].union(rows[1], all=True)[: MOST_HITS + 1])


def _in_any_chip() -> Q:
    """The indexes begin with the chip."""
    return Q(deleted_by=None, chip__in=Chip.values)
