"""Every address against every role and method (Shows 8)."""

from collections.abc import Iterator

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from integration.choices import Role
from integration.models import Operation
from integration.urls import urlpatterns
from tests.factories import make_user

OPEN_TO_ALL = {"healthz", "language", "login", "logout", "sign_in", "theme"}
PREFERENCES = {"account", "demonstration", "explain"}
"""What a viewer may post: how they like to read, and what they ask."""
ARGUMENTS = {"key": 1, "slug": "unknown", "str": "token"}


def routes(patterns: list[URLPattern | URLResolver]) -> Iterator[URLPattern]:
    for one in patterns:
        if isinstance(one, URLResolver):
            yield from routes(one.url_patterns)
        else:
            yield one


ROUTES = list(routes(urlpatterns))


def address(route: URLPattern) -> str:
    values = {
        name: ARGUMENTS[
            {"Key": "key", "SlugConverter": "slug", "StringConverter": "str"}[
                type(converter).__name__
            ]
        ]
        for name, converter in route.pattern.converters.items()
    }
    return reverse(str(route.name), kwargs=values)


def guarded() -> list[URLPattern]:
    return [route for route in ROUTES if route.name not in OPEN_TO_ALL]


def role_of(route: URLPattern) -> Role:
    return Role(route.callback.role)  # type: ignore[attr-defined]  # role_required sets it


@pytest.mark.parametrize("route", guarded(), ids=lambda route: str(route.name))
def test_every_guarded_address_names_the_role_it_needs(route: URLPattern) -> None:
    assert role_of(route) in Role


@pytest.mark.parametrize("route", guarded(), ids=lambda route: str(route.name))
def test_a_stranger_is_asked_to_sign_in(db: None, route: URLPattern) -> None:
    for method in ("get", "post"):
        response = getattr(Client(), method)(address(route))

        assert response.status_code == 302
        assert response["Location"].startswith(reverse("login"))


@pytest.mark.parametrize("route", guarded(), ids=lambda route: str(route.name))
@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR])
def test_who_has_less_than_the_role_is_refused_in_words(
    db: None, route: URLPattern, role: Role
) -> None:
    ranks = list(Role)
    if ranks.index(role) >= ranks.index(role_of(route)):
        return
    client = Client()
    client.force_login(make_user(role))
    statuses = {
        method: getattr(client, method)(address(route)).status_code
        for method in ("get", "post")
    }

    assert set(statuses.values()) == {403}


@pytest.mark.parametrize("route", guarded(), ids=lambda route: str(route.name))
def test_a_viewers_hand_made_post_changes_nothing(
    viewer: Client, route: URLPattern
) -> None:
    if route.name in PREFERENCES:
        return
    response = viewer.post(address(route), {"reason": "x", "entry": "1"})

    assert response.status_code == 403
    assert not Operation.objects.exists()


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


def test_a_host_that_is_not_ours_is_refused_in_words(client: Client) -> None:
    response = client.get("/login/", headers={"host": "a..b"})

    assert response.status_code == 400
    assert "not understood" in response.content.decode()


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


def test_every_named_address_of_the_project_is_ours_or_the_admins() -> None:
    names = {str(one.pattern) for one in get_resolver().url_patterns}

    assert names == {"admin/", ""}
