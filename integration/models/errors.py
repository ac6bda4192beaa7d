"""SyncError: a failing record and its cause, one row for its whole life."""

from collections.abc import Sequence

from django.db import models
from django.db.models import Case, F, Q, Value, When
from django.db.models.functions import Concat, Trim, Upper
from django.utils.translation import gettext_lazy as _

from integration.choices import (
    Chip,
    Direction,
    ErrorState,
    Origin,
    Presence,
    SettledReason,
)
from integration.models.connections import Connection
from integration.models.cuts import Cut, visible_q
from integration.models.fields import known, text
from integration.models.jobs import Job
from integration.models.mappings import TableMapping
from integration.models.operations import Operation
from integration.models.problems import Problem

RELEVANT_CHIPS = (Chip.OPEN, Chip.WAITING, Chip.IGNORED)
RECORD_COLUMNS = tuple(
    f"{side}_{name}"
    for side in ("bc", "sales")
    for name in ("id", "number", "name", "presence", "deleted_at")
)
"""What is known of both records."""
LIST_COLUMNS = (
    *("id", "connection_id", "mapping_key", "direction", "record_key"),
    *RECORD_COLUMNS,
    *("record_label", "field", "occurrences", "first_seen", "last_seen", "state"),
    *("chip", "settled_at", "settled_reason", "reopened_at", "ignored_until"),
    *("waits_for", "problem_id"),
)
"""What a row of the list shows; nothing long is read for it, nothing joined (D10).

A join would let SQLite begin with the other table and sort what an index has in order.
"""


class SyncErrorQuerySet(models.QuerySet["SyncError"]):
    """Errors by what a list shows of them."""

    def visible(self, cuts: Sequence[Cut]) -> "SyncErrorQuerySet":
        """What none of ``Operation.objects.cuts()`` hides."""
        return self.filter(visible_q(cuts))

    def in_chip(self, *chips: str) -> "SyncErrorQuerySet":
        """Under one of the list's chips."""
        if len(chips) == 1:
            return self.filter(chip=chips[0])
        return self.filter(chip__in=chips)

    def relevant(self) -> "SyncErrorQuerySet":
        """The opposite of settled (design §5)."""
        return self.filter(settled_at__isnull=True)

    def of_mapping(self, mapping: TableMapping) -> "SyncErrorQuerySet":
        """Of its records; what a mapping leaves behind keeps its name."""
        return self.filter(connection=mapping.connection_id, mapping_key=mapping.name)


SOURCE_RECORD = Trim(
    Case(
        When(
            direction=Direction.TO_BUSINESS_CENTRAL,
            then=Concat("sales_number", Value(" "), "sales_name"),
        ),
        default=Concat("bc_number", Value(" "), "bc_name"),
    )
)
NUMBER_AND_NAME = Upper(SOURCE_RECORD)
NAME = Upper(
    Case(
        When(direction=Direction.TO_BUSINESS_CENTRAL, then=F("sales_name")),
        default=F("bc_name"),
    )
)
NEWEST_FIRST = (F("last_seen").desc(), F("id").desc())
SIGHT = ("deleted_by", "settled_at")
"""What decides, with last seen, whether a clean-up hides a row."""
CHIP = Case(
    When(state=ErrorState.OPEN, waits_for="", then=Value(Chip.OPEN.value)),
    When(state=ErrorState.OPEN, then=Value(Chip.WAITING.value)),
    default=F("state"),
)


class SyncError(models.Model):
    """One row per connection, mapping, direction, record and cause, in any state.

    ``record_key`` is the source record's id ("" for an error without a record).
    ``waits_for`` names what the record waits for, ready to read ("EUR"); "" = nothing.
    ``settled_at`` is set exactly when ``state`` is resolved. ``spared`` keeps a row
    that was settled below a cut in the partial index (clean-up design). ``deleted_by``
    is the operation that took the row as one of a selection, ``handled_by`` the one by
    which a person ignored, opened or resolved it, as long as it stays so.
    ``ignored_until`` of an ignored row is empty when it is ignored until its cause
    grows. The database itself derives ``chip``, under which the list shows the row, and
    ``record_label`` and ``record_name``, the source record in capitals to sort and look
    up by.
    ``payload_days``: after how many days of being settled its requests, answers and
    call stack were removed; 0: it had none; empty: not yet.
    """

    connection = models.ForeignKey(
        Connection,
        models.CASCADE,
        related_name="errors",
        db_index=False,
        verbose_name=_("connection"),
    )
    mapping_key = text(50, _("mapping"))
    direction = text(20, _("direction"), choices=Direction)
    record_key = text(36, _("record id"))
    fingerprint = models.CharField(_("fingerprint of the cause"), max_length=64)
    origin = models.CharField(
        _("noticed by"), max_length=20, choices=Origin, default=Origin.ENGINE
    )
    remote_number = text(50, _("number in the other engine"))
    bc_id = text(36, _("id in Business Central"))
    bc_number = text(100, _("number in Business Central"))
    bc_name = text(250, _("name in Business Central"))
    bc_presence = models.CharField(
        _("presence in Business Central"),
        max_length=20,
        choices=Presence,
        default=Presence.NONE,
    )
    bc_deleted_at = models.DateTimeField(
        _("deleted in Business Central"), null=True, blank=True
    )
    sales_id = text(36, _("id in Sales"))
    sales_number = text(100, _("number in Sales"))
    sales_name = text(250, _("name in Sales"))
    sales_presence = models.CharField(
        _("presence in Sales"), max_length=20, choices=Presence, default=Presence.NONE
    )
    sales_deleted_at = models.DateTimeField(
        _("deleted in Sales"), null=True, blank=True
    )
    code = text(100, _("code"))
    http_status = models.PositiveSmallIntegerField(_("HTTP status"), default=0)
    message = models.TextField(_("message"), blank=True, default="")
    field = text(100, _("field"))
    call_stack = models.TextField(_("call stack"), blank=True, default="")
    request_id = text(100, _("request id"))
    values = models.JSONField(_("values"), null=True, blank=True)
    occurrences = models.PositiveIntegerField(_("occurrences"), default=1)
    first_seen = models.DateTimeField(_("first seen"))
    last_seen = models.DateTimeField(_("last seen"))
    state = models.CharField(
        _("state"), max_length=20, choices=ErrorState, default=ErrorState.OPEN
    )
    settled_at = models.DateTimeField(_("settled"), null=True, blank=True)
    settled_reason = text(20, _("settled because"), choices=SettledReason)
    reopened_at = models.DateTimeField(_("came back"), null=True, blank=True)
    ignored_until = models.DateTimeField(_("ignored until"), null=True, blank=True)
    waits_for = text(100, _("waits for"))
    spared = models.BooleanField(_("kept by a clean-up"), default=False)
    deleted_by = models.ForeignKey(
        Operation,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="selected_errors",
        # Nearly every row has none: SQLite would look all of them up by that.
        db_index=False,
        verbose_name=_("deleted by"),
    )
    handled_by = models.ForeignKey(
        Operation,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="handled_errors",
        db_index=False,
        verbose_name=_("ignored or resolved by"),
    )
    ignored_before_by = models.ForeignKey(
        Operation,
        # What ignored an error is never removed, so nothing has to look for its rows.
        models.DO_NOTHING,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        db_constraint=False,
        verbose_name=_("ignored before by"),
    )
    problem = models.ForeignKey(
        Problem,
        models.CASCADE,
        related_name="errors",
        db_index=False,
        verbose_name=_("problem"),
    )
    job = models.ForeignKey(
        Job,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="errors",
        db_index=False,
        verbose_name=_("job"),
    )
    search_text = models.TextField(blank=True, default="")
    payload_days = models.PositiveSmallIntegerField(null=True, blank=True)
    chip = models.GeneratedField(
        expression=CHIP,
        output_field=models.CharField(max_length=20),
        db_persist=True,
    )
    record_label = models.GeneratedField(
        expression=NUMBER_AND_NAME,
        output_field=models.CharField(max_length=400),
        db_persist=True,
    )
    record_name = models.GeneratedField(
        expression=NAME, output_field=models.CharField(max_length=250), db_persist=True
    )

    objects = SyncErrorQuerySet.as_manager()

    class Meta:
        verbose_name = _("error")
        verbose_name_plural = _("errors")
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
            known("state", ErrorState, "an_error_is_open_ignored_or_resolved"),
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
            # What is hidden, and under which chip a row counts, is told by the index.
            models.Index(
                *NEWEST_FIRST, *SIGHT, "chip", "settled_reason", name="error_by_time"
            ),
            models.Index(
                *NEWEST_FIRST,
                condition=Q(settled_at__isnull=True) | Q(spared=True),
                name="error_below_a_cut",
            ),
            models.Index(*NEWEST_FIRST, condition=Q(spared=True), name="error_spared"),
            models.Index("chip", *NEWEST_FIRST, name="error_in_chip"),
            models.Index("problem", "chip", *NEWEST_FIRST, name="error_of_problem"),
            models.Index("mapping_key", "chip", *NEWEST_FIRST, name="error_of_mapping"),
            models.Index(
                "connection", "chip", *NEWEST_FIRST, name="error_of_connection"
            ),
            models.Index("direction", "chip", *NEWEST_FIRST, name="error_of_direction"),
            models.Index("job", "chip", *NEWEST_FIRST, *SIGHT, name="error_of_job"),
            models.Index("record_key", *NEWEST_FIRST, name="error_of_record"),
            *(
                models.Index("chip", column, "id", "last_seen", *SIGHT, name=name)
                for column, name in (
                    ("first_seen", "error_by_first_seen"),
                    ("occurrences", "error_by_occurrences"),
                    ("record_label", "error_by_label"),
                )
            ),
            models.Index(fields=["chip", "record_name", "id"], name="error_name"),
            models.Index(fields=["settled_at"], name="error_settled"),
            models.Index(
                fields=["settled_at", "id"],
                condition=Q(settled_at__isnull=False, payload_days__isnull=True),
                name="error_to_age",
            ),
            models.Index(
                fields=["reopened_at"],
                condition=Q(reopened_at__isnull=False),
                name="error_came_back",
            ),
            models.Index(
                fields=["deleted_by"],
                condition=Q(deleted_by__isnull=False),
                name="error_selected",
            ),
            models.Index(
                fields=["handled_by"],
                condition=Q(handled_by__isnull=False),
                name="error_handled",
            ),
            models.Index(
                fields=["ignored_until"],
                condition=Q(ignored_until__isnull=False),
                name="error_ignored_until",
            ),
            models.Index(
                "settled_reason", *NEWEST_FIRST, *SIGHT, "chip", name="error_by_reason"
            ),
        ]

    def __str__(self) -> str:
        number, name = (
            self.bc_number or self.sales_number,
            self.bc_name or self.sales_name,
        )
        return f"{number} {name}".strip() or str(self.pk)


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
