"""Reading what an address says, without trusting it."""

from collections.abc import Collection
from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, QueryDict
from django.utils.translation import gettext as _

from integration.core.texts import read_number
from integration.services.paging import M, Slice, newest_first


def found_or_404(rows: QuerySet[M], key: int, sentence: str) -> M:
    """The row with this key, or 404 in words."""
    found = rows.filter(pk=key).first()
    if found is None:
        raise Http404(sentence)
    return found


def read_words(query: QueryDict) -> dict[str, str]:
    """The query string; the last of several equal names counts."""
    return {name: query.get(name, "") for name in query}


def whole_number(query: QueryDict, name: str, dropped: list[str]) -> int | None:
    """A key from the address; nonsense is noted in ``dropped``."""
    text = query.get(name, "")
    if not text:
        return None
    number = read_number(text)
    if number is None:
        dropped.append(name)
    return number


def page_asked(
    query: QueryDict, rows: QuerySet[M, Any], dropped: list[str]
) -> Slice[M]:
    """The page of a long list that the address asks for."""
    ends = (whole_number(query, name, dropped) for name in ("after", "before"))
    return newest_first(rows, *ends)


def chosen(
    query: QueryDict, name: str, allowed: Collection[str], dropped: list[str]
) -> str:
    """One of the allowed words, or ""; nonsense is noted in ``dropped``."""
    text = query.get(name, "")
    if not text or text in allowed:
        return text
    dropped.append(name)
    return ""


def say_dropped(request: HttpRequest, dropped: Collection[str]) -> None:
    """Tell which parts of the address were not understood and are left out."""
    if dropped:
        messages.warning(
            request,
            _("Not understood in the address, and left out: %(names)s.")
            % {"names": ", ".join(sorted(set(dropped)))},
        )
