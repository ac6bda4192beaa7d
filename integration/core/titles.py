"""From a title of ours, as a page shows it, back to its cause.

People paste what they see; on our own pages that is a title, not what a system said.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from integration.core.articles import Article, Catalog
from integration.core.causes import Cause
from integration.core.classify import cause_of_article
from integration.core.wording import (
    FORMS,
    KINDS,
    MONTHS,
    PARAM,
    PHRASES,
    Word,
    Words,
    unknown_word,
)

LANGUAGES = ("en", "fr")

LONGEST = 300
"""Characters of a title; what is longer is none."""
_LETTERS = 7
"""So many of its own a title has: one that only repeats what was said names nothing."""
_AROUND = " \t.…:;,*#>–-\"'“”«»‘’()[]"
_ENDING = "e"


def plain(text: str) -> str:
    """How titles are compared: without what a mail or a list sets around and within."""
    return " ".join(text.replace("’", "'").split()).strip(_AROUND)


@dataclass(frozen=True, slots=True)
class Title:
    """One title of an article in one language; ``names`` are its groups' parameters."""

    article: Article
    pattern: re.Pattern[str]
    names: tuple[tuple[str, str], ...]
    language: str

    def params(self, text: str, words: Words) -> dict[str, str] | None:
        """What stands in the title's gaps; ``None``: it is another title."""
        found = self.pattern.fullmatch(text)
        if found is None:
            return None
        return {
            name: _read(name, form, value, self.language, words)
            for (name, form), value in zip(self.names, found.groups(), strict=True)
        }


def titles_of(catalog: Catalog) -> list[Title]:
    """Every title that says something of its own, the one that says most first."""
    found = [
        (article, both.in_language(language), language)
        for article in catalog.articles.values()
        for both in article.titles
        for language in LANGUAGES
    ]
    found.sort(key=lambda one: -_letters(one[1]))
    return [
        _compiled(*one, catalog.words) for one in found if _letters(one[1]) >= _LETTERS
    ]


def causes_titled(
    text: str, titles: Sequence[Title], words: Words
) -> tuple[Cause, ...]:
    """The causes that are called so; none for a text that is no title.

    Several where the articles of both systems have the same one.
    """
    wanted = plain(text) if len(text) <= LONGEST else ""
    causes: dict[str, Cause] = {}
    for title in titles if wanted else ():
        params = title.params(wanted, words)
        if params is not None and title.article.id not in causes:
            causes[title.article.id] = cause_of_article(title.article, params, words)
    return tuple(causes.values())


def _letters(template: str) -> int:
    return sum(map(str.isalpha, PARAM.sub("", template)))


def _compiled(article: Article, template: str, language: str, words: Words) -> Title:
    pieces, names, position = [], [], 0
    template = plain(template)
    for gap in PARAM.finditer(template):
        pieces.append(re.escape(template[position : gap.start()]))
        position = gap.end()
        name, form = gap[1], gap[2] or ""
        if form == _ENDING:
            pieces.append("(?:e?s?)")
        else:
            pieces.append(f"({_gap(name, form, language, words)})")
            names.append((name, form))
    pieces.append(re.escape(template[position:]))
    pattern = re.compile("".join(pieces), re.I)
    return Title(article, pattern, tuple(names), language)


def _gap(name: str, form: str, language: str, words: Words) -> str:
    """A known word where there is one: what follows it may be a number or a name."""
    kind = KINDS.get(name)
    if kind is None or name == "fields":
        return ".+?"
    shown = {FORMS[form](word, language) for word in _words(kind, words)}
    known = sorted(map(plain, shown), key=len, reverse=True)
    return "|".join([*map(re.escape, known), ".+?"])


def _words(kind: str, words: Words) -> set[Word]:
    return {word for (of, _name), word in words.by_name.items() if of == kind}


def _read(name: str, form: str, value: str, language: str, words: Words) -> str:
    """A parameter by the words that the page has put in its place."""
    if form == "date":
        return _read_date(value)
    if name in PHRASES:
        return _called(name, value, words, lambda word: {word.en, word.fr})
    kind = KINDS.get(name)
    if kind is None:
        return value
    shown = FORMS[form]
    parts = (_named(kind, form, part, language) for part in value.split(","))
    return ",".join(
        _called(kind, part, words, lambda word: {shown(word, language)})
        for part in parts
    )


def _named(kind: str, form: str, value: str, language: str) -> str:
    """Without what a sentence says before a name that we have no word for."""
    before = FORMS[form](unknown_word(kind, "\0", form), language).partition("\0")[0]
    value = value.strip()
    is_said = value.casefold().startswith(before.casefold())
    return value[len(before) :] if is_said else value


def _called(
    kind: str, value: str, words: Words, shown: Callable[[Word], set[str]]
) -> str:
    """The key of the word that is shown so; else the value as it stands."""
    wanted = value.casefold()
    for word in _words(kind, words):
        if wanted in {plain(one).casefold() for one in shown(word)}:
            return word.key
    return value


def _read_date(value: str) -> str:
    """An ISO date of what a title shows; anything else as it is."""
    if found := re.fullmatch(r"(\d{1,2}) ([A-Z][a-z]{2}) (\d{4})", value):
        day, month, year = found.groups()
        if month in MONTHS:
            return f"{year}-{MONTHS.index(month) + 1:02}-{int(day):02}"
    if found := re.fullmatch(r"(\d{2})\.(\d{2})\.(\d{4})", value):
        return "-".join(reversed(found.groups()))
    return value
