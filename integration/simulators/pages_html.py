"""The markup of the record pages: a heading, labelled fields, Save and Delete."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path
from string import Template

_PAGE = Template(Path(__file__).with_name("page.html").read_text("utf-8").strip())
_SAVE = '<button name="action" value="save">Save</button>'
_DELETE = '<button name="action" value="delete">Delete</button>'

#: What a page sent: fields and the texts in them; an empty box is left out.
Form = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Input:
    """One field. ``options`` makes it a list, a ``bool`` value a check box."""

    name: str
    label: str
    value: str | bool
    options: tuple[tuple[str, str], ...] = ()
    editable: bool = True

    def typed(self, form: Form) -> "Input":
        """The field with what was typed in place of what is stored."""
        if isinstance(self.value, bool):
            return replace(self, value=self.name in form)
        return replace(self, value=form.get(self.name, self.value))

    def render(self) -> str:
        label, name = escape(self.label), escape(self.name)
        if isinstance(self.value, bool):
            mark = " checked" if self.value else ""
            box = f'<input type="checkbox" name="{name}" value="1"{mark}>'
            return f'<label class="check">{box}{label}</label>'
        if self.options:
            options = "".join(self._option(*option) for option in self.options)
            return f'<label>{label}<select name="{name}">{options}</select></label>'
        lock = "" if self.editable else " readonly"
        value = escape(self.value)
        return f'<label>{label}<input name="{name}" value="{value}"{lock}></label>'

    def _option(self, value: str, label: str) -> str:
        mark = " selected" if value == self.value else ""
        return f'<option value="{escape(value)}"{mark}>{escape(label)}</option>'


@dataclass(frozen=True, slots=True)
class Section:
    """Fields under one heading."""

    legend: str
    inputs: tuple[Input, ...]

    def render(self) -> str:
        inputs = "".join(field.render() for field in self.inputs)
        return (
            f"<fieldset><legend>{escape(self.legend)}</legend>"
            f'<div class="fields">{inputs}</div></fieldset>'
        )


@dataclass(frozen=True, slots=True)
class Page:
    """A record as a page shows it."""

    system: str
    kind: str
    title: str
    sections: tuple[Section, ...]
    deletable: bool = False

    def refilled(self, form: Form) -> "Page":
        sections = tuple(
            Section(
                section.legend, tuple(field.typed(form) for field in section.inputs)
            )
            for section in self.sections
        )
        return replace(self, sections=sections)

    def render(self, refusal: str = "", notice: str = "") -> str:
        """``refusal`` is why the last Save was not done, ``notice`` that it was."""
        sections = "".join(section.render() for section in self.sections)
        body = (
            f"<header><p>{escape(self.system)} · {escape(self.kind)}</p>"
            f"<h1>{escape(self.title)}</h1></header><main>"
            f"{_said('refusal', 'alert', refusal)}{_said('notice', 'status', notice)}"
            f'<form method="post">{sections}{_SAVE}{_DELETE if self.deletable else ""}'
            "</form></main>"
        )
        return _document(f"{self.title} · {self.kind}", body)


def _said(kind: str, role: str, text: str) -> str:
    return f'<p class="{kind}" role="{role}">{escape(text)}</p>' if text else ""


def _document(title: str, body: str) -> str:
    return _PAGE.substitute(title=escape(title), body=body)


def message_page(title: str, sentence: str) -> str:
    """A page that only says something, as when the record is gone."""
    text = f"<main><h1>{escape(title)}</h1><p>{escape(sentence)}</p></main>"
    return _document(title, text)
