"""From a pasted message to its cause, without knowing which system said it, or when.

People paste what they have: a JSON body, a line of a log, a sentence from a page, with
words that a narrow window has cut, or typed off in small letters.
"""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from integration.core.articles import Catalog, Rule
from integration.core.causes import Cause
from integration.core.classify import classify
from integration.core.failures import Failure, FailureKind
from integration.core.fingerprint import normal_code, normalized
from integration.core.records import System
from integration.core.taught import Taught, best_of

LONGEST = 20_000
"""Characters of a pasted text that are read."""
_CODE = re.compile(
    r"\b(?:AADSTS\d{4,8}|0x8[0-9a-f]{7}|(?:Application|Authentication|Authorization"
    r"|BadRequest|Internal|Request|Unauthorized)_\w{2,60})\b|(?<![\w.])-214\d{7}\b",
    re.I,
)
_STATUS = re.compile(
    r"\b(?:HTTP(?:/\d(?:\.\d)?)?|status(?: code)?)\W{0,3}([45]\d\d)\b", re.I
)
_QUOTED = re.compile(r"^(?:>[ \t]?){1,9}", re.M)
_BREAK = re.compile(r"\r?\n")
FEW_BREAKS = 4
_UNSEEN = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060\ufeff]")
"""What a mail puts into what it quotes: marks of lines, and of where they may break."""


@dataclass(frozen=True, slots=True)
class Pasted:
    """What can be read in a text: what was said, with codes and status beside it."""

    message: str
    codes: tuple[str, ...] = ()
    status: int = 0


def read_pasted(text: str) -> Pasted:
    """The message in a JSON body, else the text itself."""
    text = _without_marks(text)
    said, codes = [], []
    for key, value in _leaves(_json_in(text)):
        if key in {"code", "error_codes"}:
            codes.append(str(value))
        elif key in {"message", "error_description"}:
            said.append(str(value))
    message = said[0] if said else text
    codes += _CODE.findall(text)
    status = _STATUS.search(text)
    known = dict.fromkeys(normal_code(code) for code in codes if code)
    return Pasted(message, tuple(known), int(status[1]) if status else 0)


def explain(
    text: str, catalog: Catalog, taught: Collection[Taught] = ()
) -> tuple[Cause, ...]:
    """The causes it may have; one without an article when nobody knows it.

    Several when both systems could have said it: they differ in their ``system``, or,
    where only a status was given, in their article.
    """
    texts = list(_joinings(_without_marks(text)))
    for book in (catalog, catalog.in_any_case):
        for each in texts:
            if causes := _known(read_pasted(each), book, taught):
                return causes
    return (classify(_reading(read_pasted(text)), Catalog({}, catalog.words)),)


def _known(
    pasted: Pasted, catalog: Catalog, taught: Collection[Taught]
) -> tuple[Cause, ...]:
    """What an article knows of it, built in or taught."""
    message = normalized(pasted.message)
    found: list[tuple[Rule, Failure]] = []
    for failure in _readings(pasted):
        rule = catalog.rule_of(failure, message)
        if rule and rule[0].is_certain:
            found.append((rule, failure))
    if all(rule[1].general for rule, _failure in found) and best_of(taught, message):
        return (classify(_reading(pasted), Catalog({}, catalog.words), taught),)
    if not found:
        return ()
    best = min(rule[0].rank for rule, _failure in found)
    causes = [classify(said, catalog) for rule, said in found if rule[0].rank == best]
    return tuple({cause.fingerprint: cause for cause in causes}.values())


def _without_marks(text: str) -> str:
    return _UNSEEN.sub("", _QUOTED.sub("", text[:LONGEST])).strip()


def _joinings(text: str) -> Iterator[str]:
    """The text as it is, and its lines as one: a break may stand within a word.

    All breaks alike; of few also some within words and others between them.
    """
    yield text
    *lines, last = _BREAK.split(text)
    if not lines:
        return
    yield "".join([*lines, last])
    yield "".join([*(line.rstrip("-=") for line in lines), last])
    if len(lines) <= FEW_BREAKS:
        ends = ((line, f"{line} ", line.rstrip("-=")) for line in lines)
        for joined in product(*(dict.fromkeys(each) for each in ends)):
            yield "".join([*joined, last])


def _readings(pasted: Pasted) -> Iterator[Failure]:
    """The same words as either system would have said them, with each code."""
    for code in pasted.codes or ("",):
        for system in System:
            yield _reading(pasted, code, system)


def _reading(
    pasted: Pasted, code: str = "", system: System = System.BUSINESS_CENTRAL
) -> Failure:
    return Failure(system, FailureKind.REFUSED, code, pasted.message, pasted.status)


def _json_in(text: str) -> Any:
    start, end = text.find("{"), text.rfind("}")
    try:
        return json.loads(text[start : end + 1], strict=False) if start >= 0 else None
    except (ValueError, RecursionError):
        return None


def _leaves(value: Any) -> Iterator[tuple[str, Any]]:
    """Keys with their plain values, outermost first."""
    level = [value]
    while level:
        inner = []
        for one in level:
            if isinstance(one, Mapping):
                for key, held in one.items():
                    if isinstance(held, Mapping):
                        inner.append(held)
                    else:
                        several = held if isinstance(held, list) else [held]
                        yield from ((key, each) for each in several)
        level = inner
