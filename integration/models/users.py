"""User: who signs in, what they may do and how they like to read."""

from typing import Any, ClassVar

from django.contrib.auth.models import AbstractUser, UserManager
from django.db import models
from django.utils.translation import gettext_lazy as _

from integration.choices import Role, Theme
from integration.models.fields import known, text


class FailedSignIn(models.Model):
    """How often a sign-in failed since a moment; ``key`` is a digest of who tried.

    Rows without meaning any more are removed by the next failure.
    """

    key = models.CharField(max_length=64, primary_key=True)
    failures = models.PositiveIntegerField()
    since = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.key


class Users(UserManager["User"]):
    """Django's, with a role."""

    def create_superuser(
        self,
        username: str,
        email: str | None = None,
        password: str | None = None,
        **values: Any,
    ) -> "User":
        """Who may everything is shown as what they are: an administrator."""
        values.setdefault("role", Role.ADMINISTRATOR)
        return super().create_superuser(username, email, password, **values)


class User(AbstractUser):
    """A person with exactly one role.

    ``mail``: wants to be told by mail, of the set-up as an administrator and of the
    mappings in ``subscriptions``. ``seen_at``, about a minute true, is when the person
    last opened a page, ``away_since`` when the visit before this one ended; empty: this
    is the first. Between ``quiet_from`` and ``quiet_until``, hours of
    the person's own zone, nothing is sent.
    """

    role = models.CharField(_("role"), max_length=20, choices=Role, default=Role.VIEWER)
    language = text(10, _("language"))
    time_zone = text(60, _("time zone"))
    theme = models.CharField(
        _("theme"), max_length=10, choices=Theme, default=Theme.SYSTEM
    )
    seen_at = models.DateTimeField(_("last here"), null=True, blank=True)
    away_since = models.DateTimeField(_("away since"), null=True, blank=True)
    mail = models.BooleanField(_("told by mail"), default=True)
    quiet_from = models.TimeField(_("quiet from"), null=True, blank=True)
    quiet_until = models.TimeField(_("quiet until"), null=True, blank=True)
    subscriptions = models.ManyToManyField(
        "integration.TableMapping", blank=True, related_name="subscribers"
    )

    objects: ClassVar[Users] = Users()

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")
        constraints = [
            known("role", Role, "a_role_is_known"),
            models.CheckConstraint(
                condition=models.Q(quiet_from=None, quiet_until=None)
                | models.Q(quiet_from__isnull=False, quiet_until__isnull=False),
                name="quiet_hours_have_two_ends",
            ),
        ]

    def __str__(self) -> str:
        return self.get_full_name() or self.get_username()

    @property
    def is_operator(self) -> bool:
        """May retry."""
        return self.is_administrator or self.role == Role.OPERATOR

    @property
    def is_administrator(self) -> bool:
        """May delete, accept reviews and change the set-up."""
        return self.is_superuser or self.role == Role.ADMINISTRATOR
