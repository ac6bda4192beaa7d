"""TableMapping and FieldMapping: which entity meets which table, and how."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from integration.choices import (
    ConflictPolicy,
    DeletionPolicy,
    Direction,
    Transformation,
)
from integration.models.connections import Connection
from integration.models.fields import known, text


class TableMappingQuerySet(models.QuerySet["TableMapping"]):
    """Mappings by what may happen to them."""

    def in_order(self) -> "TableMappingQuerySet":
        """Dependencies first (promise 7)."""
        return self.order_by("connection__name", "position", "name")

    def running(self) -> "TableMappingQuerySet":
        """Not paused, on a connection that runs."""
        return self.filter(
            paused_at=None,
            connection__enabled=True,
            connection__paused_at=None,
            connection__engine="ours",
        )


class TableMapping(models.Model):
    """One Business Central entity joined to one Sales table on a connection.

    Filters are lists of ``{"field", "op", "value"}`` judged by ``core.mapping``.
    ``bc_cursor`` and ``sales_cursor`` are where the next read of each side starts; an
    empty one reads everything. ``reviewed_at`` is empty until an administrator accepts
    the plan of the first contact (promise 11). ``pause_told`` is the reason as a key
    (``services.sentences``). The last ``failing_tries`` all failed for
    ``failing_cause``; ``on_trial``: resumed after that, and nothing has passed yet.
    """

    connection = models.ForeignKey(Connection, models.CASCADE, related_name="mappings")
    name = models.CharField(_("name"), max_length=50)
    entity = models.CharField(_("Business Central entity"), max_length=60)
    table = models.CharField(_("Sales table"), max_length=60)
    direction = models.CharField(_("direction"), max_length=20, choices=Direction)
    bc_filter = models.JSONField(default=list, blank=True)
    sales_filter = models.JSONField(default=list, blank=True)
    only_coupled = models.BooleanField(_("only coupled records"), default=False)
    update_conflict = models.CharField(
        _("changed on both sides"),
        max_length=20,
        choices=ConflictPolicy,
        default=ConflictPolicy.NONE,
    )
    deletion_conflict = models.CharField(
        _("deleted on one side"),
        max_length=20,
        choices=DeletionPolicy,
        default=DeletionPolicy.NONE,
    )
    position = models.PositiveIntegerField(default=0)
    depends_on = models.ManyToManyField(
        "self", symmetrical=False, blank=True, related_name="needed_by"
    )
    interval_seconds = models.PositiveIntegerField(
        _("runs every (seconds)"), default=300
    )
    paused_at = models.DateTimeField(null=True, blank=True)
    pause_reason = models.TextField(blank=True, default="")
    pause_told = models.JSONField(null=True, blank=True)
    failing_cause = text(64)
    failing_tries = models.PositiveIntegerField(default=0)
    on_trial = models.BooleanField(default=False)
    next_run_at = models.DateTimeField(null=True, blank=True, db_index=True)
    bc_cursor = models.TextField(blank=True, default="")
    sales_cursor = models.TextField(blank=True, default="")
    scanned_at = models.DateTimeField(null=True, blank=True)
    reviewed_at = models.DateTimeField(null=True, blank=True)

    objects = TableMappingQuerySet.as_manager()

    class Meta:
        ordering = ["position", "name"]
        constraints = [
            models.UniqueConstraint(
                fields=["connection", "name"],
                name="a_mapping_name_is_unique_on_its_connection",
            ),
            known("direction", Direction, "a_mapping_has_a_known_direction"),
            models.CheckConstraint(
                condition=Q(interval_seconds__gte=10),
                name="a_mapping_rests_ten_seconds_between_runs",
            ),
            known(
                "update_conflict",
                ConflictPolicy,
                "a_mapping_answers_conflicts_in_a_known_way",
            ),
            known(
                "deletion_conflict",
                DeletionPolicy,
                "a_mapping_answers_deletions_in_a_known_way",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class FieldMapping(models.Model):
    """One field joined to one column.

    A blank ``bc_field`` with a ``constant`` writes the constant to ``sales_field`` (or
    the other way round). ``match_priority`` 0 takes no part in matching; equal numbers
    match together, smaller ones first. ``lookup`` names the mapping whose couplings
    translate the value.
    """

    mapping = models.ForeignKey(TableMapping, models.CASCADE, related_name="fields")
    bc_field = text(60)
    sales_field = text(60)
    direction = models.CharField(max_length=20, choices=Direction)
    constant = models.JSONField(null=True, blank=True)
    default = models.JSONField(null=True, blank=True)
    transformation = models.CharField(
        max_length=20, choices=Transformation, default=Transformation.NONE
    )
    lookup = text(50)
    match_priority = models.PositiveSmallIntegerField(default=0)
    position = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["position", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["mapping", "bc_field", "sales_field"],
                name="a_field_pair_is_mapped_once",
            ),
            models.CheckConstraint(
                condition=~Q(bc_field="") | ~Q(sales_field=""),
                name="a_field_mapping_names_a_field",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.bc_field} – {self.sales_field}"
