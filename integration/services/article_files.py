"""Read the articles, one TOML file per cause, and refuse a file that is not complete.

A file:

    category = "currency"           # choices.Category
    who = "administrator"           # choices.Who
    culprits = ["currency"]         # parameters that make it another cause; "message"
    general = true                  # it only repeats the message: what is taught wins
    catalog = ["…"]                 # rows of the error catalogue that it covers
    [defaults]                      # values of parameters that nobody gave
    [[title]]  en, fr               # tried in order; the last needs no parameter
    [[meaning]]  en, fr             # a sentence is left out when a parameter is missing
    [[step]]  en, fr                # numbered; may hold [links](target), core.articles
    [cure]  target, en, fr          # the one button, if there is one
    [other_cure]                    # the same, where that one leads nowhere
    [[match]]  system, kind, status, code, pattern, params, fallback, weak
    [sample]                        # every parameter with an example
    [[example]]  message, code, status, system, kind, field, params

French is written with ordinary spaces; those before ``: ; ! ? »`` become no-break ones.
"""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from integration.choices import Category, System, Who
from integration.core.articles import (
    TARGETS,
    Article,
    Both,
    Catalog,
    Cure,
    Example,
    Match,
)
from integration.core.failures import FailureKind
from integration.core.fingerprint import normal_code
from integration.core.wording import (
    FORMS,
    LINK,
    Word,
    Words,
    french_spaces,
    params_of,
)

KEYS = {
    "": {
        *("category", "who", "culprits", "catalog", "defaults", "title", "meaning"),
        *("step", "cure", "other_cure", "match", "sample", "example", "general"),
    },
    "match": {
        *("system", "kind", "status", "code", "pattern", "params"),
        *("fallback", "weak"),
    },
    "example": {"message", "system", "kind", "code", "status", "field", "params"},
}
UNBOUNDED = re.compile(r"(?<!\\)[*+]|\{\d+,\}")
REPEATED_GROUP = re.compile(r"(?<!\\)\)\{")


class ArticleError(ValueError):
    """A file of the articles is not complete; the text names file and key."""


def read_catalog(folder: Path) -> Catalog:
    """Every article of a folder. Raises ``ArticleError``."""
    words = _words(_toml(folder / "_words.toml"))
    files = sorted(folder.glob("[!_]*.toml"))
    articles = {path.stem: _article(path.stem, _toml(path)) for path in files}
    return Catalog(articles, words)


def _toml(path: Path) -> Mapping[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ArticleError(f"{path.name} cannot be read: {error}") from error


def _words(data: Mapping[str, Any]) -> Words:
    by_name: dict[tuple[str, str], Word] = {}
    for kind, entries in data.items():
        for key, entry in entries.items():
            both = _both("_words", f"{kind}.{key}", entry)
            word = Word(key, both.en, both.fr, _is_feminine(entry))
            for name in (key, both.en, word.fr_bare, *entry.get("also", ())):
                by_name.setdefault((kind, name.casefold()), word)
    return Words(by_name)


def _is_feminine(entry: Mapping[str, Any]) -> bool:
    return bool(entry.get("feminine", entry["fr"].startswith("la ")))


def _article(id: str, data: Mapping[str, Any]) -> Article:
    _only(id, "", data)
    article = Article(
        id=id,
        category=_one_of(id, "category", data, Category.values),
        who=_one_of(id, "who", data, Who.values),
        titles=_sentences(id, "title", data),
        meaning=_sentences(id, "meaning", data),
        steps=_sentences(id, "step", data),
        cures=tuple(_cure(id, data[key]) for key in _CURES if key in data),
        matches=tuple(_match(id, rule) for rule in data.get("match", ())),
        culprits=tuple(data.get("culprits", ())),
        defaults=data.get("defaults", {}),
        catalog=tuple(data.get("catalog", ())),
        sample=data.get("sample", {}),
        examples=tuple(_example(id, e) for e in data.get("example", ())),
        general=data.get("general", False),
    )
    _check_params(article)
    return article


def _only(id: str, place: str, data: Mapping[str, Any]) -> None:
    for key in data.keys() - KEYS[place]:
        raise ArticleError(f"{id}.toml: {place or 'file'} has an unknown key “{key}”.")


def _one_of(id: str, key: str, data: Mapping[str, Any], allowed: list[str]) -> str:
    value = data.get(key, "")
    if value not in allowed:
        raise ArticleError(f"{id}.toml: {key} is “{value}”, not one of {allowed}.")
    return str(value)


def _sentences(id: str, key: str, data: Mapping[str, Any]) -> tuple[Both, ...]:
    entries = data.get(key)
    if not entries:
        raise ArticleError(f"{id}.toml: {key} is missing.")
    return tuple(_both(id, key, entry) for entry in entries)


def _both(id: str, key: str, entry: Mapping[str, Any]) -> Both:
    for language in ("en", "fr"):
        if not entry.get(language):
            raise ArticleError(f"{id}.toml: {key}.{language} is missing.")
    both = Both(entry["en"], french_spaces(entry["fr"]))
    for template in (both.en, both.fr):
        for target in (link[2] for link in LINK.finditer(template)):
            _check_target(id, key, target)
    return both


_CURES = ("cure", "other_cure")


def _cure(id: str, entry: Mapping[str, Any]) -> Cure:
    target = entry.get("target", "")
    _check_target(id, "cure.target", target)
    return Cure(_both(id, "cure", entry), target)


def _check_target(id: str, key: str, target: str) -> None:
    if not TARGETS.match(target):
        raise ArticleError(f"{id}.toml: {key} leads to an unknown place “{target}”.")


def _match(id: str, rule: Mapping[str, Any]) -> Match:
    _only(id, "match", rule)
    codes = {normal_code(code) for code in _listed(rule, "code")}
    # Entra's number may come without its letters, as in error_codes.
    codes |= {code.removeprefix("aadsts") for code in codes}
    return Match(
        systems=frozenset(System(name).value for name in _listed(rule, "system")),
        kinds=frozenset(FailureKind(name).value for name in _listed(rule, "kind")),
        statuses=frozenset(int(status) for status in _listed(rule, "status")),
        codes=frozenset(codes),
        patterns=tuple(_pattern(id, text) for text in _listed(rule, "pattern")),
        params=rule.get("params", {}),
        fallback=rule.get("fallback", False),
        weak=rule.get("weak", False),
    )


def _listed(rule: Mapping[str, Any], key: str) -> list[Any]:
    value = rule.get(key, [])
    return value if isinstance(value, list) else [value]


def _pattern(id: str, text: str) -> re.Pattern[str]:
    """Raises for what could run for ever on a hostile message."""
    bare = re.sub(r"\[[^\]]*\]", "x", text)
    if UNBOUNDED.search(bare) or REPEATED_GROUP.search(bare):
        raise ArticleError(f"{id}.toml: match.pattern is not bounded: {text}")
    try:
        return re.compile(text)
    except re.error as error:
        raise ArticleError(f"{id}.toml: match.pattern: {error}: {text}") from error


def _example(id: str, data: Mapping[str, Any]) -> Example:
    _only(id, "example", data)
    return Example(**data)


def _check_params(article: Article) -> None:
    known = article.sample.keys()
    for key, both in _templates(article):
        for template in (both.en, both.fr):
            for name, form in params_of(template):
                if name not in known or form not in {*FORMS, "date"}:
                    raise ArticleError(
                        f"{article.id}.toml: {key} uses {{{name}:{form}}}, "
                        "which [sample] or core.wording does not know."
                    )
    last = article.titles[-1]
    if any(params_of(last.en)) or any(params_of(last.fr)):
        raise ArticleError(f"{article.id}.toml: the last title must need no parameter.")
    groups = {g for m in article.matches for p in m.patterns for g in p.groupindex}
    for name in {*groups, *article.culprits, *article.defaults} - known - {"message"}:
        raise ArticleError(f"{article.id}.toml: [sample] has no “{name}”.")


def _templates(article: Article) -> list[tuple[str, Both]]:
    found = [("title", both) for both in article.titles]
    found += [("meaning", both) for both in article.meaning]
    found += [("step", both) for both in article.steps]
    for cure in article.cures:
        target = Both(cure.target, cure.target)
        found += [("cure", cure.label), ("cure.target", target)]
    return found
