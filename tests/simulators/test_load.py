import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from integration.simulators.load import DataFolderError
from integration.simulators.seed import describe_connections, seed
from integration.simulators.store import Row, Store
from tests.journeys.outside import IN_CI, SHARED

MINIMAL = {"number": "10000", "displayName": "Möbel Siegfried", "currencyCode": "EUR"}


def cronus_folder(name: str) -> Path:
    """A demo company of Microsoft's; it stands beside the repository or not at all."""
    folder = SHARED / "data" / "cronus" / name
    if not IN_CI and not folder.is_dir():
        pytest.skip("the demo companies are not beside this repository")
    return folder


def loaded(folder: Path) -> Store:
    store = Store(None)
    seed(store, folder=folder)
    return store


def rows(store: Store, entity_set: str) -> list[Row]:
    company = describe_connections(store)[0]["company_id"]
    return store.table(f"bc:{company}:{entity_set}").rows()


def folder_of(path: Path, **files: Any) -> Path:
    """A folder ``classic-ch`` with these files; a text is written as it is."""
    folder = path / "classic-ch"
    folder.mkdir()
    for name, content in {"customers": [MINIMAL], **files}.items():
        text = content if isinstance(content, str) else json.dumps(content)
        (folder / f"{name}.json").write_text(text)
    return folder


@pytest.mark.parametrize(
    ("name", "currency"), [("classic-w1", "GBP"), ("classic-ch", "CHF")]
)
def test_a_classic_company_loads_with_what_it_lacks(name: str, currency: str) -> None:
    store = loaded(cronus_folder(name))

    customers = rows(store, "customers")
    used = {row.values["currencyCode"] for row in customers} - {""}
    rated = {row.values["currencyCode"] for row in rows(store, "currencyExchangeRates")}
    assert len(customers) == 63
    assert used == rated
    assert used == {row.values["code"] for row in rows(store, "currencies")}
    assert rows(store, "generalLedgerSetup")[0].values["localCurrencyCode"] == currency
    assert describe_connections(store)[0]["company_name"] == name
    base = store.table("sales:transactioncurrencies").rows()[0]
    assert base.values["isocurrencycode"] == currency


def test_each_customer_is_stored_as_it_stands() -> None:
    folder = cronus_folder("classic-w1")
    source = json.loads((folder / "customers.json").read_text())

    stored = {
        row.values["number"]: row.values for row in rows(loaded(folder), "customers")
    }

    for customer in source:
        values = stored[customer["number"]]
        for name in ("displayName", "addressLine1", "city", "postalCode", "email"):
            assert values[name] == customer[name]


def test_a_full_company_brings_its_name_rates_and_terms() -> None:
    store = loaded(cronus_folder("ch"))

    assert describe_connections(store)[0]["company_name"] == "CRONUS International Ltd."
    assert len(rows(store, "currencies")) == 161
    terms = {row.id for row in rows(store, "paymentTerms")}
    assert {row.values["paymentTermsId"] for row in rows(store, "customers")} <= terms


def test_a_sales_user_is_supplied_for_each_salesperson(tmp_path: Path) -> None:
    people = [{"code": "EH", "displayName": "Ester Henderson"}]
    customers = [{**MINIMAL, "salespersonCode": "XX"}]
    folder = folder_of(tmp_path, salespeoplePurchasers=people, customers=customers)

    users = loaded(folder).table("sales:systemusers").rows()

    names = {user.values["fullname"] for user in users}
    assert {"Ester Henderson", "XX"} <= names


def test_the_local_currency_is_stored_as_blank(tmp_path: Path) -> None:
    customers = [
        {**MINIMAL, "currencyCode": code, "number": code} for code in ("CHF", "X")
    ]
    store = loaded(folder_of(tmp_path, customers=customers))

    assert [row.values["currencyCode"] for row in rows(store, "customers")] == ["", "X"]


def test_the_companys_own_words_win_over_the_folders_name(tmp_path: Path) -> None:
    about = [{"displayName": "Müller & Söhne", "currencyCode": "EUR"}]
    store = loaded(folder_of(tmp_path, companyInformation=about))

    assert describe_connections(store)[0]["company_name"] == "Müller & Söhne"
    assert rows(store, "generalLedgerSetup")[0].values["localCurrencyCode"] == "EUR"


def test_an_unknown_country_means_the_currency_most_customers_pay_in(
    tmp_path: Path,
) -> None:
    folder = folder_of(tmp_path).rename(tmp_path / "mine")

    setup = rows(loaded(folder), "generalLedgerSetup")[0]

    assert setup.values["localCurrencyCode"] == "EUR"


def test_rates_of_the_folder_keep_their_digits(tmp_path: Path) -> None:
    rate = {
        "currencyCode": "EUR",
        "startingDate": "2024-01-01",
        "exchangeRateAmount": 100,
        "relationalExchangeRateAmount": 93.1512,
    }
    store = loaded(folder_of(tmp_path, currencyExchangeRates=[rate]))

    (row,) = rows(store, "currencyExchangeRates")
    assert row.values["relationalExchangeRateAmount"] == Decimal("93.1512")


@pytest.mark.parametrize(
    ("customers", "words"),
    [
        ("[{", "customers.json, line 1, column 3: not valid JSON"),
        ("{}", "customers.json must hold a list of records"),
        ([MINIMAL, 5], "customers.json, row 2: a record must be an object"),
        ([{"number": "1"}], "customers.json, row 1, field displayName: a value is"),
        ([{"displayName": "A"}], "customers.json, row 1, field number: a value is"),
        (
            [MINIMAL, {**MINIMAL, "displayName": "B"}],
            "customers.json, row 2, field number: 10000 is the number of row 1",
        ),
        (
            [{**MINIMAL, "city": "x" * 31}],
            "customers.json, row 1, field city: the text has 31 characters, 30",
        ),
        ([{**MINIMAL, "city": 5}], "row 1, field city: 5 is not a text"),
        ([{**MINIMAL, "creditLimit": "1"}], 'field creditLimit: "1" is not a number'),
        ([{**MINIMAL, "creditLimit": True}], "field creditLimit: true is not a number"),
        ([{**MINIMAL, "taxLiable": "yes"}], "is not a true or false"),
        ([{**MINIMAL, "blocked": "Sometimes"}], "field blocked: Sometimes is not one"),
        ([{**MINIMAL, "paymentTermsCode": ["x"]}], 'paymentTermsCode: ["x"] is not a'),
        ([{**MINIMAL, "displayName": "\ud800"}], "displayName: the text holds half a"),
        ("[" * 100_000, "customers.json cannot be read"),
        (f"[{'9' * 5_000}]", "customers.json cannot be read"),
    ],
)
def test_a_broken_file_is_named_with_row_and_field(
    tmp_path: Path, customers: Any, words: str
) -> None:
    store = Store(None)

    with pytest.raises(DataFolderError) as refusal:
        seed(store, folder=folder_of(tmp_path, customers=customers))

    assert words in str(refusal.value)
    assert store.table_names() == [] or not store.setting("seed.connections")


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (
            {
                "currencyExchangeRates": [
                    {"currencyCode": "EUR", "startingDate": "1.1."}
                ]
            },
            "currencyExchangeRates.json, row 1, field startingDate: 1.1. is not a date",
        ),
        ({"paymentTerms": [{}]}, "paymentTerms.json, row 1, field code: a value is"),
        (
            {"paymentTerms": [{"code": "A"}, {"code": "a"}]},
            "paymentTerms.json, row 2, field code: A is the code of row 1 already",
        ),
        (
            {"salespeoplePurchasers": [{"code": "A", "displayName": 5}]},
            "salespeoplePurchasers.json, row 1, field displayName: 5 is not a text",
        ),
        ({"currencies": [{"code": ""}]}, "currencies.json, row 1, field code: a value"),
    ],
)
def test_other_files_are_checked_too(
    tmp_path: Path, files: dict[str, Any], words: str
) -> None:
    with pytest.raises(DataFolderError, match=words):
        loaded(folder_of(tmp_path, **files))


def test_an_answer_of_the_api_is_loaded_as_it_came(tmp_path: Path) -> None:
    answer = {"@odata.context": "x", "value": [MINIMAL]}

    assert len(rows(loaded(folder_of(tmp_path, customers=answer)), "customers")) == 1


def test_a_folder_without_customers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataFolderError, match=r"holds no customers\.json"):
        loaded(tmp_path)
