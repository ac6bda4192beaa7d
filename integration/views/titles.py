"""The sentence of each error in the reader's language."""

from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from typing import Any

from integration.models import ErrorTotal, Problem
from integration.models.statements import Statement
from integration.services.articles import title_of, title_of_row


def titles_of(rows: Iterable[Mapping[str, Any]], language: str) -> dict[int, str]:
    """By the problems of these rows; each is told once."""
    by_problem = {row["problem_id"]: row for row in rows}
    return {key: title_of_row(row, language) for key, row in by_problem.items()}


def problem_titles(language: str) -> tuple[tuple[str, str], ...]:
    """Every cause that has errors in sight: key and sentence, by sentence."""
    return _sorted_titles(titles_statement().raw(), language)


@lru_cache(maxsize=4)
def _sorted_titles(
    found: tuple[tuple[Any, ...], ...], language: str
) -> tuple[tuple[str, str], ...]:
    """Kept: they are the same from page to page."""
    titles = [
        (str(key), title_of(article, params, language, title))
        for key, article, params, title in titles_statement().converted(found)
    ]
    return tuple(sorted(titles, key=lambda one: one[1].casefold()))


@cache
def titles_statement() -> Statement:
    """Of ``problem_titles``, to be asked together with others."""
    counted = ErrorTotal.objects.filter(n__gt=0).values("problem_id")
    rows = Problem.objects.filter(pk__in=counted)
    named = rows.order_by("id").values_list("id", "article", "params", "title")
    return Statement.of(named)
