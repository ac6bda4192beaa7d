"""Articles as values: what a known cause is called, what it means and what cures it.

Where a link of an article leads ("target"; the page layer knows the address, and shows
plain text where there is none):

    bc:record           this error's record in Business Central
    bc:currency:EUR     that currency's card (page 495)
    bc:customer:10000   that customer's card (page 21)
    bc:rates:EUR        the exchange rates of a currency (page 483)
    bc:ledger-setup     General Ledger Setup (page 118)
    bc:job-queue        Job Queue Entries (page 672)
    bc:applications     Microsoft Entra Applications (page 9861)
    bc:number-series    No. Series (page 456)
    sales:record        this error's record in Sales
    sales:currency:EUR  that currency, or the list of currencies when it is not there
    sales:customer:10000  that customer's account
    sales:user          the integration user
    sales:role          its role
    sales:environment   the environment in the Power Platform admin centre
    entra:account       the account that signs in
    entra:app           the app registration that signs in
    page:connection     the connection's page: its check, its secret or password
    page:mapping        the mapping's page: its review, its ambiguous records
"""

import dataclasses
import re
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import attrgetter
from typing import NamedTuple

from integration.core.failures import Failure
from integration.core.fingerprint import normal_code
from integration.core.wording import Words

TARGETS = re.compile(
    r"(?:bc:(?:(?:currency|customer|rates|\{table\}):(?:\{\w+\}|[\w -]+)|record"
    r"|ledger-setup|job-queue|applications|number-series)"
    r"|sales:(?:(?:currency|customer|\{table\}):(?:\{\w+\}|[\w -]+)"
    r"|record|user|role|environment)"
    r"|entra:(?:account|app)|page:(?:connection|mapping))\Z"
)


_CLASS = re.compile(r"\[\^?\]?(?:\\.|[^\]\\])*\]|\\.")
_NEEDED_GROUP = re.compile(r"\((?:\?P<\w+>|\?:)?([^()|?]*)\)(?![?*{])")
_OTHER_GROUP = re.compile(r"\([^()]*\)")
_PERHAPS = re.compile(r".(?:[?*]|\{[^}]*\})")


def longest_text(pattern: str) -> str:
    """The longest text that whatever the (case-sensitive) pattern finds must hold."""
    pattern = _CLASS.sub("\0", pattern)
    while "(" in pattern:
        pattern = _OTHER_GROUP.sub("\0", _NEEDED_GROUP.sub(r"\1", pattern))
    pieces = re.split(r"[\0+.^$]", _PERHAPS.sub("\0", pattern))
    return "" if "|" in pattern else max(pieces, key=len)


def _needed(pattern: re.Pattern[str]) -> str:
    """In small letters for one that finds letters of either case."""
    text = longest_text(pattern.pattern)
    return text.casefold() if pattern.flags & re.IGNORECASE else text


def _longest_word(text: str) -> str:
    """The longest that stands between two blanks of the text, or ""."""
    return max(text.split(" ")[1:-1], key=len, default="")


@dataclass(frozen=True, slots=True)
class Both:
    """One sentence in both languages."""

    en: str
    fr: str

    def in_language(self, language: str) -> str:
        return self.fr if language == "fr" else self.en


@dataclass(frozen=True, slots=True)
class Match:
    """When a failure is an article's cause: whatever is given must hold, all of it.

    ``codes`` are normal codes; one that ends in ``*`` is a beginning. ``fallback``
    rules are asked last: they know the code, but the text may know more.
    """

    systems: frozenset[str] = frozenset()
    kinds: frozenset[str] = frozenset()
    statuses: frozenset[int] = frozenset()
    codes: frozenset[str] = frozenset()
    patterns: tuple[re.Pattern[str], ...] = ()
    params: Mapping[str, str] = dataclasses.field(default_factory=dict)
    fallback: bool = False
    weak: bool = False
    """Gives way to another rule that asks for as much."""

    @property
    def rank(self) -> tuple[bool, int, bool]:
        """Code before text before status, as the error catalogue; fallbacks last."""
        weight = 4 * bool(self.codes) + 2 * bool(self.patterns)
        weight += bool(self.statuses) or bool(self.kinds)
        return self.fallback, -weight, self.weak

    @property
    def is_certain(self) -> bool:
        """Whether what was said decides, not only who said it."""
        return bool(self.codes or self.patterns or self.statuses)

    def fits(self, failure: Failure) -> bool:
        """Everything but the text."""
        return (
            (not self.systems or failure.system in self.systems)
            and (not self.kinds or failure.kind in self.kinds)
            and (not self.statuses or failure.status in self.statuses)
            and (not self.codes or self._has_code(normal_code(failure.code)))
        )

    def in_any_case(self) -> "Match":
        patterns = (
            re.compile(one.pattern, one.flags | re.IGNORECASE) for one in self.patterns
        )
        return dataclasses.replace(self, patterns=tuple(patterns))

    def tests(self) -> Iterable[tuple[str, Callable[[str], object]]]:
        """How a normalized message says it: each after a text that it must hold.

        Most messages do not hold it, which is found out much sooner.
        """
        if not self.patterns:
            return [("", lambda message: True)]
        return [(_needed(each), each.search) for each in self.patterns]

    def named_in(self, message: str) -> Mapping[str, str]:
        """What the message names, by the first pattern that finds it."""
        for pattern in self.patterns:
            if found := pattern.search(message):
                named = {
                    name: value for name, value in found.groupdict().items() if value
                }
                return {**self.params, **named}
        return {}

    def _has_code(self, code: str) -> bool:
        return code in self.codes or any(
            code.startswith(prefix[:-1])
            for prefix in self.codes
            if prefix.endswith("*")
        )


@dataclass(frozen=True, slots=True)
class Cure:
    """What the one filled button says, and where it leads."""

    label: Both
    target: str


@dataclass(frozen=True, slots=True)
class Example:
    """A message of this cause and what is to be read in it; tests hold it to that."""

    message: str
    system: str = ""
    kind: str = "refused"
    code: str = ""
    status: int = 0
    field: str = ""
    params: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Article:
    """A known cause.

    ``titles`` are tried in order until one has all its parameters; the last needs none.
    Of the ``cures`` the first that leads anywhere is offered. ``culprits`` are the
    parameters that make the cause another one ("message": its whole text). ``defaults``
    are values of parameters that nobody gave; they may use others. ``catalog`` are the
    ids of the error catalogue that it covers. A ``general`` article only repeats what a
    system said: it gives way to what somebody taught. ``only_in`` is the one language
    it is written in ("" = both).
    """

    id: str
    category: str
    who: str
    titles: tuple[Both, ...]
    meaning: tuple[Both, ...]
    steps: tuple[Both, ...]
    cures: tuple[Cure, ...] = ()
    matches: tuple[Match, ...] = ()
    culprits: tuple[str, ...] = ()
    defaults: Mapping[str, str] = dataclasses.field(default_factory=dict)
    catalog: tuple[str, ...] = ()
    sample: Mapping[str, str] = dataclasses.field(default_factory=dict)
    examples: tuple[Example, ...] = ()
    general: bool = False
    only_in: str = ""

    def named_in(self, message: str) -> dict[str, str]:
        """Everything its patterns find in a message, whichever of them chose it."""
        named: dict[str, str] = {}
        for match in sorted(self.matches, key=lambda match: match.rank):
            named = {**match.named_in(message), **named}
        return named


Rule = tuple[Match, Article]
REMEMBERED = 1_000


class _Test(NamedTuple):
    """Its place in the order, a text that a message must hold, and the test itself."""

    place: int
    needed: str
    says: Callable[[str], object]
    rule: Rule


class _Tests(NamedTuple):
    """By a word that a message must hold; where there is none, by the whole text."""

    by_word: Mapping[str, Sequence[_Test]]
    by_text: Mapping[str, Sequence[_Test]]


@dataclass(frozen=True)
class Catalog:
    """All articles and the words they use; ``any_case``: letters of either case."""

    articles: Mapping[str, Article]
    words: Words
    any_case: bool = False
    _fitting: dict[Hashable, _Tests] = dataclasses.field(
        default_factory=dict, compare=False, repr=False
    )

    def find(self, id: str) -> Article | None:
        """By its id, or by the id of a row of the error catalogue."""
        return self.articles.get(id) or self._by_row.get(id)

    def rule_of(self, failure: Failure, message: str) -> Rule | None:
        """The first rule that holds, with its article; ``message`` is normalized."""
        tests = self._tests(failure)
        held = message.casefold() if self.any_case else message
        asked = [
            test
            for word in tests.by_word.keys() & held.split(" ")
            for test in tests.by_word[word]
            if test.needed in held
        ]
        for needed, others in tests.by_text.items():
            if needed in held:
                asked += others
        asked.sort(key=attrgetter("place"))
        return next((test.rule for test in asked if test.says(message)), None)

    @cached_property
    def in_any_case(self) -> "Catalog":
        """The same for what a person typed, or a heading shows in capitals."""
        articles = {
            article.id: dataclasses.replace(
                article, matches=tuple(match.in_any_case() for match in article.matches)
            )
            for article in self.articles.values()
        }
        return Catalog(articles, self.words, any_case=True)

    def rules_for(self, failure: Failure) -> tuple[Rule, ...]:
        """The rules that only the text decides, in the order they are asked."""
        return tuple(rule for rule in self._rules if rule[0].fits(failure))

    def _tests(self, failure: Failure) -> _Tests:
        """The texts of these rules.

        Remembered: a run that fails fails ten thousand times with one code.
        """
        key = (failure.system, failure.kind, failure.status, failure.code)
        fitting = self._fitting.get(key)
        if fitting is None:
            if len(self._fitting) >= REMEMBERED:
                self._fitting.clear()
            self._fitting[key] = fitting = self._tests_for(failure)
        return fitting

    def _tests_for(self, failure: Failure) -> _Tests:
        tests = (
            (needed, says, rule)
            for rule in self.rules_for(failure)
            for needed, says in rule[0].tests()
        )
        by_word: dict[str, list[_Test]] = {}
        by_text: dict[str, list[_Test]] = {}
        for place, (needed, says, rule) in enumerate(tests):
            word = _longest_word(needed)
            among, key = (by_word, word) if word else (by_text, needed)
            among.setdefault(key, []).append(_Test(place, needed, says, rule))
        return _Tests(by_word, by_text)

    @cached_property
    def _rules(self) -> tuple[Rule, ...]:
        pairs = [(match, a) for a in self.articles.values() for match in a.matches]
        return tuple(sorted(pairs, key=lambda pair: (*pair[0].rank, pair[1].id)))

    @cached_property
    def _by_row(self) -> Mapping[str, Article]:
        return dict(_rows(self.articles.values()))


def _rows(articles: Iterable[Article]) -> Iterable[tuple[str, Article]]:
    for article in articles:
        for row in article.catalog:
            yield row, article
