"""Look: what an error's records were found to be, last time anybody looked."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from integration.choices import LookFound, Presence
from integration.models.errors import SyncError


class Look(models.Model):
    """The latest look at the records of one error, and when the next is due.

    ``watched_until`` is set while somebody is mending it. ``next_at`` is empty once
    nothing more is to be looked for. A worker that takes it writes its ``claim`` and
    moves ``next_at`` to when another one may take it; whose claim is gone has lost it.
    ``…_etag`` are the versions found, ``tried`` those that were tried because of a
    look. ``change`` is what was found changed since the record failed: the system, the
    fields, when and by whom (``services.looking``). ``written`` are the fields of each
    system that we have written ``since`` the record failed.
    """

    error = models.OneToOneField(SyncError, models.CASCADE, related_name="look")
    watched_until = models.DateTimeField(null=True, blank=True)
    next_at = models.DateTimeField(null=True, blank=True)
    claim = models.CharField(max_length=32, blank=True, default="")
    looked_at = models.DateTimeField(_("looked at"), null=True, blank=True)
    found = models.CharField(
        _("found"), max_length=20, choices=LookFound, blank=True, default=""
    )
    bc_presence = models.CharField(
        max_length=20, choices=Presence, blank=True, default=""
    )
    sales_presence = models.CharField(
        max_length=20, choices=Presence, blank=True, default=""
    )
    bc_etag = models.CharField(max_length=250, blank=True, default="")
    sales_etag = models.CharField(max_length=250, blank=True, default="")
    tried = models.CharField(max_length=64, blank=True, default="")
    change = models.JSONField(null=True, blank=True)
    written = models.JSONField(default=dict, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(found__in=["", *LookFound.values]),
                name="a_look_finds_a_known_thing",
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_at"],
                condition=Q(next_at__isnull=False),
                name="look_due",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.found} {self.error_id}"
