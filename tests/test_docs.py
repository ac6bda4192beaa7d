"""The documentation says what the code does: links, settings, commands, addresses."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import get_commands
from django.urls import URLPattern, URLResolver

from integration.checks import __file__ as checks_file
from integration.urls import urlpatterns

ROOT = Path(__file__).resolve().parent.parent
APP, DOCS = ROOT / "integration", ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
LINK = re.compile(r"!?\[[^\]]*\]\((?P<file>[^)#\s]*)(?:#(?P<part>[^)\s]+))?\)")
SETTING = re.compile(
    r"(?:flag|whole_number|kept_key|env\.\w+)\(\s*\"(?P<name>[A-Z_]+)\""
)
PLACE = re.compile(r"<(?:\w+:)?(?P<name>\w+)>")

MODULE = re.compile(
    r"`((?:integration/)?(?:articles|connectors|core|models|services|simulators"
    r"|tables|tests|views)/[\w/]+(?:\.(?:py|toml))?)[^`/]*`"
)


def read(page: str) -> str:
    return (DOCS / page).read_text(encoding="utf-8")


def without_code(text: str) -> str:
    """Prose only: examples in code are not links."""
    return re.sub(r"```.*?```|`[^`]*`", "", text, flags=re.DOTALL)


def headings(page: Path) -> set[str]:
    """Their anchors, as GitHub makes them."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    titles = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", title).strip().lower().replace(" ", "-")
        for title in titles
    }


def addresses(
    patterns: list[URLPattern | URLResolver], before: str = "/"
) -> Iterator[str]:
    """Every address as the documentation writes it: ``/errors/<id>/``."""
    for pattern in patterns:
        address = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from addresses(pattern.url_patterns, address)
        else:
            yield PLACE.sub(lambda found: f"<{short(found['name'])}>", address)


def short(name: str) -> str:
    return "id" if name.endswith("_id") else name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    for link in LINK.finditer(without_code(page.read_text(encoding="utf-8"))):
        if link["file"].startswith(("http:", "https:")):
            continue
        target = (page.parent / link["file"]).resolve() if link["file"] else page
        assert target.exists(), link[0]
        assert not link["part"] or link["part"] in headings(target), link[0]


def test_every_setting_is_explained() -> None:
    source = (ROOT / "syncerrors" / "settings.py").read_text(encoding="utf-8")
    names = {found["name"] for found in SETTING.finditer(source)}
    assert len(names) > 10
    assert [name for name in names if f"`{name}`" not in SETTINGS_PAGE] == []


SETTINGS_PAGE = read("administrators/settings.md")


def test_every_finding_of_the_checks_is_explained() -> None:
    source = Path(checks_file).read_text(encoding="utf-8")
    ids = set(re.findall(r"integration\.[EW]\d{3}", source))
    assert ids == set(re.findall(r"integration\.[EW]\d{3}", SETTINGS_PAGE))


def test_every_command_is_explained() -> None:
    ours = {name for name, app in get_commands().items() if app == "integration"}
    explained = headings(DOCS / "administrators" / "commands.md")
    assert ours
    assert ours <= explained


def test_every_address_is_explained() -> None:
    text = read("administrators/pages.md")
    assert [one for one in addresses(urlpatterns) if f"`{one}`" not in text] == []


def test_every_fault_of_the_simulators_is_listed() -> None:
    faults = ROOT / "integration" / "simulators" / "faults.toml"
    ids = re.findall(r"^\[(.+)\]$", faults.read_text(encoding="utf-8"), re.MULTILINE)
    text = read("developers/simulators.md")
    assert [one for one in ids if f"| `{one}` |" not in text] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_file_that_is_named_exists(page: Path) -> None:
    for name in MODULE.findall(page.read_text(encoding="utf-8")):
        path = (
            ROOT / name if name.startswith(("integration/", "tests/")) else APP / name
        )
        assert path.exists() or Path(f"{path}.py").exists(), name


def test_deploying_installs_nothing_into_a_python_that_is_externally_managed() -> None:
    commands = re.findall(r"\S*pip install", read("deploy.md"))

    assert set(commands) <= {"/opt/uv/bin/pip install"}
    assert commands
