"""One line of a set-up check, and how it is made from what was found."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from django.utils import translation

from integration.connectors.errors import (
    ConnectionRefused,
    RemoteError,
    Throttled,
    Transient,
)
from integration.core.causes import Cause
from integration.core.failures import Failure
from integration.core.outcomes import Finding
from integration.services.articles import cause_of, render, title_of
from integration.services.sentences import Told, of_cause

OK, WARN, FAIL = "ok", "warn", "fail"


@dataclass(frozen=True, slots=True)
class CheckLine:
    """What one question of a check was answered, in the active language.

    ``state`` is ok, warn or fail. ``failure`` or ``finding`` is what was found, to be
    recorded as an error; a line without either is only said. ``blocks`` says that a
    connection may not be enabled with it, ``stops`` that nothing at all would pass.
    ``told`` is the sentence as it is stored, of what a system refused.
    """

    step: str
    state: str
    sentence: str
    article: str = ""
    params: Mapping[str, str] = field(default_factory=dict)
    to_do: tuple[str, ...] = ()
    failure: Failure | None = None
    finding: Finding | None = None
    blocks: bool = False
    stops: bool = False
    told: Told | None = None


def passed(step: str, sentence: str) -> CheckLine:
    """All is well."""
    return CheckLine(step, OK, sentence)


def said(step: str, sentence: str) -> CheckLine:
    """Worth knowing, nothing to record."""
    return CheckLine(step, WARN, sentence)


def found(
    step: str, finding: Finding, *, state: str = FAIL, blocks: bool = False
) -> CheckLine:
    """The check itself noticed it."""
    line = _told(step, cause_of(None, finding))
    return replace(line, state=state, finding=finding, blocks=blocks)


def refused(step: str, error: RemoteError) -> CheckLine:
    """A system refused; what may pass by itself is not recorded."""
    line = replace(_told(step, cause_of(error.failure, None)), blocks=True)
    if isinstance(error, Throttled | Transient):
        return line
    return replace(
        line, failure=error.failure, stops=isinstance(error, ConnectionRefused)
    )


def _told(step: str, cause: Cause) -> CheckLine:
    language = translation.get_language() or "en"
    article = render(cause.article, cause.params, language, title=cause.title)
    steps = ("".join(part.text for part in row) for row in article.steps)
    return CheckLine(
        step=step,
        state=FAIL,
        sentence=title_of(cause.article, cause.params, language, cause.title),
        article=cause.article,
        params=cause.params,
        to_do=tuple(steps) if cause.article else (),
        told=of_cause(cause),
    )
