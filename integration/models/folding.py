"""Spellings of a text for searching: without capitals, and without accents too."""

import re
import unicodedata
from functools import lru_cache

from integration.models.dialect import PREFIX_LENGTH

_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]+")


def folded(text: str) -> str:
    """Without accents, case-folded: “Genève” becomes “geneve”, and “ı” an “i”."""
    bare = _BEYOND_ASCII.sub(lambda found: _bare(found[0]), text)
    return bare.casefold().replace("ı", "i")


@lru_cache(maxsize=1_000)  # A language has few.
def _bare(signs: str) -> str:
    apart = unicodedata.normalize("NFKD", signs)
    return "".join(sign for sign in apart if not unicodedata.combining(sign))


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
