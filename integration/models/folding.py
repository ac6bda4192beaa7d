"""Spellings of a text for searching: as typed, and without accents and capitals."""

import unicodedata


def folded(text: str) -> str:
    """Without accents, case-folded: “Genève” becomes “geneve”."""
    apart = unicodedata.normalize("NFKD", text)
    bare = "".join(sign for sign in apart if not unicodedata.combining(sign))
    return bare.casefold()


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
