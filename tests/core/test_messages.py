"""A corpus of real and catalogued messages: each finds its article and its problem.

``messages.jsonl`` was written by hand from the error catalogue, the texts of Business
Central's own integration and public threads, with the source beside each. Messages of
one ``article`` and ``problem`` belong together whatever their values, all others apart;
some are problems of each system (``BY_SYSTEM``). ``{guid}``, ``{name}`` and so on stand
for values drawn anew for every message; ``made_up.txt`` holds messages of nobody.
"""

import json
import random
import re
import tomllib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from integration.core.causes import Cause
from integration.core.classify import classify
from integration.core.explain import explain
from integration.core.failures import Failure, FailureKind
from integration.core.records import System
from integration.services.articles import catalog

HERE = Path(__file__).parent
PATTERN_DRAWS = 3
"""How often a message with places is drawn."""
MOST_SPLITS = 0.02
_PLACE = re.compile(r"\{(\w+)\}")
_MONTHS = {"en": "March", "fr": "mars"}
Draw = Callable[[random.Random, str], str]


def guid(chance: random.Random, _language: str = "") -> str:
    return str(UUID(int=chance.getrandbits(128)))


def trace(chance: random.Random, language: str) -> str:
    """As Entra ends its messages, in one line or in four."""
    end = chance.choice([" ", "\r\n"])
    names = ["ID de trace : ", "ID de corrélation : "]
    if language == "en":
        names = ["Trace ID: ", "Correlation ID: "]
    day = f"2026-{chance.randint(1, 12):02}-11"
    stamp = f"Timestamp: {day} 07:05:{chance.randint(10, 59)}Z"
    return "".join(f"{end}{one}{guid(chance)}" for one in names) + end + stamp


def name(chance: random.Random, language: str) -> str:
    names = {
        "en": [
            "Adatum Corporation",
            "O'Neill & Sons",
            "School of Fine Art",
            "B.C. 2000",
        ],
        "fr": ["Fabrique du Léman SA", "L'Atelier d'Anna", "Coop Genève", "Café n° 7"],
    }
    return chance.choice(names[language])


DRAWS: dict[str, Draw] = {
    "guid": guid,
    "trace": trace,
    "name": name,
    "n": lambda chance, _: str(chance.randint(2, 99_999)),
    "n3": lambda chance, _: str(chance.randint(251, 999)),
    "number": lambda chance, _: chance.choice(
        ["10000", "C00010", "CV-2411", "01445544"]
    ),
    "mail": lambda chance, _: (
        f"sync{chance.randint(1, 99)}@leman{chance.randint(1, 9)}.ch"
    ),
    "url": lambda chance, _: f"https://leman{chance.randint(1, 99)}.crm4.dynamics.com/",
    "host": lambda chance, _: f"leman{chance.randint(1, 99)}.crm4.dynamics.com",
    "hex": lambda chance, _: f"{chance.getrandbits(160):040X}",
    "service": lambda chance, _: chance.choice(["Dataverse", "Dynamics 365 Sales"]),
    "dd": lambda chance, language: chance.choice(
        ["22.11.26", "11/22/26", "2026-11-22", f"3 {_MONTHS[language]} 2027"]
    ),
}


@dataclass(frozen=True, slots=True)
class Message:
    """One message as a system says it, and where it belongs."""

    line: int
    by: str
    status: int
    code: str
    article: str
    problem: str
    text: str

    @property
    def expected(self) -> tuple[str, str, str]:
        return self.article, self.by if self.article in BY_SYSTEM else "", self.problem

    def cause(self) -> Cause:
        """As the engine meets it."""
        kind = KINDS.get(self.article, FailureKind.REFUSED)
        said = Failure(System(self.by), kind, self.code, self.text, self.status)
        return classify(said, catalog())


KINDS = {
    "record-deleted-bc": FailureKind.NOT_FOUND,
    "dv-duplicate-id": FailureKind.EXISTS,
    "stale-write": FailureKind.STALE,
    "net-certificate": FailureKind.CONNECTION,
    "net-timeout": FailureKind.TRANSIENT,
    "bc-unavailable": FailureKind.TRANSIENT,
    "dv-unavailable": FailureKind.TRANSIENT,
    "bc-throttled": FailureKind.THROTTLED,
    "dv-throttled": FailureKind.THROTTLED,
}
"""What the connectors say of these; the others are plain refusals."""
BY_SYSTEM = {"table-not-found", "field-not-found", "stale-write", "net-timeout"}


def lines() -> list[dict[str, Any]]:
    text = (HERE / "messages.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def corpus(seed: int) -> Iterator[Message]:
    chance = random.Random(seed)  # noqa: S311  (test data)
    for number, line in enumerate(lines(), 1):
        for _draw in range(PATTERN_DRAWS if _PLACE.search(line["message"]) else 1):
            yield Message(
                number,
                line["by"],
                line["status"],
                line["code"],
                line["article"],
                line["problem"],
                drawn(line["message"], chance, line["language"]),
            )


def drawn(text: str, chance: random.Random, language: str) -> str:
    return _PLACE.sub(lambda found: DRAWS[found[1]](chance, language), text)


def made_up() -> list[str]:
    text = (HERE / "made_up.txt").read_text(encoding="utf-8")
    return text.splitlines()


@pytest.fixture(params=range(3))
def seed(request: pytest.FixtureRequest) -> int:
    """Three draws that stay, so that a failure is that of a change."""
    return int(request.param)


def test_the_corpus_is_large_in_both_languages_and_names_its_sources() -> None:
    known = lines()
    found = list(corpus(1))

    assert len(found) >= 300
    assert len(known) >= 200
    assert sum(line["language"] == "fr" for line in known) >= 40
    assert sum(line["source"].startswith("https://") for line in known) >= 30
    assert all(line["source"] for line in known)
    assert len({line["article"] for line in known}) >= 60


def test_each_message_finds_its_article(seed: int) -> None:
    wrong = [
        f"{said.line}: {found or 'nobody'}, not {said.article}: {said.text}"
        for said in corpus(seed)
        if (found := said.cause().article) != said.article
    ]

    assert not wrong, "\n".join(wrong)


def test_messages_of_one_problem_are_joined_and_others_are_not(seed: int) -> None:
    by_problem: dict[tuple[str, str, str], list[Message]] = defaultdict(list)
    for said in corpus(seed):
        by_problem[said.expected].append(said)

    owners: dict[str, tuple[str, str, str]] = {}
    splits, joins, messages = [], [], 0
    for expected, members in by_problem.items():
        prints = Counter(said.cause().fingerprint for said in members)
        main = prints.most_common(1)[0][0]
        messages += len(members)
        splits += [said for said in members if said.cause().fingerprint != main]
        joins += [
            expected for one in prints if owners.setdefault(one, expected) != expected
        ]

    assert not joins, joins
    told = "\n".join(f"{said.line}: {said.text}" for said in splits)
    assert len(splits) <= MOST_SPLITS * messages, told


def test_a_pasted_message_is_explained_without_a_connection(seed: int) -> None:
    """Without knowing who said it; with its code, as a body holds it."""
    wrong = []
    for said in corpus(seed):
        if not is_known_by_itself(said):
            continue
        body = json.dumps({"error": {"code": said.code, "message": said.text}})
        found = {cause.article for cause in explain(body, catalog())}
        if said.article not in found:
            wrong.append(f"{said.line}: {found}, not {said.article}: {said.text}")

    assert not wrong, "\n".join(wrong)


def is_known_by_itself(said: Message) -> bool:
    """Whether the words or the code tell it, not only the HTTP status."""
    return bool(said.code) or said.text != "Service Temporarily Unavailable"


def test_nobody_knows_what_was_made_up() -> None:
    texts = made_up()
    classified = [
        text
        for text in texts
        for system in System
        if classify(
            Failure(system, FailureKind.REFUSED, "", text, 400), catalog()
        ).article
        or explain(text, catalog())[0].article
    ]

    assert len(set(texts)) >= 100
    assert classified == []


def test_no_answer_of_the_simulators_tells_the_cause() -> None:
    """What they send is what the systems send: nothing carries an id of ours."""
    articles = catalog().articles.values()
    ours = {*catalog().articles, *(row for one in articles for row in one.catalog)}
    folder = HERE.parent.parent / "integration" / "simulators"
    sent = [
        f"{row.get('code', '')} {row.get('message', '')}"
        for file in ("faults.toml", "refusals.toml", "entra.toml")
        for row in tables(tomllib.loads((folder / file).read_text(encoding="utf-8")))
    ]

    assert len(sent) > 60
    assert [
        text for text in sent if any(one in text for one in ours if "-" in one)
    ] == []


def tables(value: Any) -> Iterator[dict[str, Any]]:
    """Every table of a TOML file, however deep."""
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from tables(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from tables(inner)
