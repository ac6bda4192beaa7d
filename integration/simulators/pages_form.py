"""What a record page needs of a record: how to show it, save it and delete it."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from decimal import Decimal, InvalidOperation
from typing import Any

from integration.simulators.entities import NEVER, ON_CREATE, Entity, Field
from integration.simulators.http import SimulatorError
from integration.simulators.pages_html import Form, Input, Page, Section
from integration.simulators.store import Row, Table

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
