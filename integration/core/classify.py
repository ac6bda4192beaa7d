"""From what a server said, or the engine found, to the cause behind it."""

from collections.abc import Collection, Mapping

from integration.core.articles import Article, Catalog
from integration.core.causes import Cause
from integration.core.failures import Failure
from integration.core.fingerprint import (
    cleaned,
    fingerprint_of_article,
    fingerprint_of_message,
    first_sentence,
    masked,
    normal_code,
    normalized,
)
from integration.core.outcomes import Finding
from integration.core.taught import Taught, best_of
from integration.core.wording import Words, fill

VALUE = 120
SYSTEM_NAMES = {"business_central": "Business Central", "sales": "Sales"}


def classify(
    what: Failure | Finding, catalog: Catalog, taught: Collection[Taught] = ()
) -> Cause:
    """The cause of a failure or finding; never fails, an unknown one is a cause too.

    What was ``taught`` is asked where no article of the catalog knows more than what
    was said.
    """
    if isinstance(what, Finding):
        return _cause_of_finding(what, catalog)
    message = normalized(what.message)
    rule = catalog.rule_of(what, message)
    if rule is None or rule[1].general:
        lesson = best_of(taught, message)
        if lesson:
            return cause_taught(lesson, message, catalog)
    if rule is None:
        return _unknown(str(what.system), what.code, message, what.status)
    article = rule[1]
    params = {"field": what.field, **article.named_in(message)}
    params |= {"system": str(what.system), "code": normal_code(what.code)}
    return _known(article, params, message, catalog.words)


def cause_taught(lesson: Taught, message: str, catalog: Catalog) -> Cause:
    """The cause of what was taught, which is one whoever said it."""
    given = {"edition": lesson.edition}
    return _known(lesson.article, given, message, catalog.words)


def cause_of_article(
    article: Article, params: Mapping[str, str], words: Words
) -> Cause:
    """The cause of an article that is known already, with its parameters."""
    return _known(article, params, "", words)


def title_in(
    article: Article, params: Mapping[str, str], language: str, words: Words
) -> str:
    """The sentence that names the cause, as exact as ``params`` allow."""
    filled = (
        fill(title.in_language(language), params, language, words)
        for title in article.titles
    )
    return next((title for title in filled if title), article.id)


def _cause_of_finding(finding: Finding, catalog: Catalog) -> Cause:
    article, message = catalog.find(finding.article), normalized(finding.message)
    if article is None:
        return _unknown("", finding.article, message, 0)
    named = {"field": finding.field, **article.named_in(message), **finding.params}
    return _known(article, named, message, catalog.words)


def _known(
    article: Article, given: Mapping[str, str], message: str, words: Words
) -> Cause:
    if "text" in article.sample:
        given = {"text": first_sentence(normalized(message)), **given}
    params = _completed(article, given, words)
    culprits = {
        name: masked(message) if name == "message" else params.get(name, "")
        for name in article.culprits
    }
    return Cause(
        fingerprint=fingerprint_of_article(article.id, culprits),
        title=title_in(article, params, "en", words),
        article=article.id,
        params=params,
        category=article.category,
        who=article.who,
    )


def _completed(
    article: Article, given: Mapping[str, str], words: Words
) -> dict[str, str]:
    """Only what the article speaks of, bounded, each name in its one spelling."""
    params = {}
    for name, value in given.items():
        if name in article.sample and value:
            params[name] = words.canonical(name, cleaned(str(value))[:VALUE])
    for name, template in article.defaults.items():
        default = fill(template, {**given, **params}, "", Words())
        if default and not params.get(name):
            params[name] = words.canonical(name, default)
    return params


def _unknown(system: str, code: str, message: str, status: int) -> Cause:
    title = first_sentence(message)
    if not title:
        who = SYSTEM_NAMES.get(system, "Sync Errors")
        what = code or (f"HTTP {status}" if status else "no reason")
        title = f"{who} refused without a message ({what})"
    return Cause(fingerprint_of_message(system, code or str(status), message), title)
