"""Spellings of a text for searching: without capitals, and without accents too."""

import unicodedata

from integration.models.dialect import PREFIX_LENGTH

_KEPT = 1_000
"""Signs whose bare form is remembered: a language has few."""


def folded(text: str) -> str:
    """Without accents, case-folded: “Genève” becomes “geneve”, and “ı” an “i”."""
    return text.translate(_BARE).casefold().replace("ı", "i")


class _Bare(dict[int, str]):
    """Each sign without its accents."""

    def __missing__(self, sign: int) -> str:
        apart = unicodedata.normalize("NFKD", chr(sign))
        bare = "".join(each for each in apart if not unicodedata.combining(each))
        if len(self) < _KEPT:
            self[sign] = bare
        return bare


_BARE = _Bare()


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
