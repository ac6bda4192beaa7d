"""What a pasted message means, and whether it stands in the list already."""

from dataclasses import dataclass, replace

from integration.core.causes import Cause
from integration.core.explain import explain as causes_of
from integration.models import Problem
from integration.services.articles import catalog
from integration.services.causes import count_of
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
    """One for each article it may belong to; without an article nobody knows it."""
    by_article: dict[str, list[Cause]] = {}
    for cause in causes_of(text, catalog(), read_taught()):
        by_article.setdefault(cause.article, []).append(cause)
    return [_explanation(causes) for causes in by_article.values()]


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
