"""Words the made-up companies are built from, read from their data file."""

import tomllib
from pathlib import Path
from typing import NamedTuple

__all__ = [
    "COUNTRIES",
    "CURRENCIES",
    "DIALLING",
    "FAMILY_NAMES",
    "FIRST_NAMES",
    "FOREIGN_CUSTOMERS",
    "LEGAL_FORMS",
    "LOCAL_CURRENCIES",
    "STREETS",
    "TOWNS",
    "TRADES",
    "Money",
    "Town",
]


class Town(NamedTuple):
    """A place with the post code, canton or county and country of its centre."""

    city: str
    postal_code: str
    state: str
    country: str


class Money(NamedTuple):
    """A currency: its name and sign, and what 100 units cost in Swiss francs."""

    code: str
    name: str
    symbol: str
    francs_per_hundred: str


_WORDS = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))

FAMILY_NAMES: list[str] = _WORDS["family_names"]
FIRST_NAMES: list[str] = _WORDS["first_names"]
TRADES: list[str] = _WORDS["trades"]
LEGAL_FORMS: list[str] = _WORDS["legal_forms"]
STREETS: list[str] = _WORDS["streets"]
COUNTRIES: dict[str, str] = _WORDS["countries"]
DIALLING: dict[str, str] = _WORDS["dialling"]
#: By the country in the name of a data folder.
LOCAL_CURRENCIES: dict[str, str] = _WORDS["local_currencies"]
CURRENCIES = {code: Money(code, *words) for code, words in _WORDS["currencies"].items()}
#: By the currency that customers there pay in.
TOWNS = {
    code: [Town(*words) for words in towns] for code, towns in _WORDS["towns"].items()
}
#: Names that no rule would make, by currency; after a bar the town.
FOREIGN_CUSTOMERS: dict[str, list[str]] = _WORDS["foreign_customers"]
