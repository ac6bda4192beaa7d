"""Endpoint: one system we talk to, with addresses and sign-in."""

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from integration.choices import SignIn, System
from integration.models.fields import known, text


class Endpoint(models.Model):
    """A Business Central company or a Sales environment.

    ``secret`` holds the client secret, the password or the private key, encrypted
    (D13); only ``services.credentials`` reads or writes it. ``integration_user_id`` is
    who Sales says we are, ``integration_role_id`` the role it works by, for links; a
    check writes them. ``check_message`` is English, ``check_told`` the same sentence as
    a key (``services.sentences``).
    """

    kind = models.CharField(_("system"), max_length=20, choices=System)
    name = models.CharField(_("name"), max_length=100, unique=True)
    base_url = models.URLField(_("address of the API"), max_length=500)
    web_url = models.URLField(_("address of the pages"), max_length=500)
    authority = models.URLField(
        _("address of sign-in"),
        max_length=500,
        default="https://login.microsoftonline.com",
    )
    tenant_id = models.CharField(_("tenant"), max_length=100)
    environment = text(100, _("environment"))
    company_id = text(36, _("company id"))
    company_name = text(250, _("company"))
    app_unique_name = text(100, _("app"))
    sign_in = models.CharField(
        _("sign-in"), max_length=20, choices=SignIn, default=SignIn.CLIENT_SECRET
    )
    client_id = models.CharField(_("client id"), max_length=100)
    user_name = text(250, _("user name"))
    secret = models.TextField(blank=True, default="", editable=False)
    certificate = models.TextField(_("certificate"), blank=True, default="")
    secret_expires_at = models.DateTimeField(
        _("secret valid until"), null=True, blank=True
    )
    integration_user_id = text(36)
    integration_role_id = text(36)
    is_simulator = models.BooleanField(_("simulated"), default=False)
    checked_at = models.DateTimeField(null=True, blank=True)
    check_passed = models.BooleanField(null=True)
    check_message = models.TextField(blank=True, default="")
    check_told = models.JSONField(null=True, blank=True)

    objects: ClassVar[models.Manager["Endpoint"]] = models.Manager()

    class Meta:
        ordering = ["name"]
        constraints = [
            known("kind", System, "an_endpoint_is_one_of_two_systems"),
            known("sign_in", SignIn, "an_endpoint_signs_in_in_a_known_way"),
        ]

    def __str__(self) -> str:
        return self.name
