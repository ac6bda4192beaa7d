"""The page of alerts, its test, and what each person chooses."""

from datetime import time
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from integration import clock
from integration.choices import Channel, Delivery, Role
from integration.models import (
    AlertMessage,
    AlertRecipient,
    AlertSubject,
    Operation,
    User,
)
from tests.factories import make_mapping, make_user
from tests.services.mail_server import closed_port

pytestmark = pytest.mark.django_db
OFF = "Nobody is told by mail of what changes."


def page(client: Client, address: str = "/alerts/", language: str = "en") -> str:
    return client.get(address, headers={"Accept-Language": language}).content.decode()


@pytest.fixture
def by_mail(settings: Any) -> None:
    settings.ALERTS_BY_MAIL = True
    settings.EMAIL_HOST = "mail.example.com"


@pytest.fixture
def anna() -> User:
    return make_user(username="anna", email="anna@example.com")


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def make_message(user: User, **values: Any) -> AlertMessage:
    recipient, _made = AlertRecipient.objects.get_or_create(
        channel=Channel.MAIL, user=user
    )
    now = clock.now()
    ends = {} if values["state"] in {"waiting", "sending"} else {"finished_at": now}
    moments = {"created_at": now, "due_at": now, "claimed_at": now, **ends}
    return AlertMessage.objects.create(
        recipient=recipient, key=uuid4(), attempts=1, **moments, **values
    )


def test_the_overview_says_quietly_that_nobody_is_told(administrator: Client) -> None:
    html = page(administrator, "/")

    assert OFF in html
    assert 'href="/alerts/">How to turn it on' in html
    assert "EMAIL_URL" in page(administrator)
    assert "averti par e-mail de ce qui change" in page(administrator, "/", "fr")


@pytest.mark.usefixtures("by_mail")
def test_mail_without_anybody_to_read_it_is_told(administrator: Client) -> None:
    both = "none both has an e-mail address and wants mail"
    assert f"No administrator is told by mail: {both}." in page(administrator, "/")
    assert "give users an e-mail address" in page(administrator)


@pytest.mark.usefixtures("by_mail")
def test_what_does_not_get_through_is_one_sentence(anna: User) -> None:
    client = signed_in(anna)
    assert OFF not in page(client, "/")
    make_message(anna, state=Delivery.WAITING, answer="mail.example.com is away.")

    for address in ("/", "/alerts/"):
        html = page(client, address)
        assert "mail.example.com is away." in html
        assert "The next try is at" in html


@pytest.mark.usefixtures("by_mail")
def test_what_waits_for_a_digest_is_counted(anna: User) -> None:
    make_message(anna, state=Delivery.SENT)
    mapping = make_mapping()
    now = clock.now()
    AlertRecipient.objects.get().alerts.create(
        subject=AlertSubject.objects.create(mapping=mapping, since=now),
        change="silent",
        noticed_at=now,
        due_at=now,
    )

    assert "1 change waits for the next digest." in page(signed_in(anna))


@pytest.mark.usefixtures("by_mail")
def test_what_may_have_arrived_is_in_sight(anna: User) -> None:
    make_message(anna, state=Delivery.UNKNOWN)

    assert "not known whether it arrived" in page(signed_in(anna))


@pytest.mark.usefixtures("by_mail")
def test_the_test_says_what_the_server_answers(anna: User, settings: Any) -> None:
    settings.EMAIL_BACKEND = "integration.services.mail.MailServer"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", closed_port()

    for language, words in (
        ("en", "127.0.0.1 cannot be reached"),
        ("fr-ch", "127.0.0.1 n&#x27;est pas joignable"),
    ):
        User.objects.update(language=language)
        client = signed_in(anna)
        answer = client.post("/alerts/test/", follow=True).content.decode()
        assert words in answer


@pytest.mark.usefixtures("by_mail")
def test_a_test_needs_an_address_and_a_way(administrator: Client) -> None:
    def say(**data: str) -> str:
        answer = administrator.post("/alerts/test/", data, follow=True)
        return answer.content.decode()

    assert "You have no e-mail address" in say()
    assert "not turned on in this way" in say(channel="webhook")
    assert not AlertMessage.objects.exists()


def test_the_webhook_is_named_by_its_host_only(viewer: Client, settings: Any) -> None:
    settings.ALERTS_WEBHOOK_URL = "https://hooks.example.com/T0/very-secret"

    html = page(viewer)

    assert "hooks.example.com" in html
    assert "very-secret" not in html


def test_a_person_chooses_mappings_mail_and_quiet_hours() -> None:
    mapping = make_mapping()
    user = make_user(Role.VIEWER)
    client = signed_in(user)
    wish = {
        "mail": "on",
        "mappings": str(mapping.pk),
        "quiet_from": "22:00",
        "quiet_until": "07:00",
    }

    client.post("/account/alerts/", wish)

    user.refresh_from_db()
    assert (user.mail, user.quiet_from, user.quiet_until) == (
        True,
        time(22),
        time(7),
    )
    assert list(user.subscriptions.all()) == [mapping]
    operation = Operation.objects.get()
    assert operation.result == {
        "mail": "True",
        "mappings": ["CUSTOMER"],
        "quiet": "22:00–07:00",
    }
    words = page(client, f"/operations/{operation.pk}/", "fr")
    assert "A choisi ses alertes." in words
    assert "22:00–07:00" in words
    html = page(client, "/account/")
    assert 'value="22:00"' in html
    assert html.partition('id="alerts"')[2].count("checked>") == 2


@pytest.mark.parametrize(
    "hours", [("22:00", ""), ("", "07:00"), ("07:00", "07:00"), ("25:00", "07:00")]
)
def test_quiet_hours_that_make_no_sense_are_refused(
    viewer: Client, hours: tuple[str, str]
) -> None:
    answer = viewer.post(
        "/account/alerts/",
        {"mail": "on", "quiet_from": hours[0], "quiet_until": hours[1]},
    )

    assert answer.status_code == 200
    assert 'class="wrong"' in answer.content.decode()
    assert not Operation.objects.exists()
