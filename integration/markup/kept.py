"""Parts of pages that are kept by what they are made of, with blanks for the rest."""

from collections.abc import Callable, Hashable
from typing import TypeVar, cast

from django.conf import settings
from django.utils.safestring import SafeString

T = TypeVar("T")
MOST = 500
"""Parts that a process keeps: some 6 MB. All they show is in their key."""
_kept: dict[Hashable, object] = {}


def blank(name: str) -> SafeString:
    """Where a value is to stand; no value of a page looks like this unescaped."""
    return SafeString(f"<!-- {name} -->")


def filled(part: bytes, **values: bytes) -> bytes:
    """The part with these values, which are markup, in its blanks, in this order."""
    for name, value in values.items():
        part = part.replace(b"<!-- %s -->" % name.encode(), value, 1)
    return part


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
