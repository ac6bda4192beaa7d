"""Inputs of one line as plain strings: Django asks two templates for each."""

from html import escape
from typing import Any

from django import forms
from django.utils.safestring import SafeString


class PlainInput(forms.TextInput):
    """Draws what Django draws, without a template."""

    def render(
        self, name: str, value: Any, attrs: Any = None, renderer: Any = None
    ) -> SafeString:
        made = self.get_context(name, value, attrs)["widget"]
        told = {"type": made["type"], "name": made["name"]}
        if made["value"] is not None:
            told["value"] = made["value"]
        parts = [_written(*one) for one in (told | made["attrs"]).items()]
        return SafeString(f"<input{''.join(parts)}>")


class PlainDate(PlainInput, forms.DateInput):
    """A day."""


def _written(name: str, value: Any) -> str:
    if value is False:
        return ""
    return f" {name}" if value is True else f' {name}="{escape(str(value))}"'
