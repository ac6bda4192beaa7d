"""Spellings of a text for searching: without capitals, and without accents too."""

import re
import unicodedata
from functools import lru_cache

from integration.models.dialect import PREFIX_LENGTH

_BEYOND_ASCII = re.compile("[^\x00-\x7f]")
_FEW = 25
"""Signs that are replaced one by one, which is quickest: French has no more. A text of
thousands would be gone through as often."""


def folded(text: str) -> str:
    """Without accents, case-folded: “Genève” becomes “geneve”, and “ı” an “i”."""
    signs = {*_BEYOND_ASCII.findall(text)}
    if len(signs) > _FEW:
        text = text.translate({ord(sign): _bare(sign) for sign in signs})
    else:
        for sign in signs:
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
