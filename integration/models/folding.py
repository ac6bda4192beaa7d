"""Spellings of a text for searching: without capitals, and without accents too."""

import re
import unicodedata
from functools import lru_cache

from integration.models.dialect import PREFIX_LENGTH

_BEYOND_ASCII = re.compile("[^\x00-\x7f]")


def folded(text: str) -> str:
    """Without accents, case-folded: “Genève” becomes “geneve”, and “ı” an “i”."""
    # Sign by sign, because a text has few of these and many others.
    for sign in {*_BEYOND_ASCII.findall(text)}:
        text = text.replace(sign, _bare(sign))
    return text.casefold().replace("ı", "i")


@lru_cache(maxsize=1_000)  # a language has few
def _bare(sign: str) -> str:
    """The sign without its accents."""
    apart = unicodedata.normalize("NFKD", sign)
    return "".join(each for each in apart if not unicodedata.combining(each))


def searchable(text: str) -> str:
    """What is stored to be searched: without capitals, which cost most to compare.

    A text beyond ASCII is followed by its plain spelling, because a person types
    without accents.
    """
    bare = text.casefold()
    return bare if text.isascii() else f"{bare}\n{folded(text)}"


def spelling(text: str) -> str:
    """What to look for when a person typed ``text``: whatever has it, has this too.

    A text of which too little for an index is left keeps its accents.
    """
    plain = folded(text)
    return text.casefold() if len(plain) < PREFIX_LENGTH else plain
