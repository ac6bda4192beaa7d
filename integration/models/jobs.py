"""Job and JobEntry: one run of one mapping in one direction, and what it says."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from integration.choices import Direction, EntryKind, JobKind, JobState
from integration.models.fields import known, text
from integration.models.mappings import TableMapping

ACTIVE_STATES = (JobState.QUEUED, JobState.RUNNING)
COUNTS = (
    *("inserted", "modified", "unchanged", "skipped", "failed", "deleted", "coupled"),
    *("uncoupled", "filtered_out"),
)
"""The endings of a record; with ``records_read`` they add up (promise 2)."""


class Job(models.Model):
    """One run of one mapping in one direction.

    Both directions of one run share ``run``; they are claimed, taken up and finished
    together. ``attempt`` grows when another worker takes the run up: a worker whose
    attempt is no longer current stops (fencing). ``only`` lists ``[side, record id]``
    pairs where a run was asked for some records; null reads what changed. ``operation``
    is the retry whose records the run tries, whatever ``only`` says. ``plan`` is
    what a review found. ``message`` is English, ``told`` the same sentence as a key
    (``services.sentences``). ``records_read`` are those the job judged,
    each with one ending; ``records_fetched`` all that the source side's list and delta
    answers held.
    """

    mapping = models.ForeignKey(
        TableMapping,
        models.CASCADE,
        related_name="jobs",
        db_index=False,
        verbose_name=_("mapping"),
    )
    run = models.UUIDField(_("run"), db_index=True)
    kind = models.CharField(
        _("kind"), max_length=20, choices=JobKind, default=JobKind.SYNC
    )
    direction = models.CharField(_("direction"), max_length=20, choices=Direction)
    full = models.BooleanField(_("reads everything"), default=False)
    only = models.JSONField(_("only these records"), null=True, blank=True)
    operation = models.ForeignKey(
        "integration.Operation",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="jobs",
        db_index=False,
        verbose_name=_("retry"),
    )
    state = models.CharField(
        _("state"), max_length=20, choices=JobState, default=JobState.QUEUED
    )
    attempt = models.PositiveIntegerField(_("attempt"), default=0)
    worker = text(100, _("worker"))
    created_at = models.DateTimeField(pgettext_lazy("a job", "created"))
    enqueued_at = models.DateTimeField(_("announced"), null=True, blank=True)
    started_at = models.DateTimeField(_("started"), null=True, blank=True)
    heartbeat_at = models.DateTimeField(_("last sign of life"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    parked_until = models.DateTimeField(_("waits until"), null=True, blank=True)
    message = models.TextField(_("message"), blank=True, default="")
    told = models.JSONField(_("message as a key"), null=True, blank=True)
    records_read = models.PositiveIntegerField(_("records read"), default=0)
    records_fetched = models.PositiveIntegerField(_("records fetched"), default=0)
    inserted = models.PositiveIntegerField(_("created records"), default=0)
    modified = models.PositiveIntegerField(_("changed records"), default=0)
    unchanged = models.PositiveIntegerField(_("unchanged records"), default=0)
    skipped = models.PositiveIntegerField(_("skipped records"), default=0)
    failed = models.PositiveIntegerField(_("failed records"), default=0)
    deleted = models.PositiveIntegerField(_("deleted records"), default=0)
    coupled = models.PositiveIntegerField(_("coupled records"), default=0)
    uncoupled = models.PositiveIntegerField(_("uncoupled records"), default=0)
    filtered_out = models.PositiveIntegerField(_("filtered out records"), default=0)
    plan = models.JSONField(_("plan"), null=True, blank=True)

    class Meta:
        verbose_name = _("job")
        verbose_name_plural = _("jobs")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["mapping", "direction"],
                condition=Q(state__in=["queued", "running"]),
                name="a_mapping_runs_once_at_a_time_in_a_direction",
            ),
            known("state", JobState, "a_job_has_a_known_state"),
            models.CheckConstraint(
                condition=~Q(direction="both"), name="a_job_has_one_direction"
            ),
            models.CheckConstraint(
                condition=Q(finished_at=None)
                | Q(finished_at__gte=models.F("started_at")),
                name="a_job_finishes_after_it_started",
            ),
        ]
        indexes = [
            # A year has half a million jobs, and every page tells of the latest.
            models.Index(fields=["state", "id"], name="job_in_state"),
            models.Index(fields=["state", "finished_at"], name="job_in_state_by_end"),
            models.Index(fields=["finished_at"], name="job_by_end"),
            models.Index(fields=["heartbeat_at"], name="job_by_sign_of_life"),
            models.Index(fields=["mapping", "id"], name="job_of_mapping"),
            models.Index(fields=["mapping", "state", "id"], name="job_in_state_of_map"),
            models.Index(fields=["mapping", "kind", "id"], name="job_of_kind_of_map"),
            models.Index(
                fields=["operation"],
                condition=Q(operation__isnull=False),
                name="job_of_a_retry",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.mapping} {self.pk}"


class JobEntry(models.Model):
    """What a job says of one record that it failed, skipped, created or coupled."""

    job = models.ForeignKey(Job, models.CASCADE, related_name="entries")
    kind = models.CharField(max_length=20, choices=EntryKind)
    bc_id = text(36)
    sales_id = text(36)
    label = text(250)
    message = text(500)
    detail = models.JSONField(null=True, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["job", "kind"])]

    def __str__(self) -> str:
        return f"{self.kind} {self.label}"
