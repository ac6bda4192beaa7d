"""Operation: a person's, or the schedule's, act on rows. It is the audit."""

from functools import cache

from django.conf import settings
from django.db import models
from django.db.models import Q

from integration.choices import OperationKind, OperationState
from integration.models.connections import Connection
from integration.models.cuts import Cut
from integration.models.fields import known, text
from integration.models.statements import Statement


class OperationQuerySet(models.QuerySet["Operation"]):
    """Operations by what they do to lists."""

    def hiding(self) -> "OperationQuerySet":
        """Clean-ups whose rows are out of sight and not yet removed."""
        return self.filter(
            kind=OperationKind.DELETE,
            state__in=[OperationState.IN_FORCE, OperationState.PURGING],
        )

    def unfinished_retries(self) -> "OperationQuerySet":
        """Asked for and not over; a cancelled one until its last record has ended."""
        return self.filter(kind=OperationKind.RETRY, finished_at=None).exclude(
            state=OperationState.PREPARED
        )

    def prepared(self) -> "OperationQuerySet":
        """Those on many that were shown and not asked for yet."""
        return self.filter(finished_at=None, state=OperationState.PREPARED)

    def unfinished_handling(self) -> "OperationQuerySet":
        """Many that are being ignored or resolved."""
        kinds = [OperationKind.IGNORE, OperationKind.RESOLVE]
        return self.filter(
            kind__in=kinds, finished_at=None, state=OperationState.RUNNING
        )

    def cuts(self) -> list[Cut]:
        """Every cut in force, oldest first; one query."""
        return [Cut(*row) for row in cuts_statement().rows()]


@cache
def cuts_statement() -> Statement:
    """Of ``cuts``, to be asked together with others."""
    rows = Operation.objects.hiding().filter(
        cutoff__isnull=False, instant__isnull=False
    )
    columns = ("id", "instant", "cutoff", "include_relevant", "filter")
    return Statement.of(rows.values_list(*columns).order_by("id"))


class Operation(models.Model):
    """Who did what to which rows, why, and how it ended; never changed by hand.

    ``instant`` is T, the moment a clean-up's preview was made; ``cutoff`` the last
    ``last_seen`` it takes. ``filter`` holds only columns that never change (design §7).
    ``scope`` and ``result`` are values that pages put into words; ``why`` in ``scope``
    is the reason as a key, where the words are ours. ``problem`` is set where the act
    was on a cause as a whole: its operations are its history.
    """

    kind = models.CharField(max_length=20, choices=OperationKind)
    state = models.CharField(
        max_length=20, choices=OperationState, default=OperationState.DONE
    )
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="operations",
    )
    by_name = models.CharField(max_length=150)
    reason = models.CharField(max_length=500)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)
    key = models.CharField(max_length=64, unique=True)
    instant = models.DateTimeField(null=True, blank=True)
    cutoff = models.DateTimeField(null=True, blank=True)
    include_relevant = models.BooleanField(default=False)
    filter = models.JSONField(default=dict, blank=True)
    scope = models.JSONField(default=dict, blank=True)
    result = models.JSONField(default=dict, blank=True)
    rows = models.PositiveBigIntegerField(default=0)
    undo_until = models.DateTimeField(null=True, blank=True)
    undone_at = models.DateTimeField(null=True, blank=True)
    undone_by_name = text(150)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    problem = models.ForeignKey(
        "integration.Problem",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="operations",
    )

    objects = OperationQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            known("kind", OperationKind, "an_operation_is_of_a_known_kind"),
            known("state", OperationState, "an_operation_is_in_a_known_state"),
            models.CheckConstraint(
                condition=~Q(by_name=""), name="an_operation_says_who"
            ),
            models.CheckConstraint(
                condition=~Q(reason=""), name="an_operation_says_why"
            ),
            models.CheckConstraint(
                condition=Q(undone_at=None) | ~Q(undone_by_name=""),
                name="an_undo_says_who",
            ),
        ]
        indexes = [
            models.Index(fields=["created_at"], name="operation_by_time"),
            models.Index(fields=["kind", "state", "id"], name="operation_of_a_kind"),
            models.Index(
                fields=["undo_until"],
                condition=Q(state__in=["in_force", "purging"]),
                name="operation_cuts",
            ),
            models.Index(
                fields=["id"],
                condition=Q(finished_at=None),
                name="operation_unfinished",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.pk}"


class PreviewInstant(models.Model):
    """The latest instant a preview was made at: one row.

    A clock that steps back must not stamp anything at or before it.
    """

    instant = models.DateTimeField()

    def __str__(self) -> str:
        return self.instant.isoformat()


class Total(models.Model):
    """Errors by what chips and problems count; ``state`` is the list's chip.

    Its keys are those of errors, where the database checks them. Checked again for
    each count, they were half of what a click on a clean-up waited for: a year has
    some ten thousand cells.
    """

    connection = models.ForeignKey(
        Connection,
        models.CASCADE,
        related_name="+",
        db_index=False,
        db_constraint=False,
    )
    mapping_key = text(50)
    direction = text(20)
    state = models.CharField(max_length=20)
    problem = models.ForeignKey(
        "integration.Problem",
        models.CASCADE,
        related_name="+",
        db_index=False,
        db_constraint=False,
    )
    n = models.BigIntegerField()

    class Meta:
        abstract = True


class Cell(Total):
    """The same, of one day of ``last_seen`` (UTC)."""

    day = models.DateField()

    class Meta:
        abstract = True


class ErrorTotal(Total):
    """What is visible, over all days: chips add up a few rows."""

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["problem", "connection", "mapping_key", "direction", "state"],
                name="an_error_total_is_counted_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.state} {self.n}"


class ErrorCell(Cell):
    """What is visible, by day."""

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=[
                    "problem",
                    "day",
                    "connection",
                    "mapping_key",
                    "direction",
                    "state",
                ],
                name="an_error_cell_is_counted_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.state} {self.n}"


class OperationCell(Cell):
    """What a clean-up hid."""

    operation = models.ForeignKey(
        Operation,
        models.CASCADE,
        related_name="cells",
        db_index=False,
        db_constraint=False,
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=[
                    "operation",
                    "problem",
                    "day",
                    "connection",
                    "mapping_key",
                    "direction",
                    "state",
                ],
                name="an_operation_cell_is_counted_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.operation_id} {self.day} {self.state} {self.n}"
