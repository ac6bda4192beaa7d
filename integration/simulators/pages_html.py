"""The markup of the record pages: a heading, labelled fields, Save and Delete."""

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape

__all__ = ["Input", "Page", "Section", "document", "message_page", "render"]

STYLE = """
:root { color-scheme: light dark; font: 14px/1.4 system-ui, sans-serif; }
body { margin: 0 auto; padding: 16px; max-width: 60rem; }
header { border-bottom: 2px solid; padding-bottom: 8px; }
header p { margin: 0; }
h1 { margin: 4px 0; font-size: 22px; overflow-wrap: anywhere; }
h2, legend { font-size: 15px; font-weight: 600; }
fieldset { border: 1px solid #8885; margin: 16px 0; padding: 8px 12px 16px; }
.fields { display: grid; gap: 12px 20px;
  grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); }
label { display: block; }
label.check { display: flex; gap: 8px; align-items: baseline; min-height: 24px; }
input, select, button { font: inherit; padding: 6px 8px; box-sizing: border-box; }
input:not([type=checkbox]), select { width: 100%; }
input[readonly] { opacity: .7; }
button { min-height: 36px; padding: 6px 20px; margin-right: 8px; }
.refusal, .notice { border-left: 4px solid #c0392b; padding: 8px 12px; }
.notice { border-color: #1e8449; }
:focus-visible { outline: 2px solid #2563eb; outline-offset: 2px; }
"""


@dataclass(frozen=True, slots=True)
class Input:
    """One field. ``options`` makes it a list, a ``bool`` value a check box."""

    name: str
    label: str
    value: str | bool
    options: tuple[tuple[str, str], ...] = ()
    editable: bool = True


@dataclass(frozen=True, slots=True)
class Section:
    """Fields under one heading."""

    legend: str
    inputs: tuple[Input, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """A record as a page shows it.

    ``refusal`` is why the last Save was not done, ``notice`` that it was.
    """

    system: str
    kind: str
    title: str
    sections: tuple[Section, ...]
    deletable: bool = False
    refusal: str = ""
    notice: str = ""


def document(title: str, body: str) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>"
        f"<body>{body}</body></html>"
    )


def render(page: Page) -> str:
    """The whole page of a record."""
    delete = '<button name="action" value="delete">Delete</button>'
    body = [
        f"<header><p>{escape(page.system)} · {escape(page.kind)}</p>",
        f"<h1>{escape(page.title)}</h1></header><main>",
        *said("refusal", "alert", page.refusal),
        *said("notice", "status", page.notice),
        '<form method="post">',
        *(render_section(section) for section in page.sections),
        '<button name="action" value="save">Save</button>',
        delete if page.deletable else "",
        "</form></main>",
    ]
    return document(f"{page.title} · {page.kind}", "".join(body))


def said(kind: str, role: str, text: str) -> Iterable[str]:
    if text:
        yield f'<p class="{kind}" role="{role}">{escape(text)}</p>'


def render_section(section: Section) -> str:
    inputs = "".join(map(render_input, section.inputs))
    return (
        f"<fieldset><legend>{escape(section.legend)}</legend>"
        f'<div class="fields">{inputs}</div></fieldset>'
    )


def render_input(field: Input) -> str:
    label, name = escape(field.label), escape(field.name)
    if isinstance(field.value, bool):
        mark = " checked" if field.value else ""
        box = f'<input type="checkbox" name="{name}" value="1"{mark}>'
        return f'<label class="check">{box}{label}</label>'
    if field.options:
        options = render_options(field)
        return f'<label>{label}<select name="{name}">{options}</select></label>'
    lock = "" if field.editable else " readonly"
    value = escape(field.value)
    return f'<label>{label}<input name="{name}" value="{value}"{lock}></label>'


def render_options(field: Input) -> str:
    return "".join(
        f'<option value="{escape(value)}"{" selected" if value == field.value else ""}>'
        f"{escape(label)}</option>"
        for value, label in field.options
    )


def message_page(title: str, sentence: str) -> str:
    """A page that only says something, as when the record is gone."""
    return document(
        title, f"<main><h1>{escape(title)}</h1><p>{escape(sentence)}</p></main>"
    )
