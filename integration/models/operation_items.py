"""OperationItem: one record of a retry, and what became of it."""

from django.db import models
from django.db.models import Q

from integration.choices import Direction, ItemOutcome
from integration.models.connections import Connection
from integration.models.errors import SyncError
from integration.models.fields import known, text
from integration.models.operations import Operation
from integration.models.problems import Problem


class OperationItem(models.Model):
    """One error that an operation was asked to try again.

    It outlives the error: keys and ``label`` are copied, and the database does not hold
    it to rows that clean-ups remove. ``problem`` is why it failed again; ``told`` says
    why it was not tried (``services.sentences``), ``held_by`` which other retry had it.
    """

    operation = models.ForeignKey(
        Operation, models.CASCADE, related_name="items", db_index=False
    )
    error = models.ForeignKey(
        SyncError,
        models.DO_NOTHING,
        null=True,
        related_name="+",
        db_constraint=False,
        db_index=False,
    )
    connection = models.ForeignKey(
        Connection,
        models.DO_NOTHING,
        null=True,
        related_name="+",
        db_constraint=False,
        db_index=False,
    )
    mapping_key = text(50)
    direction = text(20, choices=Direction)
    record_key = text(36)
    label = text(400)
    outcome = models.CharField(
        max_length=20, choices=ItemOutcome, default=ItemOutcome.CHOSEN
    )
    problem = models.ForeignKey(
        Problem,
        models.DO_NOTHING,
        null=True,
        related_name="+",
        db_constraint=False,
        db_index=False,
    )
    told = models.JSONField(null=True, blank=True)
    held_by = models.ForeignKey(
        Operation, models.SET_NULL, null=True, related_name="+", db_index=False
    )

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["operation", "error"],
                name="an_error_is_one_item_of_an_operation",
            ),
            models.UniqueConstraint(
                fields=["error"],
                condition=Q(outcome="pending"),
                name="an_error_is_held_by_one_retry",
            ),
            known("outcome", ItemOutcome, "an_item_has_a_known_outcome"),
        ]
        indexes = [
            models.Index(fields=["operation", "outcome", "id"], name="item_by_outcome"),
            models.Index(fields=["operation", "record_key"], name="item_by_record"),
            models.Index(fields=["error"], name="item_of_error"),
        ]

    def __str__(self) -> str:
        return f"{self.outcome} {self.label}"
