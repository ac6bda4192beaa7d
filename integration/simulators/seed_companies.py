"""Made-up customers: the same for the same seed, none twice."""

import re
import tomllib
import unicodedata
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID, uuid5

T = TypeVar("T")
NAMESPACE = UUID("8f6b1d3c-4a0e-5b57-9c21-6f2d0a7e9b10")
WORDS: dict[str, Any] = tomllib.loads(
    Path(__file__).with_suffix(".toml").read_text("utf-8")
)


def seeded_id(*parts: object) -> str:
    """A GUID that depends only on these words."""
    return str(uuid5(NAMESPACE, ":".join(map(str, parts))))


def slug(text: str) -> str:
    """Letters and digits without marks, joined by hyphens; may be empty."""
    plain = unicodedata.normalize("NFKD", text.replace("ß", "ss").replace("ø", "o"))
    ascii_only = plain.encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", ascii_only).strip("-")


class Draw:
    """Choices that depend only on the words it was made with."""

    def __init__(self, *words: object) -> None:
        text = ":".join(map(str, words))
        self._rest = int.from_bytes(blake2b(text.encode(), digest_size=48).digest())

    def below(self, count: int) -> int:
        self._rest, found = divmod(self._rest, count)
        return found

    def pick(self, options: Sequence[T]) -> T:
        return options[self.below(len(options))]


class CompanyMaker:
    """Makes customers in Business Central's words and remembers the names it gave."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._taken: set[str] = set()
        foreign = WORDS["foreign_customers"]
        self._foreign = {code: list(names) for code, names in foreign.items()}

    def customer(self, number: str, currency: str) -> dict[str, Any]:
        """A customer who pays in that currency; names from abroad come first."""
        draw = Draw(self._seed, number, currency)
        waiting = self._foreign.get(currency)
        found = waiting.pop(0) if waiting else self._new_name(draw)
        name, _, city = found.partition("|")
        self._taken.add(slug(name))
        towns = WORDS["towns"].get(currency, WORDS["towns"]["CHF"])
        town = draw.pick([town for town in towns if city in ("", town[0])])
        values = {"number": number, "displayName": name, "currencyCode": currency}
        return values | _contact(draw, name, number, town)

    def _new_name(self, draw: Draw) -> str:
        while True:
            family = draw.pick(WORDS["family_names"])
            if draw.below(4) == 0:
                family = f"{draw.pick(WORDS['first_names'])} {family}"
            trade = draw.pick(WORDS["trades"]).format(n=family)
            name = f"{trade} {draw.pick(WORDS['legal_forms'])}"
            if slug(name) not in self._taken:
                return name
            draw = Draw(name, draw.below(1 << 30), len(self._taken))


def _contact(draw: Draw, name: str, number: str, town: Sequence[str]) -> dict[str, Any]:
    """Address, telephone, e-mail and website of a company in that town."""
    city, postal_code, state, country = town
    domain = f"{slug(name)[:60].strip('-') or 'kunde-' + number}.example"
    local = draw.pick(("info", "contact", "kontakt", "bonjour"))
    line = f"555 {draw.below(90) + 10} {draw.below(90) + 10}"
    return {
        "type": "Company",
        "addressLine1": draw.pick(WORDS["streets"]).format(n=draw.below(120) + 1),
        "addressLine2": "",
        "city": city,
        "state": state,
        "country": country,
        "postalCode": postal_code,
        "phoneNumber": f"{WORDS['dialling'][country]} {line}",
        "email": f"{local}@{domain}",
        "website": f"https://www.{domain}",
        "blocked": "",
    }
