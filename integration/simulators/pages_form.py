"""What a record page needs of a record: how to show it, save it and delete it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from integration.simulators.http import SimulatorError
from integration.simulators.pages_html import Input, Page, Section

__all__ = ["Form", "RecordForm", "bad_input", "refilled"]

#: What a page sent: fields and the texts in them; an empty box is left out.
Form = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class RecordForm:
    """``save`` raises ``SimulatorError``; ``delete`` None: no button."""

    show: Callable[[], Page]
    save: Callable[[Form], None]
    delete: Callable[[], None] | None = None


def bad_input(sentence: str) -> SimulatorError:
    return SimulatorError(400, "", sentence)


def refilled(page: Page, form: Form) -> Page:
    """The page with what was typed in place of what is stored."""
    sections = tuple(
        Section(section.legend, tuple(typed(field, form) for field in section.inputs))
        for section in page.sections
    )
    return replace(page, sections=sections)


def typed(field: Input, form: Form) -> Input:
    if isinstance(field.value, bool):
        return replace(field, value=field.name in form)
    return replace(field, value=form.get(field.name, field.value))
