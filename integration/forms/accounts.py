"""Forms about oneself: signing in, language and time zone."""

from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.conf import settings
from django.contrib.auth.forms import AuthenticationForm
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from integration.choices import Theme
from integration.models import TableMapping
from integration.services import sign_in

AREAS = (
    "Africa",
    "America",
    "Asia",
    "Atlantic",
    "Australia",
    "Europe",
    "Indian",
    "Pacific",
)


class SignInForm(AuthenticationForm):
    """User name and password."""

    error_messages = {
        "invalid_login": _("User name and password do not belong together."),
        "inactive": _("User name and password do not belong together."),
        "too_many": _("Too many failed attempts. Try again in %(minutes)s min."),
    }

    def __init__(self, *args: Any, address: str = "", **kwargs: Any) -> None:
        """``address`` is whence the person signs in."""
        super().__init__(*args, **kwargs)
        self.address = address
        self.fields["username"].label = _("User name")
        self.fields["password"].label = _("Password")
        for name, field in self.fields.items():
            field.widget.attrs["class"] = "input"
            if name == "username":
                field.widget.attrs["autofocus"] = True

    def clean(self) -> dict[str, Any]:
        """Refuses without looking at the password who has failed too often."""
        name = self.cleaned_data.get("username") or ""
        if wait := sign_in.seconds_to_wait(name, self.address):
            minutes = {"minutes": -(-wait // 60)}
            words = self.error_messages["too_many"]
            raise ValidationError(words, code="too_many", params=minutes)
        try:
            cleaned = super().clean()
        except ValidationError:
            sign_in.count_failure(name, self.address)
            raise
        # Without a password nobody was let in, and nothing is forgotten.
        if self.user_cache is not None:
            sign_in.forget_failures(name, self.address)
        return cleaned


def zones() -> list[tuple[str, str]]:
    """The places people live in, not the aliases of the database; UTC last."""
    places = [zone for zone in available_timezones() if zone.startswith(AREAS)]
    return [(zone, zone.replace("_", " ")) for zone in [*sorted(places), "UTC"]]


class WishForm(forms.Form):
    """What the person wants to be told of, and when not."""

    mail = forms.BooleanField(label=_("Tell me by mail"), required=False)
    mappings = forms.ModelMultipleChoiceField(
        label=_("Mappings followed"),
        help_text=_("You are told of what users fix in their records, and of silence."),
        queryset=TableMapping.objects.none(),
        widget=forms.CheckboxSelectMultiple,
        required=False,
    )
    quiet_from = forms.TimeField(
        label=_("Quiet from"),
        help_text=_("In these hours nothing is sent; what happened comes afterwards."),
        widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
        required=False,
    )
    quiet_until = forms.TimeField(
        label=_("Quiet until"),
        widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
        required=False,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        every = TableMapping.objects.in_order().select_related("connection")
        choice: Any = self.fields["mappings"]
        choice.queryset = every
        several = len({mapping.connection_id for mapping in every}) > 1
        choice.label_from_instance = lambda mapping: (
            f"{mapping.name} ({mapping.connection.name})" if several else mapping.name
        )
        for name in ("quiet_from", "quiet_until"):
            self.fields[name].widget.attrs["class"] = "input"

    def clean(self) -> dict[str, Any]:
        """Quiet hours have two ends that differ."""
        cleaned: dict[str, Any] = super().clean() or {}
        start, end = cleaned.get("quiet_from"), cleaned.get("quiet_until")
        if self.errors:
            return cleaned
        if (start is None) != (end is None) or (start is not None and start == end):
            self.add_error(
                "quiet_until", _("Give both hours, and two different ones, or none.")
            )
        return cleaned


class AccountForm(forms.Form):
    """How the person likes to read."""

    language = forms.ChoiceField(label=_("Language"), choices=settings.LANGUAGES)
    time_zone = forms.ChoiceField(label=_("Time zone"), choices=zones)
    theme = forms.ChoiceField(label=_("Theme"), choices=Theme.choices)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.widget.attrs["class"] = "input"
