"""Alerts: what was last told of a problem or a mapping, to whom, and in which message.

A subject compares what is with what was told. An alert is one change for one recipient;
a message is what carries alerts, as a mail or a post.
"""

from django.conf import settings
from django.db import models
from django.db.models import Q

from integration.choices import AlertChange, Channel, Delivery
from integration.models.fields import known
from integration.models.mappings import TableMapping
from integration.models.problems import Problem


class AlertSubject(models.Model):
    """A problem or a mapping, and what was last told of it.

    ``stands``: told as there, or as silent; ``since`` is when that was noticed.
    ``removed_at`` is when a clean-up last removed errors of the problem that were still
    relevant: then having none left does not mean that it is healed. ``mappings`` are
    the ids of those a problem was told to be on; empty until somebody has looked.
    ``watched_at`` is since when the mapping has been expected to run.
    """

    problem = models.OneToOneField(
        Problem, models.CASCADE, null=True, blank=True, related_name="alert_subject"
    )
    mapping = models.OneToOneField(
        TableMapping,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="alert_subject",
    )
    stands = models.BooleanField(default=False)
    since = models.DateTimeField()
    removed_at = models.DateTimeField(null=True, blank=True)
    mappings = models.JSONField(null=True, blank=True)
    watched_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(problem=None, mapping__isnull=False)
                | Q(problem__isnull=False, mapping=None),
                name="an_alert_is_about_a_problem_or_a_mapping",
            )
        ]

    def __str__(self) -> str:
        return str(self.problem or self.mapping)


class AlertRecipient(models.Model):
    """A person who is told by mail, or the webhook (``user`` empty).

    ``since`` is empty while nothing is told to them: whoever comes (back) is told once
    what stands.
    """

    channel = models.CharField(max_length=20, choices=Channel)
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="alert_recipient",
    )
    since = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(channel="mail", user__isnull=False)
                | Q(channel="webhook", user=None),
                name="a_person_is_told_by_mail",
            ),
            models.UniqueConstraint(
                fields=["channel"],
                condition=Q(user=None),
                name="there_is_one_webhook",
            ),
        ]

    def __str__(self) -> str:
        return str(self.user or self.channel)


class AlertMessage(models.Model):
    """One mail or post; without alerts it is a test.

    Whoever sends it claims it first (*sending*), so that it never goes twice. ``told``
    is what the server said as a key (``services.sentences``), ``answer`` the same in
    English. ``key`` is the id that the mail or post carries.
    """

    recipient = models.ForeignKey(
        AlertRecipient, models.CASCADE, related_name="messages"
    )
    key = models.UUIDField(unique=True)
    state = models.CharField(
        max_length=20, choices=Delivery, default=Delivery.WAITING, db_index=True
    )
    is_test = models.BooleanField(default=False)
    created_at = models.DateTimeField()
    due_at = models.DateTimeField()
    attempts = models.PositiveIntegerField(default=0)
    claimed_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    answer = models.TextField(blank=True, default="")
    told = models.JSONField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            known("state", Delivery, "a_message_is_in_a_known_state"),
            models.CheckConstraint(
                condition=Q(state__in=["waiting", "sending"], finished_at=None)
                | (~Q(state__in=["waiting", "sending"]) & Q(finished_at__isnull=False)),
                name="a_message_ends_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.recipient} {self.state}"


class Alert(models.Model):
    """One change for one recipient; held back for a digest while it has no message.

    ``records`` failed for the problem then; ``last_success`` is that of a silent
    mapping. A held one may go from ``due_at`` on.
    """

    recipient = models.ForeignKey(
        AlertRecipient, models.CASCADE, related_name="alerts", db_index=False
    )
    subject = models.ForeignKey(AlertSubject, models.CASCADE, related_name="alerts")
    change = models.CharField(max_length=20, choices=AlertChange)
    noticed_at = models.DateTimeField()
    due_at = models.DateTimeField()
    records = models.PositiveBigIntegerField(default=0)
    last_success = models.DateTimeField(null=True, blank=True)
    message = models.ForeignKey(
        AlertMessage, models.CASCADE, null=True, blank=True, related_name="alerts"
    )

    class Meta:
        ordering = ["id"]
        constraints = [
            known("change", AlertChange, "an_alert_tells_of_a_known_change"),
            models.UniqueConstraint(
                fields=["recipient", "subject", "change", "noticed_at"],
                name="a_change_is_told_once_to_each",
            ),
        ]
        indexes = [
            models.Index(
                fields=["recipient"], condition=Q(message=None), name="alert_held"
            )
        ]

    def __str__(self) -> str:
        return f"{self.subject} {self.change}"


class AlertLook(models.Model):
    """When what is was last compared with what was told.

    The first row is of anybody's look, and the lock; one more for each way of telling,
    of the looks of those who have it (``services.alert_looks``).
    """

    at = models.DateTimeField()

    def __str__(self) -> str:
        return self.at.isoformat()
