"""Look: what an error's records were found to be, last time anybody looked."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from integration.choices import LookFound, Presence
from integration.models.errors import SyncError
from integration.models.fields import text


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
    claim = text(32)
    looked_at = models.DateTimeField(_("looked at"), null=True, blank=True)
    found = text(20, _("found"), choices=LookFound)
    bc_presence = text(20, choices=Presence)
    sales_presence = text(20, choices=Presence)
    bc_etag = text(250)
    sales_etag = text(250)
    tried = text(64)
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
