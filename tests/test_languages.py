"""French is a first language: every text is there, and the compiled file is current."""

import ast
import gettext
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.utils.translation.template import templatize

ROOT = Path(settings.BASE_DIR)
CATALOG = ROOT / "locale" / "fr_CH" / "LC_MESSAGES" / "django.po"
CALLS = {"_": 0, "gettext": 0, "gettext_lazy": 0, "ngettext": 0, "ngettext_lazy": 0}
CALLS |= {"gettext_noop": 0}
CALLS |= {"pgettext": 1, "pgettext_lazy": 1, "npgettext": 1}
"""Functions and the place of their text; the one before it is its context."""
STRING = r"(?:\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*')"
IN_TEMPLATE = re.compile(rf"\b(_|n?p?gettext)\(u?({STRING})(?:,\s*u?({STRING}))?")
Key = tuple[str, str]
"""Context and text."""


def in_python(path: Path) -> Iterator[Key]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        texts = [one.value for one in node.args if isinstance(one, ast.Constant)]
        if name in CALLS and texts and isinstance(texts[0], str):
            place = CALLS[name]
            yield (str(texts[0]) if place else "", str(texts[place]))


def in_template(path: Path) -> Iterator[Key]:
    source = templatize(path.read_text(encoding="utf-8"), origin=path.name)
    for name, first, second in IN_TEMPLATE.findall(source):
        text, other = ast.literal_eval(first), second and ast.literal_eval(second)
        yield (text, other) if "pgettext" in name else ("", text)


def wanted() -> set[Key]:
    python = [*ROOT.glob("integration/**/*.py"), *ROOT.glob("syncerrors/*.py")]
    found = {key for path in python for key in in_python(path)}
    return found | {
        key for path in ROOT.glob("templates/**/*.html") for key in in_template(path)
    }


def entries() -> Iterator[dict[str, str]]:
    """The entries of the catalogue, each by keyword."""
    for block in CATALOG.read_text(encoding="utf-8").strip().split("\n\n"):
        entry: dict[str, str] = {"flags": ""}
        keyword = ""
        for line in block.splitlines():
            if line.startswith("#,"):
                entry["flags"] += line
            match = re.match(r"(msg[a-z_]+(?:\[\d\])?) (\".*\")", line)
            keyword = match[1] if match else keyword
            literal = match[2] if match else line
            if literal.startswith('"'):
                entry[keyword] = entry.get(keyword, "") + ast.literal_eval(literal)
        yield entry


def texts(entry: dict[str, str]) -> list[str]:
    return [value for name, value in entry.items() if name.startswith("msgstr")]


def test_every_text_of_pages_and_services_is_in_the_french_catalogue() -> None:
    known = {(one.get("msgctxt", ""), one["msgid"]) for one in entries()}

    assert wanted() - known == set()


def test_no_french_text_is_missing_or_uncertain() -> None:
    bad = [one["msgid"] for one in entries() if not all(texts(one))]
    uncertain = [one["msgid"] for one in entries() if "fuzzy" in one["flags"]]

    assert bad + uncertain == []


def test_the_compiled_french_is_that_of_the_catalogue() -> None:
    with CATALOG.with_suffix(".mo").open("rb") as compiled:
        found = gettext.GNUTranslations(compiled)
    for one in entries():
        if not one["msgid"]:
            continue
        assert compiled_forms(found, one) == texts(one), one["msgid"]


def compiled_forms(found: gettext.GNUTranslations, one: dict[str, str]) -> list[str]:
    text, context = one["msgid"], one.get("msgctxt")
    if "msgid_plural" in one:
        plural = one["msgid_plural"]
        if context:
            return [found.npgettext(context, text, plural, n) for n in (1, 2)]
        return [found.ngettext(text, plural, n) for n in (1, 2)]
    return [found.pgettext(context, text) if context else found.gettext(text)]


@pytest.mark.parametrize("sign", [":", ";", "?", "!", "»"])
def test_no_french_line_may_break_before_a_high_sign(sign: str) -> None:
    assert [t for one in entries() for t in texts(one) if f" {sign}" in t] == []


def test_both_languages_name_the_same_values() -> None:
    values = re.compile(r"%\((\w+)\)s|\{(\w+)\}")
    for one in entries():
        if one["msgid"]:
            in_english = set(values.findall(one.get("msgid_plural", one["msgid"])))
            in_french = set(values.findall(texts(one)[-1]))
            assert in_english == in_french, one["msgid"]
