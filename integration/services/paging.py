"""Pages of long lists by key, never by offset (D10). The newest rows come first."""

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.db.models import Model, QuerySet

SIZE = 50
M = TypeVar("M", bound=Model)


@dataclass(frozen=True, slots=True)
class Slice(Generic[M]):
    """A page; its neighbours start at ``older`` and ``newer``, None: there is none."""

    rows: list[M]
    older: int | None
    newer: int | None


def newest_first(
    queryset: QuerySet[M, Any], after: int | None, before: int | None
) -> Slice[M]:
    """One query: the rows after (older than) or before (newer than) a key."""
    if before is not None:
        rows = list(queryset.filter(pk__gt=before).order_by("pk")[: SIZE + 1])
        more = len(rows) > SIZE
        page = rows[:SIZE][::-1]
        newer = page[0].pk if more and page else None
        return Slice(page, page[-1].pk if page else None, newer)
    found = queryset if after is None else queryset.filter(pk__lt=after)
    rows = list(found.order_by("-pk")[: SIZE + 1])
    page = rows[:SIZE]
    older = page[-1].pk if len(rows) > SIZE else None
    return Slice(page, older, page[0].pk if after is not None and page else None)
