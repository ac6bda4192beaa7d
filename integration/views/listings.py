"""The list an address means: filter, sort, page; it goes along from page to page."""

from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from integration import clock
from integration.choices import Chip
from integration.markup import parts
from integration.services.error_counts import ChipCounts
from integration.services.error_filters import ErrorFilter, chips_of, parse_filter
from integration.services.error_list import PAGE_SIZE
from integration.services.error_sort import NEWEST_FIRST, Sort, parse_sort
from integration.views.addresses import read_words
from integration.views.wording import state_words

SIZES = (25, 50, 100)


@dataclass(frozen=True)
class Listing:
    """What the query string said; ``dropped`` names what made no sense."""

    filters: ErrorFilter
    sort: Sort
    size: int
    after: str
    before: str
    dropped: tuple[str, ...]
    asked_at: datetime = field(default_factory=clock.now)
    """Before it was read: what failed since then is news to its reader."""

    @cached_property
    def words(self) -> dict[str, str]:
        """The query string without the page; defaults are left out."""
        words = self.filters.query()
        if self.sort != NEWEST_FIRST:
            words["sort"] = str(self.sort)
        if self.size != PAGE_SIZE:
            words["size"] = str(self.size)
        return words

    def query(self, **changes: str) -> str:
        """The query string with some parts changed; "" takes a part away."""
        words = {**self.words, **changes}
        return urlencode({name: value for name, value in words.items() if value})

    @property
    def is_filtered(self) -> bool:
        """Whether anything but the state limits the list."""
        return bool(set(self.filters.query()) - {"state"})

    def title(self, sort: Sort) -> str:
        """Errors: open, newest first; ``sort`` is the order that it came in."""
        return _("Errors: %(state)s, %(order)s") % {
            "state": state_words(self.filters.state).lower(),
            "order": sort_words(sort),
        }


def chips(listing: Listing, counts: ChipCounts) -> list[dict[str, Any]]:
    """The four states with their counts under this filter; “+”: at least.

    Of several together each is chosen.
    """
    chosen = chips_of(listing.filters.state)
    words = parts.labels(Chip)
    return [
        {
            "label": words[chip],
            "count": counts.chips.get(chip.value, 0),
            "is_known": bool(counts.chips) or counts.exact,
            "is_bound": not counts.exact,
            "href": f"?{listing.query(state=chip.value)}",
            "is_chosen": chip.value in chosen,
        }
        for chip in Chip
    ]


def sort_words(sort: Sort) -> str:
    """An order in words."""
    return str(_SORT_WORDS[str(sort)])


_SORT_WORDS = {
    "-last_seen": gettext_lazy("newest first"),
    "last_seen": gettext_lazy("oldest first"),
    "-first_seen": gettext_lazy("last to appear first"),
    "first_seen": gettext_lazy("first to appear first"),
    "-occurrences": gettext_lazy("most often first"),
    "occurrences": gettext_lazy("least often first"),
    "record": gettext_lazy("by record"),
    "-record": gettext_lazy("by record, backwards"),
}


def read_listing(query: QueryDict) -> Listing:
    """Never fails: what makes no sense is left out and named."""
    given = read_words(query)
    filters, dropped = parse_filter(given)
    sort = parse_sort(given["sort"]) if given.get("sort") else NEWEST_FIRST
    if sort is None:
        dropped.append("sort")
    size = size_of(given.get("size", ""))
    if size is None:
        dropped.append("size")
    return Listing(
        filters=filters,
        sort=sort or NEWEST_FIRST,
        size=size or PAGE_SIZE,
        after=given.get("after", "")[:400],
        before=given.get("before", "")[:400],
        dropped=tuple(dropped),
    )


def size_of(text: str) -> int | None:
    """One of the offered sizes; ``None`` for nonsense."""
    if not text:
        return PAGE_SIZE
    return int(text) if text in {str(size) for size in SIZES} else None
