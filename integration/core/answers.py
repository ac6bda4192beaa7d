"""Answers to what two systems cannot agree on: who wins, what follows a deletion.

A mapping answers by its rules (business-central-integration.md §4), a person by naming
the winner of each field.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any

from integration.core.records import System

Winners = Mapping[str, System]
"""By field, the side whose value both get."""


class ConflictRule(StrEnum):
    """What happens when both sides changed."""

    NONE = "none"
    BUSINESS_CENTRAL = "business_central"
    SALES = "sales"
    MERGE = "merge"
    """Each field from the side that changed it."""


class DeletionRule(StrEnum):
    """What happens when one of two coupled records is gone.

    No rule of a mapping deletes the record that is left: only a person may.
    """

    NONE = "none"
    RESTORE = "restore"
    UNCOUPLE = "uncouple"
    DELETE = "delete"


def winners(
    rule: ConflictRule,
    names: Iterable[str],
    base: Mapping[str, Any],
    bc: Mapping[str, Any],
    sales: Mapping[str, Any],
) -> Winners | None:
    """Who wins each of the differing fields ``names``; ``None`` where nobody can say.

    One side wins all of them, as in Business Central. Merged, a field that both changed
    leaves the whole pair in conflict; one without base is judged as at a first meeting.
    """
    if rule is ConflictRule.NONE:
        return None
    if rule is not ConflictRule.MERGE:
        return dict.fromkeys(names, System(rule.value))
    found: dict[str, System] = {}
    for name in names:
        if name not in base:
            first = System.SALES if bc[name] == "" else System.BUSINESS_CENTRAL
            found[name] = first
        elif bc[name] == base[name]:
            found[name] = System.SALES
        elif sales[name] == base[name]:
            found[name] = System.BUSINESS_CENTRAL
        else:
            return None
    return found
