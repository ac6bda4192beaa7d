"""Sentences that are stored now and read later, by people of either language.

What is stored is a key: the English text with its values, or an article with its
parameters. The English sentence beside it is for logs, commands and older rows.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils import translation
from django.utils.formats import localize

from integration.core.causes import Cause
from integration.models import Problem
from integration.services.articles import title_of
from integration.services.problems import cause_of_problem

Key = Mapping[str, Any]
"""``{"text", "values"}`` or ``{"article", "params", "title"}``; JSON."""


@dataclass(frozen=True, slots=True)
class Told:
    """One sentence: in English, and as what is stored of it."""

    english: str
    key: Key


class InWords(Exception):  # noqa: N818  (a sentence for a person)
    """A refusal of ours; its text is the sentence in the reader's language.

    ``text`` is English, marked by ``gettext_noop``; a value may be a key itself.
    """

    def __init__(self, text: str, /, **values: str | int | Key) -> None:
        self.told = sentence(text, **values)
        super().__init__(self.told.english)

    def __str__(self) -> str:
        return in_words(self.told.key, self.told.english)


def sentence(text: str, /, **values: str | int | Key) -> Told:
    """Of our own, with named places: ``{name}``."""
    key = {"text": text, "values": values}
    with translation.override("en"):
        return Told(in_words(key), key)


def of_cause(cause: Cause) -> Told:
    """What the cause is called."""
    key = {"article": cause.article, "params": {**cause.params}, "title": cause.title}
    return Told(cause.title, key)


def of_problem(problem: Problem) -> Told:
    """What the problem is called."""
    return of_cause(cause_of_problem(problem))


def in_words(key: Key | None, otherwise: str = "") -> str:
    """In the active language; ``otherwise`` where nothing but the text was stored."""
    if not key:
        return otherwise
    if "text" not in key:
        language = translation.get_language() or "en"
        return title_of(key["article"], key["params"], language, key["title"])
    values = {
        name: in_words(value) if isinstance(value, Mapping) else localize(value)
        for name, value in key["values"].items()
    }
    return translation.gettext(key["text"]).format(**values)
