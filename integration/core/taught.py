"""What an administrator taught: an article, and the text by which it is recognized.

A pattern is what a system says, with ``{…}`` for whatever differs from one to another.
Its pieces must stand in a message in this order, with something between them. Nothing
in it is a regular expression, so no pattern and no message can make it run long.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

from integration.core.articles import Article
from integration.core.fingerprint import normalized, with_places

PLACE = "{…}"
LONGEST = 500
"""Characters of a pattern."""
MOST_PLACES = 20
FEWEST_LETTERS = 12
"""Fewer would be found in messages of any cause."""
_PLACES = re.compile(r"\{[^{}]{0,60}\}")
_WORD = re.compile(r"[^\W\d_]{3,}")


@dataclass(frozen=True)
class Pattern:
    """What a person wrote, and the pieces that a message must hold."""

    text: str

    @cached_property
    def pieces(self) -> tuple[str, ...]:
        """Between the places, as messages are compared; ends matter not."""
        pieces = [*filter(None, _PLACES.split(comparable(self.text)))]
        if pieces:
            pieces[0], pieces[-1] = pieces[0].lstrip(), pieces[-1].rstrip(".! ")
        return tuple(piece for piece in pieces if piece)

    @cached_property
    def letters(self) -> int:
        """How much it asks for."""
        return sum(sign.isalpha() for piece in self.pieces for sign in piece)

    @property
    def is_too_wide(self) -> bool:
        """Whether messages of many causes would hold it."""
        words = [word for piece in self.pieces for word in _WORD.findall(piece)]
        return self.letters < FEWEST_LETTERS or len(words) < 2

    @property
    def sample(self) -> str:
        """A message that it fits."""
        return _PLACES.sub("X1", self.text)

    def fits(self, message: str) -> bool:
        """Whether a ``comparable`` message holds the pieces, one after the other."""
        start = 0
        for piece in self.pieces:
            found = message.find(piece, start)
            if found < 0:
                return False
            # A place holds at least one character.
            start = found + len(piece) + 1
        return bool(self.pieces)


@dataclass(frozen=True, slots=True)
class Taught:
    """An article that somebody taught. ``edition`` changes with every change of it."""

    article: Article
    edition: str
    patterns: tuple[Pattern, ...]

    def weight(self, message: str) -> int:
        """How much of a ``comparable`` message it knows; 0 = it is not its."""
        return max((p.letters for p in self.patterns if p.fits(message)), default=0)


def comparable(message: str) -> str:
    """A message as patterns are compared with it: one line, in small letters."""
    return _small(normalized(message))


def _small(message: str) -> str:
    return message.casefold().replace("’", "'")


def best_of(taught: Collection[Taught], message: str) -> Taught | None:
    """The one that knows most of a normalized message; of equals, the first taught."""
    if not taught:
        return None
    small = _small(message)
    weight, best = max(
        ((one.weight(small), one) for one in taught), key=lambda pair: pair[0]
    )
    return best if weight else None


def suggested(message: str) -> str:
    """A pattern for a message, with places for its ids, numbers, dates and quotes."""
    return with_places(normalized(message), PLACE)[:LONGEST]
