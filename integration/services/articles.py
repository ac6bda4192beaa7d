"""Articles: which cause a failure has, and how it is told in the reader's language."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import Any

from integration.core.articles import Article, Both, Catalog
from integration.core.causes import Cause
from integration.core.classify import classify, title_in
from integration.core.failures import Failure
from integration.core.outcomes import Finding
from integration.core.taught import Taught
from integration.core.wording import FORMS, Segment, fill, segments, short_language
from integration.models.articles import TAUGHT
from integration.services.article_files import read_catalog
from integration.services.taught import read_taught, taught_article

FOLDER = Path(__file__).resolve().parent.parent / "articles"
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class RenderedArticle:
    """An article in one language.

    A step is a row of segments: text, or the text of a link with its ``target`` and
    its ``url`` ("" where nobody knows one: show the text). Nothing here is markup;
    escape it as any text. ``cure_label`` is "" when there is no cure to press;
    ``cure_link`` is the address of ``cure_target``, if one was given, and
    ``other_cures`` where it could lead instead. ``foreign`` is
    the language ("en", "fr") of a taught article that nobody wrote in the reader's.
    """

    title: str
    meaning: str
    steps: tuple[tuple[Segment, ...], ...]
    cure_label: str
    cure_target: str
    cure_link: str
    who: str
    category: str
    foreign: str = ""
    other_cures: frozenset[str] = frozenset()

    @property
    def targets(self) -> frozenset[str]:
        """Every place this article leads to (core.articles lists them)."""
        found = {s.target for step in self.steps for s in step if s.target}
        return frozenset(found | self.other_cures | ({self.cure_target} - {""}))


@cache
def catalog() -> Catalog:
    """Every article, read at first use. Raises ``ArticleError``."""
    return read_catalog(FOLDER)


def all_articles() -> tuple[Article, ...]:
    """Every known cause, by id."""
    return tuple(a for a in catalog().articles.values() if a.id != UNKNOWN)


class Causes:
    """The causes of failed outcomes, in one transaction or on one page.

    What was taught is read once, and only if something comes that no built-in article
    knows: most of what fails is known.
    """

    @cached_property
    def taught(self) -> list[Taught]:
        return read_taught()

    def __call__(self, failure: Failure | None, finding: Finding | None) -> Cause:
        """A failed outcome carries one of the two."""
        what = failure or finding
        if what is None:
            raise ValueError("a failed outcome carries a failure or a finding")
        cause = classify(what, catalog())
        if isinstance(what, Finding) or not is_open_to_teaching(cause.article):
            return cause
        return classify(what, catalog(), self.taught) if self.taught else cause


def cause_of(failure: Failure | None, finding: Finding | None) -> Cause:
    """The cause of one failure or finding; for many at once see ``Causes``."""
    return Causes()(failure, finding)


def is_open_to_teaching(article_id: str) -> bool:
    """Whether nobody knows more of this cause than what was said."""
    if article_id.startswith(TAUGHT):
        return False
    article = catalog().find(article_id)
    return article is None or article.general


def find_article(article_id: str, params: Mapping[str, str]) -> Article | None:
    """Built-in or taught, as it is now; ``params`` are those of the cause."""
    known = catalog().find(article_id)
    return known or taught_article(article_id, params.get("edition", ""))


def title_of(
    article_id: str, params: Mapping[str, str], language: str, otherwise: str
) -> str:
    """The sentence of a cause; ``otherwise`` (the stored title) for an unknown one."""
    # A page names the same few causes again and again.
    return _title_of(article_id, tuple(params.items()), language) or otherwise


def title_of_row(row: Mapping[str, Any], language: str) -> str:
    """The same of a row that a list reads."""
    article, params = row["problem__article"], row["problem__params"]
    return title_of(article, params, language, row["problem__title"])


@lru_cache(maxsize=4_096)
def _title_of(article_id: str, told: tuple[tuple[str, str], ...], language: str) -> str:
    params = dict(told)
    article = find_article(article_id, params)
    if article is None:
        return ""
    return title_in(article, params, short_language(language), catalog().words)


def render(
    article_id: str,
    params: Mapping[str, str],
    language: str,
    *,
    links: Mapping[str, str] | None = None,
    title: str = "",
) -> RenderedArticle:
    """An article in the reader's language ("fr-ch", "en").

    ``links`` gives the addresses of targets. ``article_id`` "" is the article on
    unknown causes; ``title`` is then what the problem is called. Never fails on missing
    params: a sentence that needs one is left out.
    """
    book, speech, known = catalog(), short_language(language), links or {}
    article = find_article(article_id, params) or book.articles[UNKNOWN]

    def told(sentences: tuple[Both, ...]) -> list[tuple[Segment, ...]]:
        rows = (
            segments(both.in_language(speech), params, speech, book.words)
            for both in sentences
        )
        return [tuple(_with_url(s, known) for s in row) for row in rows if row]

    cures = _cures(article, params, speech)
    leading = (target for target in cures if known.get(target))
    target = next(leading, next(iter(cures), ""))
    is_known = article.id != UNKNOWN
    return RenderedArticle(
        title=title_in(article, params, speech, book.words) if is_known else title,
        meaning=" ".join("".join(s.text for s in row) for row in told(article.meaning)),
        steps=tuple(told(article.steps)),
        cure_label=cures.get(target, ""),
        cure_target=target,
        cure_link=known.get(target, ""),
        who=article.who,
        category=article.category,
        foreign="" if article.only_in == speech else article.only_in,
        other_cures=frozenset(cures) - {target},
    )


def label_of(field: str, language: str) -> str:
    """A field as people call it ("phoneNumber", "telephone1": Phone, Téléphone)."""
    word = catalog().words.find("field", field)
    return FORMS[""](word, short_language(language)) if word else field


def keys_of(fields: str) -> str:
    """Fields by any of their names, with commas, as Business Central spells them."""
    return catalog().words.canonical("fields", fields)


def _with_url(segment: Segment, links: Mapping[str, str]) -> Segment:
    url = links.get(segment.target, "") if segment.target else ""
    return Segment(segment.text, segment.target, url)


def _cures(article: Article, params: Mapping[str, str], speech: str) -> dict[str, str]:
    """Labels by target, in order; without those that need what nobody has told."""
    words = catalog().words
    found = {}
    for cure in article.cures:
        label = fill(cure.label.in_language(speech), params, speech, words)
        target = fill(cure.target, params, "", words)
        if label and target:
            found[target] = label
    return found
