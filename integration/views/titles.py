"""The sentence of each error in the reader's language."""

from collections.abc import Iterable
from functools import cache
from typing import Any

from integration.models import ErrorTotal, Problem
from integration.models.statements import Statement
from integration.services.articles import title_of


def problem_title(row: dict[str, Any], language: str) -> str:
    """What is wrong, from the article of the row's problem."""
    return title_of(
        row["problem__article"],
        row["problem__params"],
        language,
        row["problem__title"],
    )


def with_titles(rows: Iterable[dict[str, Any]], language: str) -> list[dict[str, Any]]:
    """Rows with ``title``; each problem is told once."""
    told: dict[int, str] = {}
    titled = []
    for row in rows:
        key = row["problem_id"]
        if key not in told:
            told[key] = problem_title(row, language)
        titled.append({**row, "title": told[key]})
    return titled


def problem_titles(language: str) -> list[tuple[str, str]]:
    """Every cause that has errors in sight: key and sentence, by sentence."""
    titles = [
        (str(key), title_of(article, params, language, title))
        for key, article, params, title in _in_sight().rows()
    ]
    return sorted(titles, key=lambda one: one[1].casefold())


@cache
def _in_sight() -> Statement:
    counted = ErrorTotal.objects.filter(n__gt=0).values("problem_id")
    rows = Problem.objects.filter(pk__in=counted)
    return Statement.of(rows.values_list("id", "article", "params", "title"))
