"""An error's own words without what the records hold of persons."""

from integration.connectors.redaction import redacted
from integration.core.concealing import without_values
from integration.models import SyncError

SIDES = ("business_central", "sales", "last")


def impersonal(error: SyncError, text: str) -> str:
    """Without the names and values of both records, as they are and as recorded.

    A message repeats a value without the secrets in it, which were taken out of it.
    """
    values = error.values or {}
    held = [dict(values.get(side) or {}) for side in SIDES]
    recorded = [
        {field: redacted(str(value)) for field, value in side.items()} for side in held
    ]
    others = [one["name"] for one in values.get("others") or ()]
    names = (error.bc_name, error.sales_name, *others)
    return without_values(text, [*held, *recorded], names)
