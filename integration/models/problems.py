"""Problem: all errors with the same cause, and how many failed for it each day."""

from django.conf import settings
from django.db import models

from integration.choices import Category, Who
from integration.models.connections import Connection
from integration.models.fields import text


class Problem(models.Model):
    """A cause on a connection.

    ``title`` is the English sentence; pages render it in the reader's language from
    ``article`` and ``params`` (``services.articles``). How many errors it has is
    counted in ``ErrorCell``. ``moved_to`` is where its errors went when somebody taught
    what they mean.
    """

    connection = models.ForeignKey(Connection, models.CASCADE, related_name="problems")
    fingerprint = models.CharField(max_length=64)
    article = text(60)
    params = models.JSONField(default=dict, blank=True)
    title = models.CharField(max_length=300)
    category = models.CharField(
        max_length=20, choices=Category, default=Category.UNKNOWN
    )
    who = models.CharField(max_length=20, choices=Who, default=Who.ADMINISTRATOR)
    first_seen = models.DateTimeField()
    last_seen = models.DateTimeField()
    assignee = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="assigned_problems",
    )
    moved_to = models.ForeignKey(
        "self", models.SET_NULL, null=True, blank=True, related_name="+"
    )

    class Meta:
        ordering = ["-last_seen", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["connection", "fingerprint"],
                name="a_cause_is_one_problem_on_its_connection",
            )
        ]

    def __str__(self) -> str:
        return self.title


class ProblemDay(models.Model):
    """How many records failed for a cause on one UTC day, each once.

    Counted when it happens: what becomes of the errors later changes nothing.
    """

    problem = models.ForeignKey(Problem, models.CASCADE, related_name="days")
    day = models.DateField()
    n = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["problem", "day"], name="a_day_of_a_problem_is_counted_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.problem}, {self.day}: {self.n}"
