"""Which text is too long, where the refusal names a limit but no field.

Business Central says "The length of the string is 118, but it must be less than or
equal to 100 characters": we know what was sent, so we know which field it was.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from integration.core.classify import classify
from integration.core.failures import Failure
from integration.core.outcomes import Outcome
from integration.services.articles import catalog

_ARTICLES = {"bc-text-too-long", "dv-text-too-long"}
_LENGTH = re.compile(r"\d+")


def with_long_field(outcome: Outcome) -> Outcome:
    """The same ending; its failure names the field if only one can be meant."""
    failure, values = outcome.failure, outcome.values
    if failure is None or failure.field or not values:
        return outcome
    cause = classify(failure, catalog())
    limit = cause.params.get("max", "")
    if cause.article not in _ARTICLES or cause.params.get("field") or not limit:
        return outcome
    sent = values.get(outcome.direction.source.value) or {}
    field = _longest(sent, int(limit), failure)
    return outcome._replace(failure=replace(failure, field=field))


def _longest(sent: Mapping[str, Any], limit: int, failure: Failure) -> str:
    """The one field above the limit; of several the one whose length is named."""
    lengths = {
        name: len(value)
        for name, value in sent.items()
        if isinstance(value, str) and len(value) > limit
    }
    named = {int(found) for found in _LENGTH.findall(failure.message)}
    exact = [name for name, length in lengths.items() if length in named]
    for found in (exact, list(lengths)):
        if len(found) == 1:
            return found[0]
    return ""
