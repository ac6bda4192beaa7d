"""One request to either API, alone or as a part of a batch, its answer and refusals."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from werkzeug.datastructures import Headers

from integration.simulators.http import Notes, SimulatorError

GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z", re.IGNORECASE)
ODATA = {"OData-Version": "4.0"}
_PREFERENCE = re.compile(r'([\w.\-]+)(?:\s*=\s*("[^"]*"|[^,;\s]*))?')
_REFUSALS = tomllib.loads(Path(__file__).with_name("refusals.toml").read_text("utf-8"))


def refusal(id: str, /, **words: object) -> SimulatorError:
    """To be raised: a row of ``refusals.toml``, its text filled with ``words``."""
    row = _REFUSALS[id]
    text = row["text"].format_map(words)
    return SimulatorError(row["status"], row["code"], text, row.get("headers"))


@dataclass(frozen=True)
class Answer:
    """``body`` None: without content; text goes out as it is, all else as JSON."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    content_id: str = ""


@dataclass(frozen=True)
class Call:
    """``path`` is below ``root``, the absolute address of the API."""

    method: str
    path: str
    options: Mapping[str, str]
    headers: Headers
    body: Any
    root: str
    notes: Notes

    @cached_property
    def prefer(self) -> dict[str, str]:
        """The ``Prefer`` header by name; a name without value is ""."""
        pairs = _PREFERENCE.findall(",".join(self.headers.getlist("Prefer")))
        return {name.lower(): value.strip('"') for name, value in pairs}

    def page_size(self) -> int | None:
        """What the client prefers; None: nothing, or no number."""
        wanted = self.prefer.get("odata.maxpagesize", "")
        return int(wanted) if wanted.isdecimal() else None

    def note_part(self, method: str, path: str, status: int, records: int = 0) -> None:
        """Write down what a part of this batch asked, and what it was told."""
        entry = {"method": method, "path": path, "status": status}
        self.notes.parts.append({**entry, "records": records})
        self.notes.records += records
