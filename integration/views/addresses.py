"""Reading what an address says, without trusting it."""

from collections.abc import Collection

from django.contrib import messages
from django.http import HttpRequest, QueryDict
from django.utils.translation import gettext as _

from integration.core.texts import read_number


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
