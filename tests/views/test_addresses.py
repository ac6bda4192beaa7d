"""Every address against every role and method, also the admin's (Shows 8).

The addresses are read from the resolver, so a new one is tried without being named
here; one that is open to all has to be.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from django.conf import settings
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from integration.choices import Role
from integration.models import Coupling, Operation, SyncError, User
from tests.factories import (
    SOME_TIME,
    make_connection,
    make_endpoint,
    make_error,
    make_job,
    make_mapping,
    make_problem,
    make_user,
)

OPEN_TO_ALL = {
    *("favicon", "healthz", "readyz", "metrics"),
    *("language", "theme", "login", "logout", "sign_in"),
}
PREFERENCES = {
    *("account", "account_alerts", "caught_up", "demonstration", "explain"),
    *("error_watch", "problem_watch"),
}
"""What a viewer may post: it changes nothing for others."""
SAFE = ("GET", "HEAD", "OPTIONS", "TRACE")
METHODS = (*SAFE, "POST", "PUT", "PATCH", "DELETE")
RANKS = list(Role)
NOWHERE = "http://127.0.0.1:1/"


def routes(
    patterns: list[URLPattern | URLResolver], prefix: str = ""
) -> Iterator[tuple[str, URLPattern]]:
    """Each with the namespace in front of its name."""
    for one in patterns:
        if isinstance(one, URLResolver):
            inner = f"{one.namespace}:" if one.namespace else prefix
            yield from routes(one.url_patterns, inner)
        else:
            yield f"{prefix}{one.name}", one


FOUND = list(routes(get_resolver().url_patterns))
ROUTES = dict(FOUND)
OURS = {name: one for name, one in ROUTES.items() if not name.startswith("admin:")}
GUARDED = sorted(set(OURS) - OPEN_TO_ALL)
ADMIN = sorted(set(ROUTES) - set(OURS) - {"admin:None"})


@pytest.fixture
def keys(db: None) -> Mapping[str, object]:
    """One row of each kind, by the names of the addresses' arguments."""
    ends = {
        side: make_endpoint(side, base_url=NOWHERE, authority=NOWHERE)
        for side in ("business_central", "sales")
    }
    mapping = make_mapping(connection=make_connection(**ends))
    error = make_error(problem=make_problem(mapping.connection))
    coupling = Coupling.objects.create(
        mapping=mapping, bc_id="b1", sales_id="s1", coupled_at=SOME_TIME
    )
    operation = Operation.objects.create(
        kind="check", by_name="anna", reason="why", created_at=SOME_TIME
    )
    return {
        "connection_id": mapping.connection_id,
        "endpoint_id": ends["sales"].pk,
        "mapping_id": mapping.pk,
        "error_id": error.pk,
        "problem_id": error.problem_id,
        "coupling_id": coupling.pk,
        "job_id": make_job(mapping).pk,
        "operation_id": operation.pk,
        "article_id": "unknown",
        "token": "token",
        "content_type_id": 1,
        "app_label": "integration",
    }


def address(name: str, keys: Mapping[str, object]) -> str:
    route = ROUTES[name]
    wanted = [*route.pattern.converters, *route.pattern.regex.groupindex]
    model = name.removeprefix("admin:integration_").partition("_")[0]
    own = keys.get(f"{model}_id", keys["error_id"] if model == "syncerror" else 1)
    return reverse(name, kwargs={one: keys.get(one, own) for one in wanted})


def answers(name: str, keys: Mapping[str, object], role: Role | None) -> dict[str, Any]:
    """What every method is answered, each by a session of its own."""
    place, found = address(name, keys), {}
    clients = (
        signed_in(make_user(role), len(METHODS)) if role else map(stranger, METHODS)
    )
    for method, client in zip(METHODS, clients, strict=True):
        found[method] = client.generic(method, place)
        list(found[method])  # the end of a stream closes what it reads from
    return found


def stranger(_: object = None) -> Client:
    return Client(raise_request_exception=False)


def signed_in(user: User, times: int) -> Iterator[Client]:
    """Clients of one person, each with a session of its own that nobody has used."""
    first = stranger()
    first.force_login(user)
    whole = Session.objects.get(pk=first.cookies[settings.SESSION_COOKIE_NAME].value)
    keys = [f"{whole.session_key}{number}" for number in range(times)]
    Session.objects.bulk_create(
        Session(key, whole.session_data, whole.expire_date) for key in keys
    )
    for key in keys:
        client = stranger()
        client.cookies[settings.SESSION_COOKIE_NAME] = key
        yield client


def statuses(found: Mapping[str, Any]) -> dict[str, int]:
    return {method: response.status_code for method, response in found.items()}


def test_no_address_has_the_name_of_another() -> None:
    """Of two only one would be tried."""
    names = Counter(name for name, _ in FOUND if name != "admin:None")

    assert [name for name, count in names.items() if count > 1] == []


@pytest.mark.parametrize("name", GUARDED)
def test_a_stranger_is_asked_to_sign_in(name: str, keys: dict[str, object]) -> None:
    for response in answers(name, keys, None).values():
        assert response.status_code == 302
        assert response["Location"].startswith(reverse("login"))


@pytest.mark.parametrize("name", GUARDED)
def test_each_role_may_do_what_the_address_says(
    name: str, keys: dict[str, object]
) -> None:
    for role in Role:
        _judge(name, role, keys)


def _judge(name: str, role: Role, keys: dict[str, object]) -> None:
    needed = Role(OURS[name].callback.role)  # type: ignore[attr-defined]  # role_required sets it
    before = Operation.objects.count()

    found = statuses(answers(name, keys, role))

    enough = RANKS.index(role) >= RANKS.index(needed)
    only_reads = role == Role.VIEWER and name not in PREFERENCES
    for method, status in found.items():
        if not enough or (only_reads and method not in SAFE):
            assert status == 403, method
        else:
            assert status in {200, 302, 400, 404, 405, 409}, method
    assert found["PUT"] in {403, 405}
    assert found["DELETE"] == found["PATCH"] == found["PUT"]
    if not enough or only_reads:
        assert Operation.objects.count() == before


@pytest.mark.parametrize("name", sorted(OPEN_TO_ALL))
def test_what_is_open_to_all_takes_only_what_it_is_for(
    name: str, keys: dict[str, object]
) -> None:
    found = statuses(answers(name, keys, None))

    assert set(found.values()) <= {200, 302, 405, 503}
    assert found["PUT"] == found["DELETE"] == found["PATCH"] == found["TRACE"] == 405


@pytest.mark.parametrize("name", ADMIN)
def test_the_admin_shows_to_all_roles_and_changes_for_administrators(
    name: str, keys: dict[str, object]
) -> None:
    for role in (None, *Role):
        _judge_admin(name, role, keys)


def _judge_admin(name: str, role: Role | None, keys: dict[str, object]) -> None:
    is_users = "user" in name
    rows = (User.objects, SyncError.objects, Coupling.objects, Operation.objects)
    before = [table.count() for table in rows]

    found = statuses(answers(name, keys, role))

    assert max(found.values()) < 500
    if role is None:
        assert set(found.values()) == {302}
    elif role != Role.ADMINISTRATOR:
        refused = {302, 403, 404, 405}
        assert {found[one] for one in METHODS if one not in SAFE} <= refused | {200}
        assert not is_users or found["GET"] in {302, 403, 404}
    made = 1 if role else 0
    assert [table.count() for table in rows] == [before[0] + made, *before[1:]]


def test_a_refusal_is_a_page_in_words(viewer: Client) -> None:
    response = viewer.post(reverse("errors_delete"))

    assert response.status_code == 403
    assert "needs the role administrator" in response.content.decode()


def test_a_post_without_token_is_refused_in_words(db: None) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(make_user(Role.ADMINISTRATOR))

    response = client.post(reverse("errors_delete"))

    assert response.status_code == 403
    assert "Nothing was changed" in response.content.decode()


@pytest.mark.parametrize(
    ("language", "words"), [("en", "not understood"), ("fr-CA", "pas été comprise")]
)
def test_a_host_that_is_not_ours_is_refused_in_words(
    client: Client, language: str, words: str
) -> None:
    headers = {"host": "a..b", "accept-language": language}

    response = client.get("/login/", headers=headers)

    assert response.status_code == 400
    assert words in response.content.decode()


@pytest.mark.parametrize("field", ["job", "problem", "id__lt"])
def test_the_admin_leaves_out_a_number_beyond_every_key(
    administrator: Client, field: str
) -> None:
    address = f"/admin/integration/syncerror/?{field}={'9' * 19}"

    assert administrator.get(address, follow=True).status_code == 200


@pytest.mark.parametrize("number", ["0" * 20 + "9" * 30, "9" * 5000, "0" * 5000])
@pytest.mark.parametrize("path", ["operations/?after", "jobs/?mapping", "errors/?job"])
def test_numbers_beyond_every_key_are_left_out(
    administrator: Client, path: str, number: str
) -> None:
    assert administrator.get(f"/{path}={number}").status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        *("/errors/{}/", "/problems/{}/", "/jobs/{}/", "/mappings/{}/"),
        *("/couplings/{}/", "/connections/{}/", "/operations/{}/"),
    ],
)
@pytest.mark.parametrize("key", ["999999", "9" * 18, "9" * 40, "x", "0"])
def test_unknown_keys_are_not_found_in_words(
    viewer: Client, path: str, key: str
) -> None:
    response = viewer.get(path.format(key))

    assert response.status_code == 404
    assert "<h1>Not found</h1>" in response.content.decode()
