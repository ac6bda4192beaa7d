"""What a set-up check found: lines, made now and read later in either language."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from django.utils import translation
from django.utils.translation import gettext_noop

from integration.choices import Category, CheckState, CheckStep
from integration.connectors.errors import (
    ConnectionRefused,
    RemoteError,
    Throttled,
    Transient,
)
from integration.core.failures import Failure
from integration.core.outcomes import Finding
from integration.services.articles import RenderedArticle, cause_of, render
from integration.services.sentences import Told, in_words, of_cause, sentence

logger = logging.getLogger(__name__)

_WORST_FIRST = list(CheckState)
_ARTICLE = RenderedArticle("", "", (), "", "", "", "", "")


@dataclass(frozen=True, slots=True)
class CheckLine:
    """What one question of a check was answered, about both systems or one of them.

    ``failure`` or ``finding`` is what was found, to be recorded as an error; a line
    without either is only said. ``fingerprint`` is that of its cause. ``blocks`` says
    that a connection may not be enabled with it, ``stops`` that nothing at all would
    pass. What is ``reported`` already, by the records it stops, is no error of its own.
    """

    step: CheckStep
    state: CheckState
    told: Told
    system: str = ""
    fingerprint: str = ""
    failure: Failure | None = None
    finding: Finding | None = None
    blocks: bool = False
    stops: bool = False
    reported: bool = False

    @classmethod
    def from_stored(cls, stored: Mapping[str, Any]) -> "CheckLine":
        """What ``stored`` kept of one."""
        return cls(
            CheckStep(stored["step"]),
            CheckState(stored["state"]),
            Told("", stored["told"]),
            fingerprint=stored["fingerprint"],
        )

    def stored(self) -> dict[str, Any]:
        """What is kept of it for the page; JSON."""
        return {
            "step": self.step,
            "state": self.state,
            "told": dict(self.told.key),
            "fingerprint": self.fingerprint,
        }

    @property
    def sentence(self) -> str:
        """In the active language, with its full stop."""
        text = in_words(self.told.key, self.told.english)
        return text if text.endswith((".", "!", "?")) else f"{text}."

    @property
    def is_ours(self) -> bool:
        """Whether we refused ourselves, before anybody was called."""
        return self.blocks and "text" in self.told.key

    @property
    def article(self) -> str:
        """The id of its article, "" where there is none."""
        return str(self.told.key.get("article", ""))

    def rendered(self) -> RenderedArticle:
        """Its article in the active language: what to do, and where."""
        if not self.article:
            return _ARTICLE
        language = translation.get_language() or "en"
        return render(self.article, self.told.key["params"], language)


@dataclass(frozen=True, slots=True)
class CheckRow:
    """One of the twelve questions with everything that answers it."""

    step: CheckStep
    lines: tuple[CheckLine, ...] = field(default=())

    @property
    def state(self) -> CheckState:
        """The worst of its lines; what has none was not reached."""
        states = {line.state for line in self.lines}
        return min(states, key=_WORST_FIRST.index, default=CheckState.UNCHECKED)

    @property
    def worst(self) -> tuple[CheckLine, ...]:
        """The lines that make it what it is, each sentence once."""
        worst = [line for line in self.lines if line.state == self.state]
        return tuple({line.sentence: line for line in reversed(worst)}.values())[::-1]

    @property
    def to_do(self) -> tuple[str, ...]:
        """What to do, in the active language, each step once."""
        steps = (row for line in self.worst for row in line.rendered().steps)
        return tuple(dict.fromkeys("".join(part.text for part in row) for row in steps))


def in_rows(lines: Iterable[CheckLine]) -> tuple[CheckRow, ...]:
    """All twelve, in order; what nobody could look at among them."""
    found: dict[CheckStep, list[CheckLine]] = {step: [] for step in CheckStep}
    for line in lines:
        found[line.step].append(line)
    return tuple(CheckRow(step, tuple(members)) for step, members in found.items())


def passed(step: CheckStep, text: str, /, of: str = "", **values: str) -> CheckLine:
    """All is well; ``text`` is marked by ``gettext_noop``."""
    return CheckLine(step, CheckState.OK, sentence(text, **values), of)


def said(step: CheckStep, text: str, /, **values: str) -> CheckLine:
    """Worth knowing, nothing to record."""
    return CheckLine(step, CheckState.WARN, sentence(text, **values))


def found(
    step: CheckStep,
    finding: Finding,
    *,
    state: CheckState = CheckState.FAIL,
    blocks: bool = False,
    reported: bool = False,
) -> CheckLine:
    """The check itself noticed it."""
    cause = cause_of(None, finding)
    return CheckLine(
        step,
        state,
        of_cause(cause),
        fingerprint=cause.fingerprint,
        finding=finding,
        blocks=blocks,
        reported=reported,
    )


def refused(step: CheckStep, error: RemoteError, of: str = "") -> CheckLine:
    """A system refused; what may pass by itself is not recorded."""
    cause = cause_of(error.failure, None)
    line = CheckLine(
        step,
        CheckState.FAIL,
        of_cause(cause),
        of,
        fingerprint=cause.fingerprint,
        blocks=True,
    )
    if isinstance(error, Throttled | Transient):
        return line
    return replace(
        line, failure=error.failure, stops=isinstance(error, ConnectionRefused)
    )


def attempted(step: CheckStep, lines: Iterator[CheckLine]) -> Iterator[CheckLine]:
    """What a system refuses while we look is the answer to this question.

    A right that is missing is the answer to that of the privileges. A fault of ours is
    one too, so that the other questions and connections are asked.
    """
    try:
        yield from lines
    except RemoteError as error:
        line = refused(step, error)
        of_rights = cause_of(error.failure, None).category == Category.PERMISSION
        yield replace(line, step=CheckStep.PRIVILEGES) if of_rights else line
    except Exception:
        logger.exception("question not answered", extra={"step": str(step)})
        text = gettext_noop(
            "This could not be checked because of a fault in Sync Errors itself; "
            "the log says more."
        )
        yield CheckLine(step, CheckState.FAIL, sentence(text), blocks=True)
