"""From an outcome to the columns of its error row."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from integration.choices import Origin
from integration.core.causes import Cause
from integration.core.failures import Failure
from integration.core.outcomes import Finding, Outcome, RecordRef
from integration.core.texts import bounded, cleaned, storable
from integration.models import SyncError
from integration.models.errors import RECORD_COLUMNS
from integration.models.folding import searchable
from integration.services.articles import title_of

_MESSAGE_BYTES = 64 * 1024
_PAYLOAD_BYTES = 16 * 1024
_SEARCHED_CHARACTERS = 8_192
COPIED = (
    *("origin", "remote_number", *RECORD_COLUMNS, "code", "http_status", "message"),
    *("field", "call_stack", "request_id", "values", "waits_for", "job_id"),
    "search_text",
)
"""The columns that the latest attempt writes over."""


@dataclass(frozen=True, slots=True)
class Failing:
    """One failing record, or set-up, ready to be recorded."""

    mapping_key: str
    direction: str
    record_key: str
    cause: Cause
    columns: Mapping[str, Any] = field(default_factory=dict)
    request: str = ""
    response: str = ""

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What makes the row unique on its connection."""
        record = (self.mapping_key, self.direction, self.record_key)
        return (*record, self.cause.fingerprint)

    @property
    def numbers(self) -> set[str]:
        """How other records name this one when they wait for it."""
        both = (self.columns.get("bc_number"), self.columns.get("sales_number"))
        return {number for number in both if number}


def failing_outcome(
    outcome: Outcome, cause: Cause, mapping_key: str, job_id: int | None
) -> Failing:
    """A record that failed in a job."""
    columns = {
        **record_columns("bc", outcome.bc),
        **record_columns("sales", outcome.sales),
        **_said(outcome.failure, outcome.finding),
        "origin": Origin.ENGINE.value,
        "call_stack": bounded(outcome.call_stack, _MESSAGE_BYTES),
        "values": storable(outcome.values),
        "waits_for": _short(outcome.waits_for.partition(":")[2], 100),
        "job_id": job_id,
    }
    key = (mapping_key, str(outcome.direction), outcome.record_key[:36])
    return _failing(key, cause, columns, outcome.failure)


def failing_setup(
    cause: Cause, failure: Failure | None, finding: Finding | None, origin: str
) -> Failing:
    """An error without a record: of a connection's set-up."""
    columns = {**_said(failure, finding), "origin": origin}
    return _failing(("", "", ""), cause, columns, failure)


def failing_copy(row: SyncError, cause: Cause) -> Failing:
    """A row as it stands, under another cause: what it waits for fails differently."""
    columns = {name: getattr(row, name) for name in COPIED}
    columns["search_text"] = search_text_of(columns, cause)
    return Failing(row.mapping_key, row.direction, row.record_key, cause, columns)


def _failing(
    key: tuple[str, str, str],
    cause: Cause,
    columns: dict[str, Any],
    failure: Failure | None,
) -> Failing:
    columns["search_text"] = search_text_of(columns, cause)
    return Failing(
        *key,
        cause=cause,
        columns=columns,
        request=bounded(failure.request, _PAYLOAD_BYTES) if failure else "",
        response=bounded(failure.response, _PAYLOAD_BYTES) if failure else "",
    )


def record_columns(side: str, record: RecordRef) -> dict[str, Any]:
    """What a row says of its record of one side, "bc" or "sales"."""
    return {
        f"{side}_id": record.id[:36],
        f"{side}_number": _short(record.number, 100),
        f"{side}_name": _short(record.name, 250),
        f"{side}_presence": str(record.presence),
        f"{side}_deleted_at": record.deleted_at,
    }


def _said(failure: Failure | None, finding: Finding | None) -> dict[str, Any]:
    said = failure or finding
    return {
        "code": _short(failure.code, 100) if failure else "",
        "http_status": failure.status if failure else 0,
        "request_id": _short(failure.request_id, 100) if failure else "",
        "message": bounded(said.message, _MESSAGE_BYTES) if said else "",
        "field": _short(said.field, 100) if said else "",
    }


def search_text_of(columns: Mapping[str, Any], cause: Cause) -> str:
    """Message, numbers, names and the sentence in both languages (D11)."""
    french = title_of(cause.article, cause.params, "fr", cause.title)
    names = ("bc_number", "bc_name", "sales_number", "sales_name")
    parts = [columns.get(name, "") for name in names]
    parts += [cleaned(cause.title), cleaned(french), columns.get("message", "")]
    text = "\n".join(dict.fromkeys(part for part in parts if part))
    return searchable(text[:_SEARCHED_CHARACTERS])


def also_called(search_text: str, record: RecordRef) -> str:
    """It is found by what its record is called now, too."""
    names = searchable(f"{record.number}\n{record.name}".strip())
    return f"{names}\n{search_text}"[:_SEARCHED_CHARACTERS]


def _short(text: str, characters: int) -> str:
    text = cleaned(text)
    return text if len(text) <= characters else text[: characters - 1] + "…"
