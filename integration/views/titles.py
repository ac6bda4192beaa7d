"""The sentence of each error in the reader's language."""

from collections.abc import Sequence
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


def add_titles(rows: Sequence[dict[str, Any]], language: str) -> None:
    """Give each row its ``title``; each problem is told once."""
    told: dict[int, str] = {}
    for row in rows:
        key = row["problem_id"]
        if key not in told:
            told[key] = problem_title(row, language)
        row["title"] = told[key]


def problem_titles(language: str) -> list[tuple[str, str]]:
    """Every cause that has errors in sight: key and sentence, by sentence."""
    titles = [
        (str(key), title_of(article, params, language, title))
        for key, article, params, title in titles_statement().rows()
    ]
    return sorted(titles, key=lambda one: one[1].casefold())


@cache
def titles_statement() -> Statement:
    """Of ``problem_titles``, to be asked together with others."""
    counted = ErrorTotal.objects.filter(n__gt=0).values("problem_id")
    rows = Problem.objects.filter(pk__in=counted)
    return Statement.of(rows.values_list("id", "article", "params", "title"))
