"""Forms of a person's acts on errors and causes: ignore, assign, comment."""

from datetime import datetime, time
from typing import Any, cast

from django import forms
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from integration.choices import Role
from integration.forms.setup import REASON_LENGTH, DayField, Lines, ReasonForm
from integration.models import Problem, User


class IgnoreForm(ReasonForm):
    """Until when, and why."""

    field_order = ["until", "reason"]
    until = DayField(
        _("Until (optional)"),
        _("Without a day: until another record fails for the same cause."),
    )

    def moment(self) -> datetime | None:
        """The beginning of the chosen day where the person is; ``None``: no day."""
        day = self.cleaned_data["until"]
        if day is None:
            return None
        return datetime.combine(day, time.min, tzinfo=timezone.get_current_timezone())


class AssigneeForm(forms.Form):
    """Who takes care of a cause; empty: nobody."""

    assignee = forms.ModelChoiceField(
        label=_("Assigned to"),
        queryset=User.objects.none(),
        required=False,
        empty_label=_("nobody"),
        widget=forms.Select(attrs={"class": "input", "aria-labelledby": "assigned"}),
    )

    def __init__(self, problem: Problem, data: Any = None) -> None:
        super().__init__(data, initial={"assignee": problem.assignee_id})
        able = Q(is_superuser=True) | ~Q(role=Role.VIEWER)
        # Who has it already stays a choice, or saving would take it from them unseen.
        people = Q(able, is_active=True) | Q(pk=problem.assignee_id)
        field = cast("forms.ModelChoiceField[User]", self.fields["assignee"])
        field.queryset = User.objects.filter(people).order_by("username")


class CommentForm(forms.Form):
    """What somebody has to say about a cause."""

    comment = Lines(
        label=_("Comment"),
        max_length=REASON_LENGTH,
        widget=forms.Textarea(attrs={"class": "input", "rows": 2}),
    )
