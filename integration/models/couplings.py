"""Coupling: this Business Central record is that Sales record."""

from typing import Any

from django.db import DEFAULT_DB_ALIAS, models
from django.db.models import Q
from django.db.models.base import ModelState
from django.utils.translation import gettext_lazy as _

from integration.models.dialect import PREFIX_LENGTH
from integration.models.fields import text
from integration.models.folding import searchable, spelling
from integration.models.mappings import TableMapping


def text_of(number: str, *names: str) -> str:
    """What a search looks at: also without capitals and accents, each name once."""
    if names.count(names[0]) == len(names):
        return searchable(f"{number} {names[0]}")
    different = dict.fromkeys(names)
    return searchable("\n".join([f"{number} {name}" for name in different]))


class CouplingQuerySet(models.QuerySet["Coupling"]):
    """Couplings by what a person looks for."""

    def found_by(self, text: str) -> "CouplingQuerySet":
        """Whose number or names hold it; begin with it, while it is too short."""
        if len(text) >= PREFIX_LENGTH:
            return self.filter(search_text__contains=spelling(text))
        begins = Q(bc_number__istartswith=text)
        for name in ("bc_name", "sales_name"):
            begins |= Q(**{f"{name}__istartswith": text})
        return self.filter(begins)


class Coupling(models.Model):
    """A pair, and what both sides agreed on when they were last in step.

    ``values`` are the last synchronized values in canonical form, keyed by the Business
    Central field name: the base of every three-way decision. It is null until the pair
    has been in step once. ``…_hash`` is that of the mapped values of each side then;
    ``…_etag`` the version last seen, so that our own writes do not come back as
    changes. ``search_text`` is what ``text_of`` makes of number and names.
    """

    mapping = models.ForeignKey(
        TableMapping,
        models.CASCADE,
        related_name="couplings",
        verbose_name=_("mapping"),
    )
    bc_id = models.CharField(_("id in Business Central"), max_length=36)
    sales_id = models.CharField(_("id in Sales"), max_length=36)
    bc_number = text(100, _("number in Business Central"))
    bc_name = text(250, _("name in Business Central"))
    sales_name = text(250, _("name in Sales"))
    search_text = models.TextField(blank=True, default="")
    bc_etag = text(250, _("version in Business Central"))
    sales_etag = text(250, _("version in Sales"))
    bc_modified_at = models.DateTimeField(
        _("changed in Business Central"), null=True, blank=True
    )
    sales_modified_at = models.DateTimeField(
        _("changed in Sales"), null=True, blank=True
    )
    bc_hash = text(64, _("check sum of Business Central"))
    sales_hash = text(64, _("check sum of Sales"))
    values = models.JSONField(_("values"), null=True, blank=True)
    bc_deleted_at = models.DateTimeField(
        _("deleted in Business Central"), null=True, blank=True
    )
    sales_deleted_at = models.DateTimeField(
        _("deleted in Sales"), null=True, blank=True
    )
    coupled_at = models.DateTimeField(_("coupled since"))
    to_sales_at = models.DateTimeField(_("last to Sales"), null=True, blank=True)
    to_sales_failed = models.BooleanField(_("failed to Sales"), default=False)
    to_business_central_at = models.DateTimeField(
        _("last to Business Central"), null=True, blank=True
    )
    to_business_central_failed = models.BooleanField(
        _("failed to Business Central"), default=False
    )

    objects = CouplingQuerySet.as_manager()

    class Meta:
        verbose_name = _("coupled record")
        verbose_name_plural = _("coupled records")
        constraints = [
            models.UniqueConstraint(
                fields=["mapping", "bc_id"],
                name="a_business_central_record_is_coupled_once",
            ),
            models.UniqueConstraint(
                fields=["mapping", "sales_id"], name="a_sales_record_is_coupled_once"
            ),
            models.CheckConstraint(
                condition=~Q(bc_id="") & ~Q(sales_id=""),
                name="a_coupling_names_both_records",
            ),
        ]
        indexes = [models.Index(fields=["mapping", "bc_number"])]

    def __str__(self) -> str:
        return f"{self.bc_number} {self.bc_name}".strip() or self.bc_id


def coupling_of(columns: dict[str, Any]) -> Coupling:
    """A coupling that holds these columns, all of them, from now on its own.

    A run makes thousands, and Django's own ways set every attribute by itself, between
    signals that nobody awaits: they take ten times as long.
    """
    made = Coupling.__new__(Coupling)
    state = ModelState()
    state.adding, state.db = False, DEFAULT_DB_ALIAS
    columns["_state"] = state
    made.__dict__ = columns
    return made
