"""What a pasted message means, and whether it stands in the list already."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache

from integration.core.causes import Cause
from integration.core.classify import cause_taught
from integration.core.explain import explain as causes_of
from integration.core.taught import Taught
from integration.core.titles import (
    LANGUAGES,
    LONGEST,
    Title,
    causes_titled,
    plain,
    titles_of,
)
from integration.models import Problem
from integration.services.articles import catalog, title_of
from integration.services.causes import count_of
from integration.services.problems import cause_of_problem
from integration.services.taught import read_taught


@dataclass(frozen=True, slots=True)
class Explanation:
    """One cause a message may have; ``known`` are its problems with their records.

    ``is_of_either``: both systems say it in the same words, as their sign-in does.
    """

    cause: Cause
    known: tuple[tuple[Problem, int], ...]
    is_of_either: bool = False


def explain(text: str) -> list[Explanation]:
    """One for each article it may belong to; without an article nobody knows it.

    A title of ours is known as well: first that of a cause which stands in the list.
    """
    by_article: dict[str, list[Cause]] = {}
    for cause in _causes(text, read_taught()):
        by_article.setdefault(cause.article, []).append(cause)
    return [_explanation(causes) for causes in by_article.values()]


def _causes(text: str, taught: Sequence[Taught]) -> Sequence[Cause]:
    listed = _listed(text)
    named = [cause for cause in listed if cause.article]
    named = named or [*causes_titled(text, _titles(), catalog().words)]
    named = named or _taught_as(text, taught)
    if named:
        return named
    said = causes_of(text, catalog(), taught)
    is_known = any(cause.article for cause in said)
    return said if is_known or not listed else listed


@cache
def _titles() -> list[Title]:
    return titles_of(catalog())


def _listed(text: str) -> list[Cause]:
    """The causes that pages have called so, in either language."""
    if len(text) > LONGEST:
        return []
    rows = Problem.objects.only(
        *("article", "params", "title", "fingerprint", "category", "who")
    )
    return [
        cause_of_problem(row)
        for row in rows.order_by("id").iterator()
        if _is_called(
            text,
            (title_of(row.article, row.params, one, row.title) for one in LANGUAGES),
        )
    ]


def _taught_as(text: str, taught: Sequence[Taught]) -> list[Cause]:
    return [
        cause_taught(lesson, "", catalog())
        for lesson in taught
        for both in lesson.article.titles
        if _is_called(text, (both.in_language(one) for one in LANGUAGES))
    ]


def _is_called(text: str, titles: Iterable[str]) -> bool:
    wanted = plain(text).casefold()
    return any(wanted == plain(title).casefold() for title in titles)


def _explanation(causes: list[Cause]) -> Explanation:
    first, known = causes[0], _known(causes)
    if len({one.params.get("system") for one in causes}) == 1:
        return Explanation(first, known)
    params = {**first.params, "system": "either"}
    return Explanation(replace(first, params=params), known, is_of_either=True)


def _known(causes: list[Cause]) -> tuple[tuple[Problem, int], ...]:
    rows = Problem.objects.filter(fingerprint__in=[one.fingerprint for one in causes])
    found = ((row, count_of(row).relevant) for row in rows.select_related("connection"))
    return tuple((problem, count) for problem, count in found if count)
