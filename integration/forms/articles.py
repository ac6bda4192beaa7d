"""The form of an article that an administrator teaches."""

import re
from typing import Any
from uuid import uuid4

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from integration.choices import Category, Who
from integration.core.articles import TARGETS
from integration.core.taught import LONGEST, MOST_PLACES
from integration.core.wording import LINK
from integration.forms.setup import REASON_LENGTH, Lines
from integration.models import TaughtArticle
from integration.models.articles import TITLE_LENGTH

MEANING_LENGTH = 1_000
STEPS_LENGTH = 4_000
PATTERNS_LENGTH = 10 * LONGEST
_WHOLE = ("title", "meaning", "steps")


def _text(label: Any, length: int, rows: int, help_text: Any = "") -> forms.CharField:
    return Lines(
        label=label,
        max_length=length,
        required=False,
        help_text=help_text,
        widget=forms.Textarea(attrs={"class": "input", "rows": rows}),
    )


def _line(label: Any, length: int) -> forms.CharField:
    widget = forms.TextInput(attrs={"class": "input", "autocomplete": "off"})
    return forms.CharField(
        label=label, max_length=length, required=False, widget=widget
    )


def _choice(label: Any, choices: Any) -> forms.ChoiceField:
    widget = forms.Select(attrs={"class": "input"})
    return forms.ChoiceField(label=label, choices=choices, widget=widget)


class TeachForm(forms.Form):
    """Pattern, and what it means in one language or both.

    ``seen`` holds the patterns whose preview the person has seen; ``key`` makes two
    clicks one article.
    """

    patterns = Lines(
        label=gettext_lazy("Message, with {…} for what differs"),
        max_length=PATTERNS_LENGTH,
        required=True,
        help_text=gettext_lazy(
            "One pattern a line, for example: Customer {…} is blocked by {…}. Its "
            "words must stand in a message in this order; capitals make no difference."
        ),
        widget=forms.Textarea(
            attrs={"class": "input", "rows": 4, "spellcheck": "false"}
        ),
    )
    title_en = _line(gettext_lazy("Title in English"), TITLE_LENGTH)
    meaning_en = _text(gettext_lazy("Meaning in English"), MEANING_LENGTH, 2)
    steps_en = _text(gettext_lazy("Steps in English, one a line"), STEPS_LENGTH, 4)
    title_fr = _line(gettext_lazy("Title in French"), TITLE_LENGTH)
    meaning_fr = _text(gettext_lazy("Meaning in French"), MEANING_LENGTH, 2)
    steps_fr = _text(gettext_lazy("Steps in French, one a line"), STEPS_LENGTH, 4)
    who = _choice(gettext_lazy("Who fixes it"), Who.choices)
    category = _choice(gettext_lazy("Kind"), Category.choices)
    reason = _line(gettext_lazy("Reason (optional)"), REASON_LENGTH)
    seen = forms.CharField(required=False, widget=forms.HiddenInput)
    key = forms.CharField(max_length=32, required=False, widget=forms.HiddenInput)

    def clean_patterns(self) -> str:
        lines = [
            " ".join(line.split())
            for line in self.cleaned_data["patterns"].splitlines()
        ]
        kept = [line for line in lines if line]
        for line in kept:
            if len(line) > LONGEST or line.count("{") > MOST_PLACES:
                raise ValidationError(
                    _("A pattern has at most %(n)s characters and %(places)s places.")
                    % {"n": LONGEST, "places": MOST_PLACES}
                )
        return "\n".join(dict.fromkeys(kept))

    def clean(self) -> dict[str, Any]:
        """A language is given whole or not at all, and its links lead somewhere."""
        data = self.cleaned_data
        given = {
            language: [name for name in _WHOLE if data.get(f"{name}_{language}")]
            for language in ("en", "fr")
        }
        for language, names in given.items():
            for name in _WHOLE:
                if names and name not in names:
                    self.add_error(
                        f"{name}_{language}",
                        _("Give title, meaning and steps in this language, or none."),
                    )
                self._check_text(f"{name}_{language}")
        if not any(given.values()) and not self.errors:
            self.add_error("title_en", _("Write it in English or in French."))
        return data

    def _check_text(self, name: str) -> None:
        text = self.cleaned_data.get(name, "")
        if re.search(r"\{\w+(?::\w+)?\}", text):
            self.add_error(name, _("Braces have a meaning in patterns only."))
        for link in LINK.finditer(text):
            if not TARGETS.match(link[2]):
                self.add_error(
                    name,
                    _("“%(target)s” is no place that a link may lead to.")
                    % {"target": link[2][:60]},
                )

    def article(self, known: TaughtArticle | None = None) -> TaughtArticle:
        """What was written, not saved."""
        found = known or TaughtArticle()
        for name in TEXTS:
            setattr(found, name, self.cleaned_data[name])
        return found


TEXTS = (
    *("patterns", "title_en", "meaning_en", "steps_en"),
    *("title_fr", "meaning_fr", "steps_fr", "who", "category"),
)
"""The fields that are columns of the article."""


def form_of(article: TaughtArticle) -> TeachForm:
    """To change it."""
    return TeachForm(initial={name: getattr(article, name) for name in TEXTS})


def empty_form(pattern: str = "") -> TeachForm:
    """To teach a new one, perhaps of a message."""
    return TeachForm(
        initial={
            "patterns": pattern,
            "who": Who.ADMINISTRATOR,
            "category": Category.VALIDATION,
            "key": uuid4().hex,
        }
    )
