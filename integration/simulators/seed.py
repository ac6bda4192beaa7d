"""Fills an empty store, and tells others how to reach what is in it."""

from pathlib import Path
from typing import Any

from integration.simulators.load import load_folder
from integration.simulators.seed_companies import CompanyMaker
from integration.simulators.seed_demo import seed_demo
from integration.simulators.seed_ground import ENVIRONMENT, Ground
from integration.simulators.store import Store

GENERATED_COMPANY = "Manufacture Jurassienne SA"
#: One of these for each customer in turn, so that every currency has its share.
GENERATED_MIX = ("CHF", "EUR", "CHF", "EUR", "CHF", "USD", "CHF", "EUR", "GBP", "CHF")
RARE = ("DKK", "SEK", "NOK", "CZK", "PLN", "JPY", "BGN")
FIRST_NUMBER = 100_001


def seed(
    store: Store,
    seed_number: int = 1,
    *,
    records: int | None = None,
    folder: Path | None = None,
) -> bool:
    """Fill the store: from a folder, with so many records, else the demonstration.

    False when it already holds data, which then stays as it is. Raises
    ``DataFolderError``; nothing is kept of a folder that cannot be read whole.
    """
    if store.setting("seed.connections"):
        return False
    with store.transaction():
        if folder is not None:
            load_folder(store, folder)
        elif records is not None:
            seed_generated(store, records, seed_number)
        else:
            seed_demo(store, seed_number)
    return True


def seed_generated(store: Store, records: int, seed_number: int) -> None:
    """So many customers in one company, without a planted fault; Sales is empty."""
    ground = Ground(store, seed_number)
    ground.organization("CHF")
    company = ground.company(GENERATED_COMPANY, "CHF")
    for code in dict.fromkeys((*GENERATED_MIX, *RARE)):
        if code != "CHF":
            ground.currency(company, code)
    ground.one_connection(company)
    maker = CompanyMaker(seed_number)
    for place in range(records):
        code = GENERATED_MIX[place % len(GENERATED_MIX)]
        if place % 25 == 24:
            code = RARE[place // 25 % len(RARE)]
        customer = maker.customer(str(FIRST_NUMBER + place), code)
        ground.customer(company, customer, place)


def describe_connections(store: Store) -> list[dict[str, str]]:
    """The connections quickstart makes: company and sign-in of each.

    Keys: ``name``, ``company_id``, ``company_name``, ``sign_in`` (``client_secret`` or
    ``user_account``), ``client_id``, and ``client_secret`` or ``user``, ``password``.
    """
    return [dict(found) for found in store.setting("seed.connections", [])]


def simulators_json(store: Store, base_url: str) -> dict[str, Any]:
    """What an outside client needs to know of the running simulators (design §10).

    ``bc_url`` and ``sales_url`` stand for ``https://api.businesscentral.dynamics.com``
    and ``https://{org}.dynamics.com``: the paths of the real addresses follow them.
    """
    tenant = store.setting("tenant")
    connections = describe_connections(store)
    wanted = ("company_id", "company_name", "client_id", "client_secret")
    return {
        "authority": base_url,
        "token_url": f"{base_url}/{tenant}/oauth2/v2.0/token",
        "bc_url": f"{base_url}/bc",
        "bc_web_url": f"{base_url}/bc",
        "sales_url": f"{base_url}/sales",
        "sales_web_url": f"{base_url}/sales",
        "control_url": f"{base_url}/control",
        "tenant": tenant,
        "environment": ENVIRONMENT,
        **{name: connections[0][name] for name in wanted},
        **store.setting("seed.user"),
        "connections": connections,
    }
