"""Signing in and out, the one-time link, language, zone and theme."""

from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from integration.choices import Role
from integration.models import User
from integration.services.sign_in import make_link_token
from tests.factories import make_error, make_problem, make_user


def test_signing_in_leads_where_the_person_wanted_to_go(db: None) -> None:
    make_user(Role.VIEWER, username="vera")

    response = Client().post(
        "/login/",
        {"username": "vera", "password": "secret", "next": "/jobs/?state=failed"},
    )

    assert response["Location"] == "/jobs/?state=failed"


@pytest.mark.parametrize("address", ["https://evil.example/", "//evil.example", "x:y"])
def test_signing_in_leads_nowhere_else(db: None, address: str) -> None:
    make_user(Role.VIEWER, username="vera")

    response = Client().post(
        "/login/", {"username": "vera", "password": "secret", "next": address}
    )

    assert response["Location"] == "/"


@pytest.mark.parametrize(
    ("values", "before", "page"),
    [
        ({"next": "/errors/?state=ignored"}, "/errors/", "/errors/?state=ignored"),
        ({}, "/errors/cleanup/?all=1", "/errors/cleanup/?all=1"),
        ({"next": "https://evil.example/"}, "/problems/3/", "/problems/3/"),
        ({}, "//evil.example/x", "/"),
        ({}, "", "/"),
    ],
)
def test_who_was_signed_out_before_a_button_comes_back_to_its_page(
    db: None, values: dict[str, str], before: str, page: str
) -> None:
    referer = f"http://testserver{before}" if before[:2] != "//" else f"http:{before}"
    client = Client(headers={"Referer": referer} if before else {})

    response = client.post("/errors/delete/", values, follow=True)

    address, _status = response.redirect_chain[-1]
    assert parse_qs(urlsplit(address).query)["next"] == [page]
    assert "You were signed out: nothing was changed." in response.content.decode()


def test_who_was_signed_out_before_a_retry_in_place_comes_back_to_the_list(
    db: None,
) -> None:
    row = make_error(problem=make_problem())

    response = Client().post(
        f"/errors/{row.pk}/retry/",
        {"next": "/errors/?q=EUR"},
        headers={"HX-Request": "true"},
    )

    assert response["HX-Redirect"] == "/login/?next=/errors/%3Fq%3DEUR"


def test_a_page_is_of_its_reader_alone(administrator: Client) -> None:
    page = administrator.get("/jobs/")
    preview = administrator.get("/errors/cleanup/?all=1")

    assert page["Cache-Control"] == "private, no-cache"
    assert "no-store" in preview["Cache-Control"]
    assert "Clear-Site-Data" not in page


@pytest.mark.parametrize("address", ["/logout/", "/admin/logout/"])
def test_signing_out_leaves_no_page_in_the_browser(
    administrator: Client, address: str
) -> None:
    response = administrator.post(address)

    assert response["Clear-Site-Data"] == '"cache"'


@pytest.mark.parametrize("language", ["en", "fr-ch"])
def test_the_address_of_a_button_is_a_page_in_words(
    administrator: Client, language: str
) -> None:
    words = {"en": "Only a button of a page", "fr-ch": "Seul un bouton d'une page"}

    response = administrator.get(
        "/errors/delete/", headers={"Accept-Language": language}
    )

    assert response.status_code == 405
    assert response["Allow"] == "POST"
    assert words[language] in unescape(response.content.decode())


def test_another_language_where_a_wish_was_refused_is_that_of_the_account(
    viewer: Client,
) -> None:
    refused = viewer.post("/account/alerts/", {"quiet_from": "22:00"})
    assert "/account/alerts/" in refused.content.decode()

    response = viewer.post(
        "/language/", {"language": "fr-ch", "next": "/account/alerts/"}, follow=True
    )

    assert response.status_code == 200
    assert response.redirect_chain[-1][0] == "/account/"


def test_who_has_signed_in_in_another_window_goes_where_this_one_led(
    viewer: Client,
) -> None:
    assert viewer.get("/login/?next=/jobs/")["Location"] == "/jobs/"
    assert viewer.get("/login/?next=//evil.example/")["Location"] == "/"


def test_a_wrong_password_is_told_without_saying_which_part_is_wrong(
    db: None,
) -> None:
    response = Client().post("/login/", {"username": "nobody", "password": "x"})

    assert "do not belong together" in response.content.decode()


@pytest.mark.parametrize(
    ("language", "words"), [("en", "Too many failed"), ("fr", "Trop de tentatives")]
)
def test_after_five_wrong_passwords_the_right_one_has_to_wait(
    db: None, language: str, words: str
) -> None:
    make_user(Role.VIEWER, username="vera")

    def try_with(password: str, address: str = "192.0.2.7") -> Any:
        return Client(REMOTE_ADDR=address).post(
            "/login/",
            {"username": "vera", "password": password},
            headers={"Accept-Language": language},
        )

    for _n in range(5):
        try_with("wrong")
    refused = try_with("secret").content.decode()

    assert words in refused
    assert "15\u00a0min" in refused.replace(" min", "\u00a0min")
    assert try_with("secret", "192.0.2.8").status_code == 302


def test_an_empty_password_does_not_make_wrong_ones_forgotten(db: None) -> None:
    make_user(Role.VIEWER, username="vera")

    for password in ("wrong", "wrong", "wrong", "wrong", "", "wrong"):
        form = {"username": "vera", "password": password}
        Client().post("/login/", form)
    refused = Client().post("/login/", {"username": "vera", "password": "secret"})

    assert "Too many failed" in refused.content.decode()


@pytest.mark.parametrize("invented", ["10.0.0.{n}, 192.0.2.7", "nonsense {n}"])
def test_who_invents_addresses_before_the_proxy_has_to_wait_as_well(
    db: None, settings: Settings, invented: str
) -> None:
    settings.BEHIND_PROXY = True
    make_user(Role.VIEWER, username="vera")

    def try_with(password: str, told: str) -> Any:
        form = {"username": "vera", "password": password}
        return Client().post("/login/", form, headers={"X-Forwarded-For": told})

    for n in range(5):
        try_with("wrong", invented.format(n=n))

    assert try_with("secret", invented.format(n=5)).status_code == 200
    assert try_with("secret", "192.0.2.8").status_code == 302


def test_the_link_signs_in_once(db: None) -> None:
    token = make_link_token(make_user(Role.ADMINISTRATOR))
    address = reverse("sign_in", args=[token])

    first, second = Client().get(address), Client().get(address, follow=True)

    assert first["Location"] == "/"
    assert "used up" in second.content.decode()


def test_the_link_works_on_this_machine_only(db: None) -> None:
    token = make_link_token(make_user(Role.ADMINISTRATOR))

    address = reverse("sign_in", args=[token])
    elsewhere = Client(REMOTE_ADDR="192.0.2.7").get(address, follow=True)
    by_proxy = Client().get(
        address, headers={"X-Forwarded-For": "127.0.0.1"}, follow=True
    )

    assert "not for this machine" in elsewhere.content.decode()
    assert "not for this machine" in by_proxy.content.decode()


def test_signing_out_ends_the_session(viewer: Client) -> None:
    viewer.post("/logout/")

    assert viewer.get("/")["Location"].startswith("/login/")


def test_the_account_page_keeps_language_zone_and_theme(viewer: Client) -> None:
    viewer.post(
        "/account/",
        {"language": "fr-ch", "time_zone": "Asia/Kathmandu", "theme": "dark"},
    )

    page = viewer.get("/account/").content.decode()
    user = User.objects.get()
    assert (user.language, user.time_zone) == ("fr-ch", "Asia/Kathmandu")
    assert 'lang="fr-ch" data-theme="dark"' in page


def test_an_unknown_zone_is_refused(viewer: Client) -> None:
    response = viewer.post(
        "/account/", {"language": "en", "time_zone": "Mars/Base", "theme": "dark"}
    )

    assert response.status_code == 200
    assert User.objects.get().time_zone == ""


def test_theme_and_language_are_kept_before_sign_in(db: None) -> None:
    client = Client()
    client.post("/theme/", {"theme": "dark", "next": "/login/"})
    client.post("/language/", {"language": "fr-ch", "next": "/login/"})

    page = client.get("/login/").content.decode()

    assert 'lang="fr-ch" data-theme="dark"' in page
    assert "Mot de passe" in page


def test_a_nonsense_cookie_is_no_harm(db: None) -> None:
    client = Client()
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = "xx"
    client.cookies["theme"] = '"><script>'

    page = client.get("/login/").content.decode()

    assert 'lang="en">' in page


@pytest.mark.parametrize("header", ["fr", "fr-FR,fr;q=0.9", "fr-CA", "de, fr;q=0.5"])
def test_french_of_any_country_reads_swiss_french(db: None, header: str) -> None:
    response = Client().get("/login/", headers={"Accept-Language": header})

    assert response["Content-Language"] == "fr-ch"


def test_the_demonstration_strip_is_the_administrators_until_hidden(
    administrator: Client, settings: pytest.MonkeyPatch
) -> None:
    settings.DEMONSTRATION = True  # type: ignore[attr-defined]  # pytest-django's

    before = administrator.get("/").content.decode()
    administrator.post("/demonstration/hide/")
    after = administrator.get("/").content.decode()

    assert "Demonstration with simulated systems." in before
    assert "Demonstration with simulated systems." not in after


def test_the_strip_leaves_the_height_of_the_list_to_its_rows(
    administrator: Client, settings: pytest.MonkeyPatch
) -> None:
    settings.DEMONSTRATION = True  # type: ignore[attr-defined]  # pytest-django's
    error = make_error()

    entries = administrator.get("/errors/").content.decode()
    entry = administrator.get(f"/errors/{error.pk}/").content.decode()

    assert "Demonstration with simulated systems" not in entries
    assert "Demonstration with simulated systems" in entry


def test_the_strip_leads_to_healing_only_where_there_is_something_to_heal(
    administrator: Client, settings: pytest.MonkeyPatch
) -> None:
    settings.DEMONSTRATION = True  # type: ignore[attr-defined]  # pytest-django's

    without = administrator.get("/").content.decode()
    make_problem(article="bc-currency-no-exchange-rate", params={"currency": "GBP"})
    with_it = administrator.get("/").content.decode()

    assert "Demonstration with simulated systems." in without
    assert "GBP" not in without
    assert "One-minute path" in with_it
