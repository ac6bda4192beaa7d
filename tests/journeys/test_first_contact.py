"""Two filled systems meet: nothing is created before a person has seen the plan."""

import unicodedata
from pathlib import Path
from typing import Any

import pytest

from tests.journeys import outside

pytestmark = pytest.mark.journey

PAIRS, AMBIGUOUS, ONE_SIDED = 500, 10, 15


def disguised(name: str) -> str:
    """The same name with other case, accents, blanks and punctuation."""
    bare = unicodedata.normalize("NFKD", name)
    bare = "".join(c for c in bare if not unicodedata.combining(c))
    return bare.upper().replace(" & ", " AND ").replace(".", "") + " "


def customer(number: int, name: str, post_code: str = "1204") -> dict[str, Any]:
    return {
        "number": f"C{number:05}",
        "displayName": name,
        "postalCode": post_code,
        "currencyCode": "CHF",
        "country": "CH",
        "email": "",
    }


def account(name: str, post_code: str = "1204") -> dict[str, Any]:
    return {
        "name": name,
        "address1_postalcode": post_code,
        "customertypecode": 3,
        "statecode": 0,
        "statuscode": 1,
    }


def fill(systems: outside.Systems) -> None:
    """500 pairs, 20 ambiguous records, 30 one-sided ones."""
    names = [f"Hôtel Bellevue & Fils n° {n} S.A." for n in range(PAIRS)]
    customers = [customer(n, name) for n, name in enumerate(names)]
    accounts = [account(disguised(name)) for name in names]
    for n in range(AMBIGUOUS // 2):
        twin = f"Zwilling {n} AG"
        customers += [customer(1000 + 2 * n, twin), customer(1001 + 2 * n, twin)]
        accounts += [account(twin.upper()), account(twin)]
    customers += [customer(2000 + n, f"Nur hier {n}") for n in range(ONE_SIDED)]
    accounts += [account(f"Seulement là {n}") for n in range(ONE_SIDED)]
    outside.add_records(systems, "customers", customers)
    outside.add_records(systems, "accounts", accounts, system="sales")


def creations(systems: outside.Systems) -> int:
    return sum(part["method"] == "POST" for part in outside.writes(systems.requests()))


def test_nothing_is_created_before_the_review_is_accepted(tmp_path: Path) -> None:
    port = outside.free_port()
    with outside.simulators(tmp_path, "--records", "0", port=port) as systems:
        fill(systems)
    done = outside.quickstart(tmp_path, "--no-accept", sim_port=port)
    assert done.code == 0, done.err

    with outside.simulators(tmp_path, port=port) as systems:
        before_customers = len(systems.business_central("customers"))
        before_accounts = len(systems.sales("accounts"))
        assert creations(systems) == 0
        plan = outside.manage(tmp_path, "review", "CUSTOMER", "--json")
        assert plan.code == 0, plan.err
        assert outside.manage(tmp_path, "review", "--accept").code == 0
        outside.manage(tmp_path, "sync")
        customers = len(systems.business_central("customers"))
        accounts = len(systems.sales("accounts"))

    assert customers - before_customers == ONE_SIDED
    assert accounts - before_accounts == ONE_SIDED
