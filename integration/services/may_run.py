"""Whether a mapping may run now, and why not: asked by runs and by retries."""

from functools import cache

from django.utils.translation import gettext_noop

from integration.choices import JobKind
from integration.models import Connection, TableMapping
from integration.models.statements import Slots, Statement
from integration.services.sentences import InWords, Key, Told, sentence

_PAUSED = gettext_noop("{mapping} is paused: {reason}")
_BY_HAND = gettext_noop("it was paused by hand")


class Paused(InWords):
    """Somebody paused the mapping while it ran; nothing more is tried."""


def why_not(mapping: TableMapping, kind: str = JobKind.SYNC) -> Told | None:
    """The sentence that refuses a run; ``None``: it may run."""
    connection = mapping.connection
    if not connection.enabled:
        text = gettext_noop("The connection “{name}” is not enabled.")
        return sentence(text, name=str(connection))
    if connection.paused_at:
        return sentence(
            gettext_noop("The connection “{name}” is paused: {reason}"),
            name=str(connection),
            reason=pause_reason_of(connection),
        )
    if mapping.paused_at:
        return sentence(_PAUSED, mapping=str(mapping), reason=pause_reason_of(mapping))
    if kind == JobKind.SYNC and mapping.reviewed_at is None:
        return sentence(
            gettext_noop(
                "{mapping} has not been accepted yet: look at its review and accept it."
            ),
            mapping=str(mapping),
        )
    return None


def refuse_paused(mapping: TableMapping) -> None:
    """Raises ``Paused`` when somebody has paused it since its run began; one query."""
    if not _paused().raw(mapping.pk):
        return
    now = TableMapping.objects.only("name", "paused_at", "pause_reason", "pause_told")
    paused = now.filter(pk=mapping.pk, paused_at__isnull=False).first()
    if paused:
        raise Paused(_PAUSED, mapping=str(paused), reason=pause_reason_of(paused))


@cache
def _paused() -> Statement:
    """Asked after every chunk."""
    rows = TableMapping.objects.filter(pk=Slots.KEY, paused_at__isnull=False)
    return Statement.of(rows.order_by().values_list("pk"), slots=(Slots.KEY,))


def pause_reason_of(one: Connection | TableMapping) -> str | Key:
    """A person's own words, or a sentence to be told."""
    if isinstance(one, TableMapping):
        return one.pause_told or one.pause_reason or sentence(_BY_HAND).key
    article, reason = one.pause_article, one.pause_reason
    if article and article != "unknown":
        return {"article": article, "params": one.pause_params, "title": reason}
    return reason or sentence(_BY_HAND).key
