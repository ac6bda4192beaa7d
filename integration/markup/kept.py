"""Parts of pages that are kept by what they are made of, with blanks for the rest."""

import re
from collections.abc import Callable, Hashable
from typing import TypeVar, cast

from django.conf import settings
from django.utils.safestring import SafeString

T = TypeVar("T")
MOST = 300
"""Parts that a process keeps: 8 MB at most. All they show is in their key."""
_BLANK = re.compile(rb"<!-- (\w+) -->")
_kept: dict[Hashable, object] = {}


class Part:
    """Markup as it is sent, cut at its blanks once."""

    def __init__(self, markup: str) -> None:
        self._pieces = _BLANK.split(markup.encode())
        names = self._pieces[1::2]
        self._names = [(1 + 2 * at, name.decode()) for at, name in enumerate(names)]

    def filled(self, **values: bytes) -> bytes:
        """The markup with these values, which are markup too, in its blanks."""
        pieces = self._pieces[:]
        for place, name in self._names:
            pieces[place] = values[name]
        return b"".join(pieces)


def blank(name: str) -> SafeString:
    """Where a value is to stand; no value of a page looks like this unescaped."""
    return SafeString(f"<!-- {name} -->")


def kept(made_of: Hashable, make: Callable[[], T]) -> T:
    """What ``make`` makes of nothing but this; anew each time while one edits it."""
    if settings.DEBUG:
        return make()
    if (found := _kept.get(made_of)) is None:
        found = make()
        if len(_kept) > MOST:
            _kept.clear()
        _kept[made_of] = found
    return cast("T", found)
