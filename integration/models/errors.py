"""SyncError: a failing record and its cause, one row for its whole life."""

from django.db import models
from django.db.models import F, Q

from integration.choices import Direction, ErrorState, Origin, Presence, SettledReason
from integration.models.connections import Connection
from integration.models.jobs import Job
from integration.models.operations import Operation
from integration.models.problems import Problem

__all__ = ["ErrorPayload", "SyncError"]


class SyncError(models.Model):
    """One row per connection, mapping, direction, record and cause, in any state.

    ``record_key`` is the source record's id ("" for an error without a record).
    ``waits_for`` names what the record waits for, ready to read ("EUR"); "" = nothing.
    ``settled_at`` is set exactly when ``state`` is resolved. ``spared`` keeps a row that
    was settled below a cut in the partial index (clean-up design). ``deleted_by`` is the
    operation that took the row as one of a selection.
    """

    connection = models.ForeignKey(Connection, models.CASCADE, related_name="errors")
    mapping_key = models.CharField(max_length=50, blank=True, default="")
    direction = models.CharField(
        max_length=20, choices=Direction, blank=True, default=""
    )
    record_key = models.CharField(max_length=36, blank=True, default="")
    fingerprint = models.CharField(max_length=64)
    origin = models.CharField(max_length=20, choices=Origin, default=Origin.ENGINE)
    remote_number = models.CharField(max_length=50, blank=True, default="")
    bc_id = models.CharField(max_length=36, blank=True, default="")
    bc_number = models.CharField(max_length=100, blank=True, default="")
    bc_name = models.CharField(max_length=250, blank=True, default="")
    bc_presence = models.CharField(
        max_length=20, choices=Presence, default=Presence.NONE
    )
    bc_deleted_at = models.DateTimeField(null=True, blank=True)
    sales_id = models.CharField(max_length=36, blank=True, default="")
    sales_number = models.CharField(max_length=100, blank=True, default="")
    sales_name = models.CharField(max_length=250, blank=True, default="")
    sales_presence = models.CharField(
        max_length=20, choices=Presence, default=Presence.NONE
    )
    sales_deleted_at = models.DateTimeField(null=True, blank=True)
    code = models.CharField(max_length=100, blank=True, default="")
    http_status = models.PositiveSmallIntegerField(default=0)
    message = models.TextField(blank=True, default="")
    field = models.CharField(max_length=100, blank=True, default="")
    call_stack = models.TextField(blank=True, default="")
    request_id = models.CharField(max_length=100, blank=True, default="")
    values = models.JSONField(null=True, blank=True)
    occurrences = models.PositiveIntegerField(default=1)
    first_seen = models.DateTimeField()
    last_seen = models.DateTimeField()
    state = models.CharField(max_length=20, choices=ErrorState, default=ErrorState.OPEN)
    settled_at = models.DateTimeField(null=True, blank=True)
    settled_reason = models.CharField(
        max_length=20, choices=SettledReason, blank=True, default=""
    )
    reopened_at = models.DateTimeField(null=True, blank=True)
    ignored_until = models.DateTimeField(null=True, blank=True)
    waits_for = models.CharField(max_length=100, blank=True, default="")
    spared = models.BooleanField(default=False)
    deleted_by = models.ForeignKey(
        Operation,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="selected_errors",
    )
    problem = models.ForeignKey(Problem, models.CASCADE, related_name="errors")
    job = models.ForeignKey(
        Job, models.SET_NULL, null=True, blank=True, related_name="errors"
    )
    search_text = models.TextField(blank=True, default="")

    class Meta:
        ordering = ["-last_seen", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=[
                    "connection",
                    "mapping_key",
                    "direction",
                    "record_key",
                    "fingerprint",
                ],
                name="a_record_and_its_cause_are_one_error",
            ),
            models.CheckConstraint(
                condition=Q(state__in=ErrorState.values),
                name="an_error_is_open_ignored_or_resolved",
            ),
            models.CheckConstraint(
                condition=(
                    Q(state="resolved", settled_at__isnull=False)
                    & ~Q(settled_reason="")
                )
                | (
                    ~Q(state="resolved") & Q(settled_at__isnull=True, settled_reason="")
                ),
                name="an_error_is_resolved_exactly_when_settled",
            ),
            models.CheckConstraint(
                condition=Q(last_seen__gte=F("first_seen")),
                name="an_error_is_last_seen_after_it_was_first_seen",
            ),
            models.CheckConstraint(
                condition=Q(occurrences__gte=1), name="an_error_occurred_at_least_once"
            ),
        ]
        indexes = [
            models.Index(
                F("last_seen").desc(), F("id").desc(), name="error_newest_first"
            ),
            models.Index(
                F("last_seen").desc(),
                F("id").desc(),
                condition=Q(settled_at__isnull=True) | Q(spared=True),
                name="error_below_a_cut",
            ),
            models.Index(
                fields=["first_seen", "id", "last_seen", "settled_at"],
                name="error_by_first_seen",
            ),
            models.Index(
                fields=["occurrences", "id", "last_seen", "settled_at"],
                name="error_by_occurrences",
            ),
            models.Index(
                fields=["bc_number", "id", "last_seen", "settled_at"],
                name="error_by_record",
            ),
            models.Index(fields=["record_key", "last_seen"], name="error_of_record"),
            models.Index(fields=["problem", "last_seen"], name="error_of_problem"),
            models.Index(fields=["job", "last_seen"], name="error_of_job"),
        ]

    def __str__(self) -> str:
        return f"{self.bc_number or self.sales_number} {self.message[:60]}".strip()


class ErrorPayload(models.Model):
    """Request and answer of the first or the latest attempt, redacted when recorded."""

    error = models.ForeignKey(SyncError, models.CASCADE, related_name="payloads")
    latest = models.BooleanField()
    request = models.TextField(blank=True, default="")
    response = models.TextField(blank=True, default="")
    recorded_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["error", "latest"], name="an_error_keeps_two_payloads_at_most"
            )
        ]

    def __str__(self) -> str:
        return "latest" if self.latest else "first"
