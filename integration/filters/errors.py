"""The filter form of the error list: what may be chosen, with what is chosen now.

The query string is read by ``services.error_filters``, which the command line uses too;
this form only offers it to a person.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from html import escape
from typing import Any, ClassVar

import django_filters
from django import forms
from django.utils.safestring import SafeString
from django.utils.timezone import localtime
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from integration.choices import Category, Direction, Moment, Who
from integration.markup.inputs import PlainDate
from integration.models import SyncError
from integration.services.error_filters import ErrorFilter

FORM_ID = "filters"
Choices = Sequence[tuple[str, Any]]


class Radios(forms.RadioSelect):
    """One label per choice, as plain strings.

    Django asks five templates for each, and a year has sixty causes to choose from.
    """

    def render(
        self, name: str, value: Any, attrs: Any = None, renderer: Any = None
    ) -> SafeString:
        chosen, own = str(value or ""), f"id_{name}"
        return SafeString(
            "".join(
                f'<label class="radio" for="{own}_{place}"><input type="radio"'
                f' name="{name}" value="{escape(key)}" form="{FORM_ID}"'
                f' id="{own}_{place}"{" checked" if key == chosen else ""}>'
                f"<span>{escape(str(word))}</span></label>"
                for place, (key, word) in enumerate(self.choices)
            )
        )


def radios(every: Any, **options: Any) -> django_filters.ChoiceFilter:
    """One of a few, all in sight; ``every`` is the word for no choice."""
    return django_filters.ChoiceFilter(widget=Radios, empty_label=every, **options)


def day(label: Any) -> django_filters.DateFilter:
    """A day of the reader's zone."""
    widget = PlainDate(
        attrs={"type": "date", "form": FORM_ID, "class": "input"}, format="%Y-%m-%d"
    )
    return django_filters.DateFilter(label=label, widget=widget)


DAYS: dict[str, tuple[Any, Any]] = {
    "": (_("Seen from"), _("Seen until")),
    Moment.FIRST_SEEN: (_("First seen from"), _("First seen until")),
    Moment.CAME_BACK: (_("Came back from"), _("Came back until")),
    Moment.SETTLED: (_("Finished from"), _("Finished by")),
}
"""What the two days bound, for each moment that a filter may name."""

RADIOS = ("mapping", "who", "problem", "connection", "direction", "category")
WAYS = [
    (Direction.TO_SALES.value, Direction.TO_SALES.label),
    (Direction.TO_BUSINESS_CENTRAL.value, Direction.TO_BUSINESS_CENTRAL.label),
]


class ErrorFilterSet(django_filters.FilterSet):
    """Names are those of the query string (design §10)."""

    mapping = radios(pgettext_lazy("mappings", "all"), label=_("Mapping"))
    who = radios(
        pgettext_lazy("people", "all"),
        label=pgettext_lazy("who fixes it", "Who"),
        choices=Who.choices,
    )
    problem = radios(pgettext_lazy("causes", "all"), label=_("Cause"))
    connection = radios(pgettext_lazy("connections", "all"), label=_("Connection"))
    direction = radios(
        pgettext_lazy("directions", "all"), label=_("Direction"), choices=WAYS
    )
    category = radios(
        pgettext_lazy("kinds", "all"), label=_("Kind"), choices=Category.choices
    )

    class Meta:
        model = SyncError
        fields: ClassVar[list[str]] = []

    @classmethod
    def get_filters(cls) -> Any:
        """``from`` is no name in Python, so the two days are added here."""
        filters = super().get_filters()
        filters["from"], filters["to"] = (day(label) for label in DAYS[""])
        return filters


@cache
def form_class() -> type[forms.Form]:
    """Made once: for every page the library would make the class anew."""
    filterset = ErrorFilterSet({}, queryset=SyncError.objects.none())
    made: type[forms.Form] = filterset.get_form_class()
    return made


def filter_form(filters: ErrorFilter, offered: Mapping[str, Choices]) -> forms.Form:
    """The form as this filter fills it; ``offered`` are the choices of each menu."""
    form = form_class()(initial=initial(filters))
    for name, choices in offered.items():
        form.fields[name].choices = choices  # type: ignore[attr-defined]  # a ChoiceField
    for name, label in zip(("from", "to"), DAYS[filters.moment], strict=True):
        form.fields[name].label = label
    return form


def initial(filters: ErrorFilter) -> dict[str, Any]:
    """Radio buttons compare text; days are those of the reader's zone."""
    chosen: dict[str, Any] = {
        name: str(getattr(filters, name) or "") for name in RADIOS
    }
    for name, moment in (("from", filters.since), ("to", filters.until)):
        chosen[name] = localtime(moment).date() if moment else None
    return chosen


def chosen_labels(form: Any) -> dict[str, str]:
    """The label of what each menu has chosen, for its caption."""
    labels = {}
    for name, value in form.initial.items():
        choices = dict(getattr(form.fields[name], "choices", ()))
        labels[name] = str(choices.get(value) or value or "")
    return labels
