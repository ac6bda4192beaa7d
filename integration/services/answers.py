"""Answers that people gave to conflicts and deletions, as a run carries them out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from integration.core.answers import DeletionRule, Winners
from integration.core.mapping import Snapshot
from integration.core.records import System
from integration.core.values import digest


@dataclass(frozen=True, slots=True)
class Answer:
    """What a person decided about one coupling, for the versions that were shown.

    ``chosen`` names the winner of every differing field, ``rule`` what follows a
    deletion. ``etags`` are the versions shown; ``after`` the digests of what each side
    holds once the answer is written: a run that was torn finds its own work by it.
    """

    operation: int
    chosen: Winners | None = None
    rule: DeletionRule = DeletionRule.NONE
    etags: Mapping[System, str] = field(default_factory=dict)
    after: Mapping[System, str] = field(default_factory=dict)

    def fits(self, side: System, record: Snapshot) -> bool:
        """Whether this is the version that was shown, or what the answer made of it."""
        if record.etag == self.etags.get(side):
            return True
        return digest(record.values) == self.after.get(side)

    def stored(self) -> dict[str, Any]:
        """As ``Operation.scope`` keeps it."""
        return {
            "chosen": dict(self.chosen) if self.chosen is not None else None,
            "rule": self.rule.value,
            "etags": dict(self.etags),
            "after": dict(self.after),
        }


def read_answer(operation: int, stored: Mapping[str, Any]) -> Answer:
    chosen = stored["chosen"]
    return Answer(
        operation=operation,
        chosen={name: System(side) for name, side in chosen.items()}
        if chosen is not None
        else None,
        rule=DeletionRule(stored["rule"]),
        etags={System(side): etag for side, etag in stored["etags"].items()},
        after={System(side): made for side, made in stored["after"].items()},
    )
