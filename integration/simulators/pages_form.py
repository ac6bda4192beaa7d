"""What a record page needs of a record, and its markup: fields, Save and Delete."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from integration.simulators.entities import NEVER, ON_CREATE, Entity, Field
from integration.simulators.http import SimulatorError
from integration.simulators.store import Row, Table

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


UNSHOWN = ("guid", "Status")
Options = tuple[tuple[str, str], ...]


def bad_input(sentence: str) -> SimulatorError:
    return SimulatorError(400, "", sentence)


class RecordForm(ABC):
    """``save`` raises ``SimulatorError``."""

    deletable = False

    @abstractmethod
    def show(self) -> Page: ...

    @abstractmethod
    def save(self, form: Form) -> None: ...

    def delete(self) -> None:
        raise bad_input("This record cannot be deleted.")


class EntityForm(RecordForm):
    """One row of a table whose entity says what can be edited."""

    system: str
    kind: str
    legend: str
    also_shown = ""  # a field that only this page may change

    def __init__(self, entity: Entity, table: Table, row: Row) -> None:
        self.entity = entity
        self.table = table
        self._first = row

    @property
    def row(self) -> Row:
        """As it is now; as it was, once it is gone."""
        return self.table.get(self._first.id) or self._first

    @abstractmethod
    def title(self) -> str: ...

    @abstractmethod
    def value(self, field: Field) -> Any: ...

    @abstractmethod
    def parsed(self, field: Field, text: str) -> Any:
        """What was typed, as the API wants it. Raises 400 for no number, no date."""

    def options(self, field: Field) -> Options:
        return tuple((str(value), label) for value, label in field.options.items())

    def more(self) -> Iterable[Section]:
        return ()

    def show(self) -> Page:
        inputs = tuple(self._input(field) for field in self.shown())
        sections = (Section(self.legend, inputs), *self.more())
        return Page(self.system, self.kind, self.title(), sections, self.deletable)

    def shown(self) -> Iterator[Field]:
        """Fields with a label and options; no ids, and a state shows its reason."""
        for field in self.entity.fields:
            named = (field.label or field.options) and field.type not in UNSHOWN
            if named and (field.writable != NEVER or field.name == self.also_shown):
                yield field

    def changes(self, form: Form) -> Iterator[tuple[Field, Any]]:
        """What was typed and differs from what is stored."""
        for field in self.shown():
            if field.is_flag:
                value: Any = field.name in form
            elif field.name in form:
                value = self.parsed(field, form[field.name])
            else:
                continue
            if value != self.value(field):
                yield field, value

    def _input(self, field: Field) -> Input:
        value, label = self.value(field), field.caption
        if field.is_flag:
            return Input(field.name, label, bool(value))
        text = "" if value is None else as_text(value)
        editable = field.writable != ON_CREATE
        return Input(field.name, label, text, self.options(field), editable)


def as_text(value: Any) -> str:
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def number(field: Field, text: str) -> Decimal:
    try:
        return Decimal(text.strip().replace(",", ".") or "0")
    except InvalidOperation as error:
        raise bad_input(f"{field.caption}: {text} is not a number.") from error
