"""What a record page needs of a record, and its markup: fields, Save and Delete."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from html import escape
from pathlib import Path
from string import Template
from typing import Any, NamedTuple

from integration.simulators.entities import NEVER, ON_CREATE, Entity, Field
from integration.simulators.http import SimulatorError
from integration.simulators.store import Row, Store, Table

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
    """What a page needs of its record. ``save`` raises ``SimulatorError``."""

    deletable = False

    @abstractmethod
    def show(self) -> Page: ...

    @abstractmethod
    def save(self, form: Form) -> None: ...

    def delete(self) -> None:
        raise bad_input("This record cannot be deleted.")


class Line(NamedTuple):
    """One record of a page: its heading, and what of it can be edited.

    ``prefix`` tells its fields from those of other lines. ``row`` None: the line adds
    a record, which begins with ``values``.
    """

    legend: str
    fields: Sequence[Field]
    row: Row | None
    prefix: str = ""
    values: Mapping[str, Any] = {}


class EntityForm(RecordForm):
    """Rows of a table whose entity says how they are shown and typed."""

    system: str
    kind: str
    asked: tuple[str, ...] = ()  # fields one of which must be typed to add a record

    def __init__(self, store: Store, entity: Entity, table: Table) -> None:
        self.store = store
        self.entity = entity
        self.table = table

    @abstractmethod
    def title(self) -> str: ...

    @abstractmethod
    def lines(self) -> Iterable[Line]: ...

    @abstractmethod
    def value(self, row: Row, field: Field) -> Any: ...

    @abstractmethod
    def parsed(self, field: Field, text: str) -> Any:
        """What was typed, as the API wants it. Raises 400 for no number, no date."""

    @abstractmethod
    def write(self, row: Row | None, changes: dict[str, Any]) -> None: ...

    def options(self, field: Field, value: Any) -> Options:
        return tuple((str(key), label) for key, label in field.options.items())

    def more(self) -> Iterable[Section]:
        return ()

    def show(self) -> Page:
        sections = [
            Section(line.legend, tuple(self._input(line, f) for f in line.fields))
            for line in self.lines()
        ]
        all_sections = (*sections, *self.more())
        return Page(self.system, self.kind, self.title(), all_sections, self.deletable)

    def save(self, form: Form) -> None:
        """Only what was changed is written, by the rules of the API."""
        with self.store.transaction():
            for line in self.lines():
                typed = [form.get(f"{line.prefix}{name}", "") for name in self.asked]
                if line.row or any(text.strip() for text in typed):
                    changes = dict(self._changes(line, form))
                    if changes:
                        self.write(line.row, changes)

    def _changes(self, line: Line, form: Form) -> Iterator[tuple[str, Any]]:
        for field in line.fields:
            name = f"{line.prefix}{field.name}"
            if field.is_flag:
                value: Any = name in form
            elif name in form:
                value = self.parsed(field, form[name])
            else:
                continue
            if line.row is None or value != self.value(line.row, field):
                yield field.name, value

    def _input(self, line: Line, field: Field) -> Input:
        name, label = f"{line.prefix}{field.name}", field.caption
        if line.row is None:
            return Input(name, label, line.values.get(field.name, ""))
        value = self.value(line.row, field)
        if field.is_flag:
            return Input(name, label, bool(value))
        text = "" if value is None else as_text(value)
        options, editable = self.options(field, value), field.writable != ON_CREATE
        return Input(name, label, text, options, editable)


def editable(entity: Entity, also: str = "") -> list[Field]:
    """Fields with a label or options; no ids, and a state shows its reason.

    ``also``: a field that only the page may change.
    """
    return [
        field
        for field in entity.fields
        if (field.label or field.options)
        and field.type not in UNSHOWN
        and (field.writable != NEVER or field.name == also)
    ]


def as_text(value: Any) -> str:
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def number(field: Field, text: str) -> Decimal:
    try:
        return Decimal(text.strip().replace(",", ".") or "0")
    except InvalidOperation as error:
        raise bad_input(f"{field.caption}: {text} is not a number.") from error
