"""Teaching: an administrator explains a message that no article knows.

What it would take is shown before anything is saved. A built-in article always wins,
so a pattern that fits its messages is refused, and so is one that fits everything.
Whoever saves, changes or withdraws an article is an operation; errors that are open
then follow (``services.regrouping``), what fails later is classified by the same rule.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import nlargest
from itertools import chain
from typing import Any
from uuid import uuid4

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import get_language, gettext_noop
from django.utils.translation import gettext as _

from integration import clock
from integration.choices import OperationKind, OperationState
from integration.core.articles import Article
from integration.core.explain import explain
from integration.core.taught import MOST_PLACES, PLACE, Pattern, comparable
from integration.models import Operation, Problem, SyncError, TaughtArticle
from integration.models.cuts import text_q, visible_q
from integration.services.actors import Actor, Refused, require_administrator
from integration.services.articles import (
    catalog,
    find_article,
    is_open_to_teaching,
    title_of,
)
from integration.services.operations import find_operation, record_operation
from integration.services.regrouping import open_to_teaching, what_would_move
from integration.services.sentences import Told, sentence
from integration.services.taught import patterns_of, read_taught, taught_value

MOST_PATTERNS = 10
_LOOKED_AT = 2_000
"""Open errors of built-in articles that are compared with a pattern."""
_TEXTS = (
    *("title_en", "title_fr", "meaning_en", "meaning_fr", "steps_en", "steps_fr"),
    *("patterns", "who", "category"),
)


@dataclass(frozen=True, slots=True)
class Preview:
    """What an article would have if it were saved now, by the problem it has today."""

    found: Mapping[Problem, Sequence[int]]
    """Ids of the errors."""

    @property
    def errors(self) -> int:
        return sum(len(ids) for ids in self.found.values())

    def newest(self, most: int) -> list[int]:
        """Ids of that many errors."""
        return nlargest(most, chain.from_iterable(self.found.values()))


def taught_articles() -> list[TaughtArticle]:
    """Those in force."""
    return list(TaughtArticle.objects.filter(withdrawn_at=None))


def problems_of(article: TaughtArticle) -> QuerySet[Problem]:
    """What it has explained so far, one for each connection."""
    return Problem.objects.filter(article=article.key).order_by("pk")


def preview(article: TaughtArticle) -> Preview:
    """The open errors it would have; ``article`` may not be saved yet.

    Raises ``Refused`` when it may not be saved at all.
    """
    require_fitting(article)
    others = [one for one in read_taught() if one.article.id != article.key]
    taught = [*others, taught_value(article)]
    sight = visible_q(Operation.objects.cuts())
    return Preview(what_would_move(taught, article.key, sight))


def teach(
    article: TaughtArticle, by: Actor, reason: str = "", key: str = ""
) -> TaughtArticle:
    """Save a new one; with the same ``key`` it is the same. Raises ``Refused``."""
    require_administrator(by)
    require_fitting(article)
    with transaction.atomic():
        if key and find_operation(key):
            raise Refused(_("This was saved already."))
        article.operation = _record(article, "made", by, reason, key)
        _call(article)
        article.save()
    return article


def change(article: TaughtArticle, by: Actor, reason: str = "") -> TaughtArticle:
    """Save what was changed in it. Raises ``Refused``."""
    require_administrator(by)
    require_fitting(article)
    with transaction.atomic():
        _require_in_force(article)
        article.operation = _record(article, "changed", by, reason)
        _call(article)
        article.save()
        _retell(article)
    return article


def withdraw(article: TaughtArticle, by: Actor, reason: str = "") -> TaughtArticle:
    """It explains nothing any more; its errors are shown as the systems said them."""
    require_administrator(by)
    with transaction.atomic():
        _require_in_force(article)
        article.withdrawn_at = clock.now()
        article.operation = _record(article, "withdrawn", by, reason)
        _call(article)
        article.save(update_fields=["withdrawn_at", "operation", "edition", "due_at"])
    return article


def require_fitting(article: TaughtArticle) -> None:
    """Raises ``Refused`` for a pattern that would take what is not meant."""
    patterns = patterns_of(article)
    if not patterns:
        raise Refused(_("Write at least one pattern."))
    if len(patterns) > MOST_PATTERNS:
        raise Refused(_("Write at most %(n)s patterns.") % {"n": MOST_PATTERNS})
    for pattern in patterns:
        if pattern.is_too_wide or pattern.text.count("{") > MOST_PLACES:
            raise Refused(
                _(
                    "“%(pattern)s” is too wide: it would fit messages of any cause. "
                    "Give more of the words that never differ."
                )
                % {"pattern": pattern.text}
            )
        _require_no_built_in(pattern)


def _require_no_built_in(pattern: Pattern) -> None:
    known = next(_built_in(pattern), None)
    if known is None:
        return
    article, params = known
    name = title_of(article, params, get_language() or "en", article)
    raise Refused(
        _(
            "The built-in article “%(title)s” knows messages like “%(pattern)s” "
            "already. A built-in article always wins, so this would never be used."
        )
        % {"title": name, "pattern": pattern.text}
    )


def _built_in(pattern: Pattern) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Articles that know such messages: by rule, by example, by what fails now."""
    for cause in explain(pattern.sample.replace(PLACE, "X1"), catalog()):
        if not is_open_to_teaching(cause.article):
            yield cause.article, cause.params
    for article in catalog().articles.values():
        if not article.general and _is_example(pattern, article):
            yield article.id, article.sample
    yield from _failing_now(pattern)


def _is_example(pattern: Pattern, article: Article) -> bool:
    return any(pattern.fits(comparable(one.message)) for one in article.examples)


def _failing_now(pattern: Pattern) -> Iterator[tuple[str, Mapping[str, str]]]:
    word = max((w for p in pattern.pieces for w in p.split()), key=len)
    known = list(Problem.objects.exclude(open_to_teaching()))
    rows = SyncError.objects.relevant().filter(text_q(word), problem__in=known)
    rows = rows.order_by("-last_seen", "-id")
    by_id = {problem.pk: problem for problem in known}
    for key, message in rows.values_list("problem", "message")[:_LOOKED_AT]:
        if pattern.fits(comparable(message)):
            yield by_id[key].article, by_id[key].params


def _require_in_force(article: TaughtArticle) -> None:
    row = TaughtArticle.objects.select_for_update(no_key=True).get(pk=article.pk)
    if row.withdrawn_at:
        raise Refused(_("This article was withdrawn."))


def _call(article: TaughtArticle) -> None:
    """New to whoever remembers it, and its errors are to be looked for."""
    article.edition, article.due_at = uuid4().hex, clock.now()


def _record(
    article: TaughtArticle, what: str, by: Actor, reason: str, key: str = ""
) -> Operation:
    why: str | Told = reason or sentence(
        gettext_noop("Chosen on the page of articles.")
    )
    return record_operation(
        OperationKind.TEACH,
        by=by,
        reason=why,
        scope={"article": str(article), "patterns": article.patterns.splitlines()},
        result={"change": what, **_wording(article)},
        state=OperationState.RUNNING,
        key=key,
    )


def _wording(article: TaughtArticle) -> dict[str, Any]:
    """The whole of it: operations are the audit."""
    return {"article": {name: getattr(article, name) for name in _TEXTS}}


def _retell(article: TaughtArticle) -> None:
    """Its problems are told in its new words."""
    found = find_article(article.key, {"edition": article.edition})
    for problem in Problem.objects.filter(article=article.key):
        problem.params |= {"edition": article.edition}
        problem.who, problem.category = article.who, article.category
        problem.title = found.titles[0].en if found else problem.title
        problem.save(update_fields=["params", "who", "category", "title"])
