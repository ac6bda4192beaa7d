"""PendingRecord: what the engine will try again."""

from django.db import models
from django.db.models import Q

from integration.choices import System
from integration.models.dialect import PREFIX_LENGTH, among_ids
from integration.models.fields import known, text
from integration.models.folding import searchable, spelling
from integration.models.mappings import TableMapping


class PendingRecordQuerySet(models.QuerySet["PendingRecord"]):
    """Pending records by what a person looks for."""

    def found_by(self, text: str) -> "PendingRecordQuerySet":
        """As pairs are found, by their labels; few are pending, so none is indexed."""
        rows = self.values_list("pk", "label")
        return self.filter(pk__in=among_ids([k for k, one in rows if _has(one, text)]))


def _has(label: str, text: str) -> bool:
    """Whether it holds the text; number or name begins with it, while it is short."""
    if len(text) >= PREFIX_LENGTH:
        return spelling(text) in searchable(label)
    begins = (label, label.partition(" ")[2])
    return any(one.casefold().startswith(text.casefold()) for one in begins)


class PendingRecord(models.Model):
    """A record whose last try did not end in step, coupled or not.

    Exactly one of three holds: ``next_attempt_at`` is set (tried then), ``waits_for``
    is set (tried when that arrives: "CURRENCY:EUR"), or ``skipped_at`` is set (tried
    when it changes or someone retries it). ``etag`` is the version last tried: the same
    version read again inside the overlap is no change. ``intent`` is what was about to
    be created when the call went out; null once the answer is recorded. What is
    ``wanted`` gets a partner even where the mapping makes none: a deleted one is to be
    restored.
    """

    mapping = models.ForeignKey(TableMapping, models.CASCADE, related_name="pending")
    side = models.CharField(max_length=20, choices=System)
    record_id = models.CharField(max_length=36)
    etag = text(250)
    label = text(250)
    attempts = models.PositiveIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True, blank=True)
    waits_for = text(150)
    failure = text(500)
    code = text(100)
    fingerprint = text(64)
    skipped_at = models.DateTimeField(null=True, blank=True)
    skip_reason = text(500)
    intent = models.JSONField(null=True, blank=True)
    wanted = models.BooleanField(default=False)

    objects = PendingRecordQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["mapping", "side", "record_id"], name="a_record_is_pending_once"
            ),
            known("side", System, "a_pending_record_has_a_side"),
        ]
        indexes = [
            models.Index(
                fields=["mapping", "next_attempt_at"],
                condition=Q(next_attempt_at__isnull=False),
                name="pending_due",
            ),
            models.Index(
                fields=["mapping", "waits_for"],
                condition=~Q(waits_for=""),
                name="pending_waiting",
            ),
        ]

    def __str__(self) -> str:
        return self.label or self.record_id
