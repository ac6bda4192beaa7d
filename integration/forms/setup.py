"""Forms of the set-up pages: a reason, a message to explain, a new secret."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from integration import clock
from integration.choices import ConflictPolicy, DeletionPolicy, SignIn
from integration.core.explain import LONGEST
from integration.markup.inputs import PlainDate, PlainInput
from integration.markup.parts import interval
from integration.models import Endpoint, TableMapping
from integration.services.schedules import intervals_of

REASON_LENGTH = 500
SECRET_LENGTH = 20_000
"""A private key in PEM is the longest secret there is."""


class Lines(forms.CharField):
    """Several lines, counted as the browser does: the end of each is one character."""

    def to_python(self, value: Any) -> str:
        lines = value.replace("\r\n", "\n") if isinstance(value, str) else value
        return str(super().to_python(lines))


class DayField(forms.DateField):
    """A day that may be left out, as a browser sends it."""

    def __init__(self, label: Any, help_text: Any) -> None:
        widget = PlainDate(attrs={"class": "input", "type": "date"}, format="%Y-%m-%d")
        super().__init__(
            label=label,
            help_text=help_text,
            required=False,
            widget=widget,
            input_formats=["%Y-%m-%d"],
        )


class ReasonForm(forms.Form):
    """Why somebody does something; kept with the operation."""

    reason = forms.CharField(
        label=_("Reason (optional)"),
        max_length=REASON_LENGTH,
        required=False,
        widget=PlainInput(attrs={"class": "input", "autocomplete": "off"}),
    )


def reason_of(sent: Mapping[str, Any]) -> str:
    """What was written in a ``ReasonForm``; "" where a hand-made one does not fit."""
    form = ReasonForm(sent)
    return form.cleaned_data["reason"] if form.is_valid() else ""


class RulesForm(ReasonForm):
    """What a mapping answers by itself; only the rules it can have are offered."""

    field_order = ["conflict", "deletion", "reason"]
    conflict = forms.ChoiceField(
        label=_("Changed on both sides"),
        choices=ConflictPolicy,
        widget=forms.Select(attrs={"class": "input"}),
    )
    deletion = forms.ChoiceField(
        label=_("Deleted on one side"),
        choices=DeletionPolicy,
        widget=forms.Select(attrs={"class": "input"}),
    )


class IntervalForm(ReasonForm):
    """How often a mapping runs."""

    field_order = ["interval", "reason"]
    interval = forms.TypedChoiceField(
        label=_("Interval"), coerce=int, widget=forms.Select(attrs={"class": "input"})
    )

    def __init__(self, mapping: TableMapping, data: Any = None) -> None:
        present = {"interval": mapping.interval_seconds}
        super().__init__(data, initial=present, auto_id="schedule_%s")
        field = cast("forms.TypedChoiceField", self.fields["interval"])
        field.choices = [(one, interval(one)) for one in intervals_of(mapping)]


class MessageForm(forms.Form):
    """A message from Business Central or Sales, as somebody found it."""

    message = Lines(
        label=_("Message from Business Central or Sales"),
        max_length=LONGEST,
        widget=forms.Textarea(
            attrs={"class": "input", "rows": 5, "spellcheck": "false"}
        ),
    )


class SecretForm(ReasonForm):
    """A new client secret, password or private key; never shown again.

    The day on which the old one ended says nothing of the new one.
    """

    field_order = ["secret", "expires", "reason"]
    secret = forms.CharField(
        max_length=SECRET_LENGTH,
        strip=False,
        widget=forms.PasswordInput(
            attrs={"class": "input", "autocomplete": "new-password"}
        ),
    )
    expires = DayField(
        _("Valid until (optional)"),
        _("30 and 7 days before that day the check says so."),
    )

    def __init__(self, endpoint: Endpoint, data: Any = None) -> None:
        super().__init__(data, prefix=f"endpoint-{endpoint.pk}")
        label, widget = SECRET_LABELS[SignIn(endpoint.sign_in)]
        self.fields["secret"].label = label
        if widget is not None:
            self.fields["secret"].widget = widget

    def clean_expires(self) -> date | None:
        """One that has ended lets nobody in, whatever it is."""
        day: date | None = self.cleaned_data["expires"]
        if day and day <= clock.now().date():
            raise ValidationError(_("This day is over."))
        return day

    def moment(self) -> datetime | None:
        """When it ends: Entra names a day, and counts in UTC."""
        day = self.cleaned_data["expires"]
        return datetime.combine(day, time.min, tzinfo=UTC) if day else None


SECRET_LABELS: dict[SignIn, tuple[Any, forms.Widget | None]] = {
    SignIn.CLIENT_SECRET: (_("New client secret"), None),
    SignIn.USER_ACCOUNT: (_("New password"), None),
    SignIn.CERTIFICATE: (
        _("New private key (PEM)"),
        forms.Textarea(attrs={"class": "input", "rows": 4, "spellcheck": "false"}),
    ),
}
