import json

import pytest

from integration.simulators.faults import Faults
from integration.simulators.sales_security import privilege
from tests.simulators.sales_client import (
    TYPE,
    SalesClient,
    currency_id,
    demo_client,
    empty_client,
    error_of,
)

BULK = "accounts/Microsoft.Dynamics.CRM."


def change_role(client: SalesClient, **values: object) -> None:
    roles = client.store.table("sales:roles")
    roles.update(roles.rows()[0], dict(values))


def test_an_account_is_created_with_the_id_its_creator_chose(
    client: SalesClient,
) -> None:
    key = "11111111-2222-3333-4444-555555555555"

    answer = client.call("POST", "accounts", {"accountid": key, "name": "Käser AG"})

    assert answer.status_code == 204
    assert answer.headers["OData-EntityId"].endswith(f"accounts({key})")
    assert client.get(f"accounts({key})?$select=name")["name"] == "Käser AG"


def test_a_second_create_with_the_same_id_is_refused(client: SalesClient) -> None:
    key = client.create(name="Käser AG")

    answer = client.call("POST", "accounts", {"accountid": key, "name": "Other"})

    assert error_of(answer) == (412, "0x80040237")


def test_every_answer_names_its_request(client: SalesClient) -> None:
    first, second = (client.call("GET", "WhoAmI") for _ in range(2))

    name = "x-ms-service-request-id"
    assert first.headers[name] != second.headers[name]
    assert first.headers["REQ_ID"] == first.headers[name]


def test_a_call_without_a_token_is_challenged(client: SalesClient) -> None:
    answer = client.call("GET", "WhoAmI", Authorization="Bearer old")

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer authorization_uri=")


def test_who_am_i_leads_to_the_user_and_its_roles() -> None:
    client = demo_client()
    user = client.get("WhoAmI")["UserId"]

    expand = "systemuserroles_association($select=name,_roletemplateid_value)"
    found = client.get(f"systemusers({user})?$select=accessmode&$expand={expand}")

    assert found["accessmode"] == 4
    role = found["systemuserroles_association"][0]
    assert role["name"] == "Business Central Dataverse Integration"
    assert role["_roletemplateid_value"] is None


@pytest.mark.parametrize(
    ("payload", "refusal"),
    [
        ({"name": "x" * 161}, (400, "0x80044331")),
        ({"nme": "x"}, (400, "0x80060888")),
        ({"name": 5}, (400, "0x80048d19")),
        ({"customertypecode": 13}, (400, "0x8004431A")),
        ({"transactioncurrencyid": "x"}, (400, "0x80048d19")),
        ({"currency@odata.bind": "/x(1)"}, (400, "0x80048d19")),
        ({"creditlimit": 5}, (400, "0x80048cfb")),
        ({"statecode": 1}, (400, "0x80040203")),
        ({"modifiedon": "2026-01-01T00:00:00Z"}, (400, "0x80040203")),
        ({"accountid": "no"}, (400, "0x80048d19")),
    ],
)
def test_a_bad_account_is_refused(
    client: SalesClient, payload: dict[str, object], refusal: tuple[int, str]
) -> None:
    assert error_of(client.call("POST", "accounts", payload)) == refusal
    assert client.get("accounts")["value"] == []


def test_an_empty_text_is_stored_as_nothing(client: SalesClient) -> None:
    key = client.create(name="A", telephone1="")

    assert client.get(f"accounts({key})")["telephone1"] is None


def test_a_lookup_is_written_by_bind_and_read_as_value(client: SalesClient) -> None:
    franc = currency_id(client, "CHF")
    bind = {"transactioncurrencyid@odata.bind": f"/transactioncurrencies({franc})"}
    key = client.create(name="A", **bind)

    read = client.get(f"accounts({key})?$select=_transactioncurrencyid_value")
    assert read["_transactioncurrencyid_value"] == franc

    client.call("PATCH", f"accounts({key})", {"transactioncurrencyid@odata.bind": None})
    assert client.get(f"accounts({key})")["_transactioncurrencyid_value"] is None


def test_a_bind_to_a_missing_row_is_refused(client: SalesClient) -> None:
    gone = "/transactioncurrencies(11111111-2222-3333-4444-555555555555)"

    answer = client.call("POST", "accounts", {"transactioncurrencyid@odata.bind": gone})

    assert error_of(answer) == (404, "0x80040217")


def test_an_update_with_the_current_version_is_done(client: SalesClient) -> None:
    key = client.create(name="A")
    etag = client.get(f"accounts({key})")["@odata.etag"]

    answer = client.call(
        "PATCH",
        f"accounts({key})?$select=name",
        {"name": "B"},
        If_Match=etag,
        Prefer="return=representation",
    )

    assert answer.status_code == 200
    assert json.loads(answer.data)["name"] == "B"
    assert json.loads(answer.data)["@odata.etag"] != etag


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_a_stale_version_is_refused(client: SalesClient, method: str) -> None:
    key = client.create(name="A")
    etag = client.get(f"accounts({key})")["@odata.etag"]
    client.call("PATCH", f"accounts({key})", {"name": "B"})

    answer = client.call(method, f"accounts({key})", {"name": "C"}, If_Match=etag)

    assert error_of(answer) == (412, "0x80060882")
    assert client.get(f"accounts({key})")["name"] == "B"


def test_a_garbled_version_is_refused(client: SalesClient) -> None:
    key = client.create(name="A")

    answer = client.call("PATCH", f"accounts({key})", {"name": "B"}, If_Match="x")

    assert error_of(answer) == (400, "0x80060883")


def test_a_patch_of_a_missing_row_creates_unless_told_otherwise(
    client: SalesClient,
) -> None:
    key = "11111111-2222-3333-4444-555555555555"

    refused = client.call("PATCH", f"accounts({key})", {"name": "A"}, If_Match="*")
    made = client.call("PATCH", f"accounts({key})", {"name": "A"})
    again = client.call("PATCH", f"accounts({key})", {"name": "A"}, If_None_Match="*")

    assert error_of(refused) == (404, "0x80040217")
    assert made.status_code == 204
    assert error_of(again) == (412, "0x80040237")


def test_a_deleted_account_is_gone(client: SalesClient) -> None:
    key = client.create(name="A")

    assert client.call("DELETE", f"accounts({key})").status_code == 204
    answer = client.call("GET", f"accounts({key})")

    assert error_of(answer) == (404, "0x80040217")
    assert f"account With Id = {key} Does Not Exist" in answer.text


def test_one_column_can_be_set_and_cleared(client: SalesClient) -> None:
    key = client.create(name="A")

    client.call("PUT", f"accounts({key})/fax", {"value": "1"})
    assert client.get(f"accounts({key})")["fax"] == "1"
    client.call("DELETE", f"accounts({key})/fax")
    assert client.get(f"accounts({key})")["fax"] is None


@pytest.mark.parametrize("holder", [{"customertypecode": 11}, {"statecode": 1}])
def test_the_account_number_is_a_key_whoever_holds_it(
    client: SalesClient, holder: dict[str, int]
) -> None:
    key = client.create(name="A", accountnumber="C01")
    client.call("PATCH", f"accounts({key})", holder)

    answer = client.call("POST", "accounts", {"name": "B", "accountnumber": "c01"})

    assert error_of(answer) == (412, "0x80060892")


def test_an_account_is_found_by_its_alternate_key(client: SalesClient) -> None:
    key = client.create(name="A", accountnumber="C(0)'1")

    found = client.get("accounts(accountnumber='C(0)''1')?$select=name")

    assert found["accountid"] == key


def test_without_the_alternate_key_numbers_may_repeat(client: SalesClient) -> None:
    table = client.store.table("sales:organizations")
    table.update(table.rows()[0], {"account_number_key": False})
    client.create(name="A", accountnumber="C01")
    client.create(name="B", accountnumber="C01")

    answer = client.call("GET", "accounts(accountnumber='C01')")

    assert error_of(answer) == (400, "0x80060888")


def test_filter_order_top_and_count_choose_the_rows(client: SalesClient) -> None:
    for name in ("Zäch", "Abegg", "Moser"):
        client.create(name=name, customertypecode=3)

    found = client.get(
        "accounts?$select=name&$filter=customertypecode eq 3 and name ne 'moser'"
        "&$orderby=name desc&$top=1&$count=true"
    )

    assert found["@odata.count"] == 2
    assert [row["name"] for row in found["value"]] == ["Zäch"]


def test_pages_follow_each_other_without_loss(client: SalesClient) -> None:
    names = [f"A{number:02}" for number in range(7)]
    for name in names:
        client.create(name=name)

    page = client.get("accounts?$select=name", Prefer="odata.maxpagesize=3")
    read = [row["name"] for row in page["value"]]
    while "@odata.nextLink" in page:
        page = client.get(page["@odata.nextLink"], Prefer="odata.maxpagesize=3")
        read += [row["name"] for row in page["value"]]

    assert read == names


@pytest.mark.parametrize(
    ("address", "refusal"),
    [
        ("accounts?$skip=1", (400, "0x80060888")),
        ("accounts?$select=nme", (400, "0x80060888")),
        ("accounts?$filter=name xx 'a'", (400, "0x80060888")),
        ("accounts?$expand=nothing", (400, "0x80060888")),
        ("accounts?$skiptoken=x", (400, "0x80060888")),
        ("accountz", (404, "0x8006088a")),
        ("!", (404, "0x8006088a")),
    ],
)
def test_an_address_that_means_nothing_is_refused(
    address: str, refusal: object
) -> None:
    client = empty_client()
    client.create(name="A")

    assert error_of(client.call("GET", address)) == refusal


def test_annotations_name_options_and_lookups(client: SalesClient) -> None:
    franc = currency_id(client, "CHF")
    bind = {"transactioncurrencyid@odata.bind": f"/transactioncurrencies({franc})"}
    client.create(name="A", customertypecode=3, **bind)

    row = client.get("accounts", Prefer='odata.include-annotations="*"')["value"][0]

    formatted = "OData.Community.Display.V1.FormattedValue"
    assert row[f"customertypecode@{formatted}"] == "Customer"
    assert row[f"_transactioncurrencyid_value@{formatted}"] == "Swiss Franc"


def test_refusals_are_annotated_on_request(client: SalesClient) -> None:
    answer = client.call(
        "GET", "accountz", Prefer='odata.include-annotations="*",return=representation'
    )

    assert "@Microsoft.PowerApps.CDS.TraceText" in json.loads(answer.data)["error"]


def test_create_multiple_makes_all_in_order(client: SalesClient) -> None:
    targets = [{**TYPE, "name": f"A{number}"} for number in range(1000)]

    answer = client.call("POST", f"{BULK}CreateMultiple", {"Targets": targets})

    ids = json.loads(answer.data)["Ids"]
    table = client.store.table("sales:accounts")
    rows = [table.get(key) for key in ids]
    assert [row and row.values["name"] for row in rows] == [t["name"] for t in targets]


def test_create_multiple_makes_none_when_one_is_bad(client: SalesClient) -> None:
    targets = [{**TYPE, "name": "A"}, {**TYPE, "name": "x" * 200}]

    answer = client.call("POST", f"{BULK}CreateMultiple", {"Targets": targets})

    assert error_of(answer) == (400, "0x80044331")
    assert client.get("accounts")["value"] == []


def test_bulk_targets_must_name_their_type(client: SalesClient) -> None:
    body = {"Targets": [{"name": "A"}]}

    assert error_of(client.call("POST", f"{BULK}CreateMultiple", body))[0] == 400


def test_update_multiple_changes_all_or_none(client: SalesClient) -> None:
    keys = [client.create(name=name) for name in "AB"]
    targets = [{**TYPE, "accountid": key, "fax": "1"} for key in keys]

    done = client.call("POST", f"{BULK}UpdateMultiple", {"Targets": targets})
    client.call("DELETE", f"accounts({keys[1]})")
    targets = [{**target, "fax": "2"} for target in targets]
    refused = client.call("POST", f"{BULK}UpdateMultiple", {"Targets": targets})

    assert done.status_code == 204
    assert error_of(refused) == (404, "0x80040217")
    assert client.get(f"accounts({keys[0]})")["fax"] == "1"


def test_a_missing_privilege_is_told_in_the_platforms_words() -> None:
    client = demo_client()
    euro = currency_id(client, "EUR")

    answer = client.call(
        "PATCH", f"transactioncurrencies({euro})", {"exchangerate": 1.1}
    )

    assert error_of(answer) == (403, "0x80040220")
    assert "is missing prvWriteTransactionCurrency privilege" in answer.text
    assert "on OTC=9105 for entity 'transactioncurrency'" in answer.text


@pytest.mark.parametrize(
    ("verb", "method", "address"),
    [
        ("Read", "GET", "accounts"),
        ("Create", "POST", "accounts"),
        ("Write", "PATCH", "accounts({key})"),
        ("Delete", "DELETE", "accounts({key})"),
        ("Append", "POST", "accounts"),
    ],
)
def test_each_verb_needs_its_privilege(verb: str, method: str, address: str) -> None:
    client = empty_client()
    franc = currency_id(client, "CHF")
    key = client.create(name="A")
    role = client.store.table("sales:roles").rows()[0]
    kept = [n for n in role.values["privileges"] if n != privilege(verb, "Account")]
    change_role(client, privileges=kept)

    bind = {"transactioncurrencyid@odata.bind": f"/transactioncurrencies({franc})"}
    answer = client.call(method, address.format(key=key), {"name": "B", **bind})

    assert error_of(answer) == (403, "0x80040220")
    assert f"prv{verb}Account " in answer.text


def test_an_administrator_may_do_everything() -> None:
    client = demo_client(place=1)
    euro = currency_id(client, "EUR")

    answer = client.call("PATCH", f"transactioncurrencies({euro})", {"exchangerate": 2})

    assert answer.status_code == 204


@pytest.mark.parametrize(
    ("change", "code"),
    [({"roles": []}, "0x80042f09"), ({"isdisabled": True}, "0x80040225")],
)
def test_a_user_who_may_not_enter_is_refused(
    client: SalesClient, change: dict[str, object], code: str
) -> None:
    users = client.store.table("sales:systemusers")
    for user in users.rows():
        users.update(user, change)

    assert error_of(client.call("GET", "WhoAmI")) == (403, code)


def test_a_stranger_is_not_a_member(client: SalesClient) -> None:
    users = client.store.table("sales:systemusers")
    for user in users.rows():
        users.delete(user.id)

    assert error_of(client.call("GET", "WhoAmI")) == (403, "0x80072560")


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ({"isocurrencycode": "CHF", "exchangerate": 1}, "0x80048cf3"),
        ({"isocurrencycode": "EURO", "exchangerate": 1}, "0x80048cf1"),
        ({"isocurrencycode": "EUR", "exchangerate": 0}, "0x80044330"),
    ],
)
def test_a_bad_currency_is_refused(
    client: SalesClient, payload: dict[str, object], code: str
) -> None:
    answer = client.call("POST", "transactioncurrencies", payload)

    assert error_of(answer) == (400, code)


def test_the_base_currency_keeps_its_rate_and_codes_never_change(
    client: SalesClient,
) -> None:
    address = f"transactioncurrencies({currency_id(client, 'CHF')})"

    rate = client.call("PATCH", address, {"exchangerate": 2})
    code = client.call("PATCH", address, {"isocurrencycode": "EUR"})

    assert error_of(rate) == (400, "0x80048cf5")
    assert error_of(code) == (400, "0x80040203")


def test_a_currency_in_use_cannot_be_deleted() -> None:
    client = demo_client(place=1)

    answer = client.call(
        "DELETE", f"transactioncurrencies({currency_id(client, 'CHF')})"
    )

    assert error_of(answer) == (405, "0x80040227")


def test_the_organization_names_its_base_currency(client: SalesClient) -> None:
    expand = "basecurrencyid($select=isocurrencycode)"
    found = client.get(f"organizations?$select=_basecurrencyid_value&$expand={expand}")

    row = found["value"][0]
    assert row["basecurrencyid"]["isocurrencycode"] == "CHF"
    assert row["_basecurrencyid_value"] == currency_id(client, "CHF")


def test_metadata_tells_lengths_and_what_is_tracked(client: SalesClient) -> None:
    attributes = client.get("EntityDefinitions(LogicalName='account')/Attributes")
    tracked = client.get("EntityDefinitions?$filter=ChangeTrackingEnabled eq true")
    edmx = client.call("GET", "$metadata").text

    lengths = {a["LogicalName"]: a.get("MaxLength") for a in attributes["value"]}
    assert lengths["name"] == 160
    assert "account" in {table["LogicalName"] for table in tracked["value"]}
    assert '<Property Name="name" Type="Edm.String" MaxLength="160" />' in edmx


def test_a_verb_that_is_not_offered_is_refused(client: SalesClient) -> None:
    assert client.call("PATCH", "accounts", {}).status_code == 405


def test_a_planted_duplicate_refuses_that_record_only(client: SalesClient) -> None:
    Faults.of(client.store).add(
        {"id": "dv-duplicate-detected", "entity": "accounts", "record": "B"}
    )

    client.create(name="A")
    answer = client.call("POST", "accounts", {"name": "B"})

    assert error_of(answer) == (500, "0x80040333")


def test_a_planted_edit_comes_before_the_write(client: SalesClient) -> None:
    key = client.create(name="A")
    etag = client.get(f"accounts({key})")["@odata.etag"]
    fault = {"id": "dv-row-version-mismatch", "entity": "accounts", "record": key}
    Faults.of(client.store).add({**fault, "times": 1})

    answer = client.call("PATCH", f"accounts({key})", {"name": "B"}, If_Match=etag)

    assert error_of(answer) == (412, "0x80060882")
    assert client.get(f"accounts({key})")["telephone1"]
