"""Whether a mapping may run now, and why not: asked by runs and by retries."""

from django.utils.translation import gettext_noop

from integration.choices import JobKind
from integration.models import Connection, TableMapping
from integration.services.sentences import Key, Told, sentence


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
        return sentence(
            gettext_noop("{mapping} is paused: {reason}"),
            mapping=str(mapping),
            reason=mapping.pause_told or mapping.pause_reason,
        )
    if kind == JobKind.SYNC and mapping.reviewed_at is None:
        return sentence(
            gettext_noop(
                "{mapping} has not been accepted yet: look at its review and accept it."
            ),
            mapping=str(mapping),
        )
    return None


def pause_reason_of(connection: Connection) -> str | Key:
    """A person's own words, or a sentence to be told."""
    article, reason = connection.pause_article, connection.pause_reason
    if article and article != "unknown":
        return {"article": article, "params": connection.pause_params, "title": reason}
    return reason or sentence(gettext_noop("it was paused by hand")).key
