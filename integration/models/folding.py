"""Spellings of a text for searching: as typed, and without accents and capitals."""

import re
import unicodedata

_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]+")


def folded(text: str) -> str:
    """Without accents, case-folded: “Genève” becomes “geneve”."""
    return _BEYOND_ASCII.sub(_bare, text).casefold()


def _bare(found: re.Match[str]) -> str:
    apart = unicodedata.normalize("NFKD", found[0])
    return "".join(sign for sign in apart if not unicodedata.combining(sign))


def searchable(text: str) -> str:
    """What is stored to be searched.

    A text beyond ASCII is followed by its plain spelling, because SQLite compares
    capitals only from a to z and a person types without accents.
    """
    return text if text.isascii() else f"{text}\n{folded(text)}"


def spellings(text: str) -> list[str]:
    """What to look for when a person typed ``text``."""
    plain = folded(text)
    return [text] if text.isascii() or plain == text else [text, plain]
