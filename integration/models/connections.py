"""Connection: one Business Central endpoint joined to one Sales endpoint."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from integration.choices import Engine
from integration.models.endpoints import Endpoint
from integration.models.fields import text


class ConnectionQuerySet(models.QuerySet["Connection"]):
    """Connections by what may happen on them."""

    def running(self) -> "ConnectionQuerySet":
        """Enabled, not paused, and synchronized by our own engine."""
        return self.filter(enabled=True, paused_at=None, engine=Engine.OURS)


class Connection(models.Model):
    """What is kept in step with what, and by whose engine.

    ``pause_reason`` is what a person gave, or an English sentence; then
    ``pause_article`` and ``pause_params`` say it in the reader's language.
    ``check_lines`` is what the last check found (``services.check_lines``).
    ``records_fetched`` is what list and delta answers held outside of jobs: when the
    set-up was checked, or the records of an error were read again.
    """

    name = models.CharField(_("name"), max_length=100, unique=True)
    business_central = models.ForeignKey(
        Endpoint, models.PROTECT, related_name="business_central_connections"
    )
    sales = models.ForeignKey(
        Endpoint, models.PROTECT, related_name="sales_connections"
    )
    engine = models.CharField(
        _("engine"), max_length=20, choices=Engine, default=Engine.OURS
    )
    enabled = models.BooleanField(_("enabled"), default=False)
    paused_at = models.DateTimeField(null=True, blank=True)
    pause_reason = models.TextField(blank=True, default="")
    pause_article = text(60)
    pause_params = models.JSONField(default=dict, blank=True)
    checked_at = models.DateTimeField(null=True, blank=True)
    check_lines = models.JSONField(default=list, blank=True, editable=False)
    records_fetched = models.PositiveBigIntegerField(default=0, editable=False)

    objects = ConnectionQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=~models.Q(business_central=models.F("sales")),
                name="a_connection_joins_two_endpoints",
            )
        ]

    def __str__(self) -> str:
        return self.name
