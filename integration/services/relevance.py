"""Why an error is still relevant, in the reader's language (design §5)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from integration.choices import Category, ErrorState, Presence


def why_relevant(row: Mapping[str, Any], instant: datetime | None = None) -> str:
    """Why a row of the list is kept by a clean-up with this instant."""
    if instant and row["settled_at"] and row["settled_at"] > instant:
        return _("settled only after this preview was made")
    if row["state"] == ErrorState.IGNORED:
        return _ignored(row["ignored_until"])
    if row["waits_for"]:
        return _("waits for %(what)s") % {"what": row["waits_for"]}
    if not row["record_key"]:
        return _("no check has passed since")
    return _of_record(row)


def _ignored(until: datetime | None) -> str:
    if until is None:
        return _("ignored, not solved")
    day = date_format(localtime(until), "DATE_FORMAT")
    return _("ignored until %(day)s, not solved") % {"day": day}


def _of_record(row: Mapping[str, Any]) -> str:
    presences = (row["bc_presence"], row["sales_presence"])
    if Presence.NO_ACCESS in presences:
        return _("not known: one record may not be read")
    if presences == (Presence.DELETED, Presence.DELETED):
        return _("both look deleted, but that is not confirmed")
    if Presence.DELETED in presences:
        return _("the other record still exists")
    if row["problem__category"] == Category.CONFLICT:
        return _("the two records still differ")
    return _("no success since")
