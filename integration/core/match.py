"""Which records of the two sides are the same one (promise 11)."""

import re
import unicodedata
from collections.abc import Sequence

from integration.core.mapping import FieldMap, TableMap
from integration.core.snapshots import Snapshot
from integration.core.values import ValueKind

MatchKey = tuple[int, int, str]
"""Tier, rule and key. Tier 0 is asked first; the rules of tier 1 are alternatives."""

_BLANKS = re.compile(r"\s+")
_NAMES = frozenset({"displayName", "name", "currencyname"})


def normalized_name(text: str) -> str:
    """NFKD without marks, case-folded, ``&`` as ``and``, only letters and digits.

    Legal forms stay: *Bauer AG* and *Bauer GmbH* are two companies.
    """
    bare = text if text.isascii() else _without_marks(text)
    # From capitals: the dotless i of Turkish has no other way to meet its own.
    folded = bare.upper().casefold().replace("&", "and")
    return "".join(filter(str.isalnum, folded))


def _without_marks(text: str) -> str:
    return "".join(
        sign
        for sign in unicodedata.normalize("NFKD", text)
        if not unicodedata.category(sign).startswith("M")
    )


def plain(text: str) -> str:
    """Post codes and e-mails: case-folded without blanks."""
    return _BLANKS.sub("", text).casefold()


def match_keys(table: TableMap, record: Snapshot) -> tuple[MatchKey, ...]:
    """The keys by which this record finds its partner.

    Fields of one priority match together; the smallest priority decides alone, the
    others are alternatives. A key whose first field is blank says nothing, a later
    blank one matches another blank.
    """
    keys = []
    for place, (priority, fields) in enumerate(table.matching):
        parts = [_part(mapped, record) for mapped in fields]
        if parts[0]:
            keys.append((min(place, 1), priority, _joined(parts)))
    return tuple(keys)


def _part(mapped: FieldMap, record: Snapshot) -> str:
    text = str(record.values.get(mapped.bc, ""))
    if mapped.bc in _NAMES:
        return normalized_name(text)
    exact = mapped.kind is ValueKind.CODE and mapped.match == 1
    return text if exact else plain(text)


def _joined(parts: Sequence[str]) -> str:
    return "\x1f".join(parts)
