"""The Business Central sets of this simulator, read from their data file."""

import tomllib
from pathlib import Path
from typing import Any

from integration.simulators.entities import Entity, Field, Relation


def _field(row: dict[str, Any]) -> Field:
    values = tuple(row.pop("values", ()))
    relation = row.pop("relation", None)
    return Field(
        **row, values=values, relation=Relation(*relation) if relation else None
    )


def _entity(name: str, row: dict[str, Any]) -> Entity:
    return Entity(
        name,
        fields=tuple(_field(field) for field in row.pop("fields")),
        verbs=frozenset(row.pop("verbs", ())),
        indexes=tuple(row.pop("indexes", ())),
        **row,
    )


_ROWS = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
ENTITIES = {name: _entity(name, row) for name, row in _ROWS.items()}

COMPANIES = ENTITIES["companies"]
COMPANY_INFORMATION = ENTITIES["companyInformation"]
CURRENCIES = ENTITIES["currencies"]
CUSTOMERS = ENTITIES["customers"]
EXCHANGE_RATES = ENTITIES["currencyExchangeRates"]
GENERAL_LEDGER_SETUP = ENTITIES["generalLedgerSetup"]
JOB_QUEUE_ENTRIES = ENTITIES["jobQueueEntries"]
