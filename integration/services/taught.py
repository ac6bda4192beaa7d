"""Taught articles as values: read for recognizing, and for telling what they say."""

from functools import lru_cache

from integration.core.articles import Article, Both
from integration.core.taught import Pattern, Taught
from integration.core.wording import french_spaces
from integration.models import TaughtArticle
from integration.models.articles import TAUGHT

_LANGUAGES = ("en", "fr")


def read_taught() -> list[Taught]:
    """What may recognize a message now; one query."""
    rows = TaughtArticle.objects.filter(withdrawn_at=None).order_by("pk")
    return [taught_value(row) for row in rows]


def taught_value(row: TaughtArticle) -> Taught:
    """The row, also one that is not saved yet, as the core needs it."""
    return Taught(article_value(row), row.edition, patterns_of(row))


def patterns_of(row: TaughtArticle) -> tuple[Pattern, ...]:
    return tuple(Pattern(line) for line in row.patterns.splitlines() if line.strip())


def article_value(row: TaughtArticle) -> Article:
    """What it says; where one language is given, both readers get that."""
    only_in = next(
        (one for one in _LANGUAGES if not _said(row, "title", other(one))), ""
    )
    return Article(
        id=row.key,
        category=row.category,
        who=row.who,
        titles=(_both(row, "title"),),
        meaning=(_both(row, "meaning"),),
        steps=_steps(row),
        sample={"edition": ""},
        only_in=only_in,
    )


def other(language: str) -> str:
    return "fr" if language == "en" else "en"


@lru_cache(maxsize=1_000)
def taught_article(article_id: str, edition: str) -> Article | None:
    """By its id; ``edition`` only keeps what is remembered from growing old."""
    row = find_taught(article_id)
    return article_value(row) if row else None


def find_taught(article_id: str) -> TaughtArticle | None:
    """By its id among all articles; a withdrawn one is still to be read."""
    number = article_id.removeprefix(TAUGHT)
    if number == article_id or not (number.isascii() and number.isdigit()):
        return None
    return TaughtArticle.objects.filter(pk=int(number[:18])).first()


def _said(row: TaughtArticle, what: str, language: str) -> str:
    text: str = getattr(row, f"{what}_{language}").strip()
    return french_spaces(text) if language == "fr" else text


def _both(row: TaughtArticle, what: str) -> Both:
    english, french = (_said(row, what, language) for language in _LANGUAGES)
    return Both(english or french, french or english)


def _steps(row: TaughtArticle) -> tuple[Both, ...]:
    """Line by line; each language has as many as it likes."""
    english, french = (_said(row, "steps", one).splitlines() for one in _LANGUAGES)
    english, french = english or french, french or english
    longest = max(len(english), len(french))
    english, french = (
        [*lines, *[""] * (longest - len(lines))] for lines in (english, french)
    )
    return tuple(Both(*pair) for pair in zip(english, french, strict=True))
