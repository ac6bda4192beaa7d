"""Messages on their way: real mail and web servers, and whatever may go wrong there."""

from base64 import b64encode
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import transaction
from django.utils import translation

from integration import clock
from integration.choices import Channel, Delivery, Role
from integration.models import AlertMessage, Connection, User
from integration.services import alert_sending, cells
from integration.services.alert_sending import are_alerts_due, send_due, send_test
from integration.services.alert_status import latest_messages, read_state
from integration.services.alerts import tell_what_changed
from integration.services.sentences import in_words
from tests.factories import make_connection, make_error, make_mapping, make_problem
from tests.factories import make_user as make_any_user
from tests.services.mail_server import (
    Hook,
    MailBox,
    closed_port,
    echoing_mail_server,
    in_threads,
    mail_server,
    web_server,
)

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
EUR = {
    "title": "Currency GBP has no exchange rate",
    "article": "bc-currency-no-exchange-rate",
    "params": {"currency": "GBP"},
}


@pytest.fixture
def box(settings: Any) -> Iterator[MailBox]:
    with mail_server() as box:
        settings.ALERTS_BY_MAIL = True
        settings.EMAIL_BACKEND = "integration.services.mail.MailServer"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", box.port
        settings.DEFAULT_FROM_EMAIL = "Sync Errors <sync@example.com>"
        settings.PUBLIC_URL = "https://sync.example.com"
        yield box


@pytest.fixture
def hook(settings: Any) -> Iterator[Hook]:
    with web_server() as hook:
        settings.ALERTS_WEBHOOK_URL = hook.url
        settings.PUBLIC_URL = "https://sync.example.com"
        yield hook


@pytest.fixture
def later() -> Iterator[Any]:
    """Time that only the test moves."""
    with time_machine.travel(clock.now(), tick=False) as traveller:
        yield traveller.shift


def make_user(language: str = "en", **values: Any) -> User:
    return make_any_user(
        **{"email": "anna@example.com", "language": language, **values}
    )


def fail(connection: Connection | None = None, n: int = 1, **values: Any) -> None:
    """A new problem with so many errors."""
    problem = make_problem(connection, **{**EUR, **values})
    for _n in range(n):
        make_error(problem=problem)
    with transaction.atomic():
        cells.rebuild()


def tell(**values: Any) -> None:
    """A problem appears to whoever is told already."""
    tell_what_changed()
    fail(**values)
    tell_what_changed()


def states() -> list[str]:
    return list(AlertMessage.objects.order_by("id").values_list("state", flat=True))


def answers(language: str = "en") -> list[str]:
    with translation.override(language):
        rows = AlertMessage.objects.order_by("id")
        return [in_words(row.told, row.answer) for row in rows]


# --- What a mail says ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("language", "subject", "said"),
    [
        (
            "en",
            "Sync Errors: Currency GBP has no exchange rate",
            ["3 records", "Who fixes it: Administrator."],
        ),
        (
            "fr-ch",
            "Sync Errors\u00a0: La devise GBP",
            ["3 enregistrements", "À corriger par\u00a0: Administrateur."],
        ),
    ],
)
def test_a_mail_says_the_fact_the_cure_who_and_where(
    box: MailBox, language: str, subject: str, said: list[str]
) -> None:
    make_user(language)
    tell(n=3)

    send_due()

    (mail,) = box.mails
    assert str(mail["Subject"]).strip().startswith(subject)
    text, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text
    assert html
    for part in (text.get_content(), html.get_content()):
        assert "https://sync.example.com/problems/" in part
        assert "https://sync.example.com/account/" in part
        for words in said:
            assert words in part
    assert "\n1. " in text.get_content()
    assert "<ol><li>" in html.get_content()
    assert f'lang="{language}"' in html.get_content()
    assert "<img" not in html.get_content()
    assert mail["List-Unsubscribe"] == "<https://sync.example.com/account/>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert str(mail["Message-ID"]).endswith("@example.com>")
    assert box.recipients == ["anna@example.com"]
    assert states() == [Delivery.SENT]
    assert answers() == ["127.0.0.1 took the mail. 250 Kept for you"]


def test_a_digest_counts_in_its_subject_and_links_each(box: MailBox) -> None:
    make_user()
    connection = make_connection()
    fail(connection)
    fail(connection, title="Another", article="", params={})
    tell_what_changed()

    send_due()

    (mail,) = box.mails
    assert mail["Subject"] == "Sync Errors: 2 problems stand"
    text = mail.get_body(("plain",))
    assert text
    assert text.get_content().count("https://sync.example.com/problems/") == 2


def test_what_a_problem_is_called_cannot_write_a_header(box: MailBox) -> None:
    make_user()
    tell(title="Bad\r\nBcc: all@example.com", article="", params={})

    send_due()

    (mail,) = box.mails
    assert mail["Bcc"] is None
    assert "Bad Bcc: all@example.com, 1 record" in str(mail["Subject"])


def test_a_mail_calls_no_record_what_is_about_the_set_up(box: MailBox) -> None:
    make_user()
    tell_what_changed()
    problem = make_problem(title="No licence", article="")
    make_error(problem=problem, mapping_key="", direction="", record_key="")
    with transaction.atomic():
        cells.rebuild()
    tell_what_changed()

    send_due()

    (mail,) = box.mails
    assert "No licence, 1 entry" in str(mail["Subject"])


def test_a_silent_mapping_names_since_when(box: MailBox, later: Any) -> None:
    mapping = make_mapping(reviewed_at=clock.now(), interval_seconds=60)
    follower = make_user(role=Role.VIEWER)
    follower.subscriptions.add(mapping)
    for _n in range(5):
        tell_what_changed()
        later(MINUTE)
    tell_what_changed()

    send_due()

    assert box.subjects == ["Sync Errors: CUSTOMER has had no successful run yet"]


def test_a_worker_without_the_mail_server_leaves_a_mail_to_those_that_have_it(
    box: MailBox, hook: Hook, settings: Any
) -> None:
    make_user()
    tell()
    settings.ALERTS_BY_MAIL = False

    assert are_alerts_due()
    send_due()
    assert (len(hook.posts), sorted(states())) == (1, [Delivery.SENT, Delivery.WAITING])

    settings.ALERTS_BY_MAIL = True
    send_due()
    assert (len(box.mails), states()) == (1, [Delivery.SENT] * 2)


# --- What may go wrong --------------------------------------------------------------


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        ({"refusal": "451 Come back later"}, "451 Come back later"),
        ({"refusal_of_recipient": "550 No such user"}, "550 No such user"),
    ],
)
def test_a_refusal_is_told_and_tried_again_with_growing_waits_for_a_day(
    box: MailBox, later: Any, trouble: dict[str, str], said: str
) -> None:
    make_user()
    tell()
    for name, value in trouble.items():
        setattr(box, name, value)
    waits = []

    while states() == [Delivery.WAITING]:
        send_due()
        message = AlertMessage.objects.get()
        waits.append((message.due_at - clock.now()) // MINUTE)
        later(message.due_at - clock.now())

    assert waits[:8] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert states() == [Delivery.GIVEN_UP]
    assert 24 <= len(waits) <= 32
    assert answers() == [f"127.0.0.1 refused the mail: {said}"]
    assert answers("fr-ch") == [f"127.0.0.1 a refusé l'e-mail\u00a0: {said}"]
    assert read_state().trouble == AlertMessage.objects.get()
    assert box.mails == []
    send_due()
    assert states() == [Delivery.GIVEN_UP]


@pytest.mark.parametrize("password", ["tell-nobody", "tell nobody+/=~", "x" * 40])
def test_a_password_that_a_server_says_back_is_not_told(
    box: MailBox, settings: Any, password: str
) -> None:
    """Those who do not understand a line often repeat it; ours are in Base64."""
    settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = "sync", password
    make_user()
    tell()

    with echoing_mail_server() as settings.EMAIL_PORT:
        send_due()

    (answer,) = answers()
    assert "535 Not understood: " in answer
    assert "[removed]" in answer
    for spelled in (password, b64encode(password.encode()).decode()[:-3]):
        assert spelled not in answer
    whole = b64encode(f"\0sync\0{password}".encode()).decode()
    assert whole[12:] not in answer


def test_a_server_that_is_back_gets_what_waited(box: MailBox, later: Any) -> None:
    make_user()
    tell()
    box.refusal = "451 Later"
    send_due()
    assert read_state().trouble

    box.refusal = ""
    send_due()
    assert box.mails == []
    later(MINUTE)
    send_due()

    assert len(box.mails) == 1
    assert read_state().trouble is None


def test_a_clock_that_was_set_back_puts_no_message_off(
    box: MailBox, later: Any
) -> None:
    make_user()
    tell()
    box.refusal = "451 Later"
    send_due()
    box.refusal = ""

    later(-180 * MINUTE)
    send_due()

    assert len(box.mails) == 1


def test_where_nobody_answers_the_others_are_not_tried(
    box: MailBox, settings: Any
) -> None:
    for name in "ab":
        make_user(email=f"{name}@example.com")
    tell()
    settings.EMAIL_PORT = closed_port()

    send_due()

    rows = AlertMessage.objects.order_by("id").values_list("state", "attempts")
    assert list(rows) == [(Delivery.WAITING, 1), (Delivery.WAITING, 0)]
    assert "cannot be reached" in answers()[0]
    assert not are_alerts_due()


def test_what_the_server_may_have_taken_is_not_sent_again(
    box: MailBox, later: Any
) -> None:
    make_user()
    tell()
    box.hangs_up = True

    for _n in range(3):
        send_due()
        later(HOUR)

    assert len(box.mails) == 1
    assert states() == [Delivery.UNKNOWN]
    assert "it may have arrived" in answers()[0]


@pytest.mark.parametrize(("step", "arrived"), [("_send", 0), ("_mark", 1)])
def test_killed_before_or_after_the_server_took_it_it_is_never_sent_twice(
    box: MailBox,
    later: Any,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
    arrived: int,
) -> None:
    make_user()
    tell()
    with monkeypatch.context() as patch:
        patch.setattr(alert_sending, step, killed)
        with pytest.raises(KeyboardInterrupt):
            send_due()
    assert states() == [Delivery.SENDING]

    send_due()
    assert states() == [Delivery.SENDING]
    later(11 * MINUTE)
    assert are_alerts_due()
    send_due()

    assert len(box.mails) == arrived
    assert states() == [Delivery.UNKNOWN]
    ((message, fact, path),) = latest_messages()
    assert message.get_state_display() == "not known whether it arrived"
    assert fact.startswith("Currency GBP")
    assert path.startswith("/problems/")


def killed(*args: object, **more: object) -> None:
    raise KeyboardInterrupt


def test_a_sender_leaves_alone_what_another_is_sending(
    box: MailBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_user()
    connection = make_connection()
    tell_what_changed()
    for _n in range(2):
        fail(connection)
    tell_what_changed()
    send = alert_sending._send  # noqa: SLF001  (between claiming and sending)

    def meanwhile(message: AlertMessage) -> Any:
        send_due()
        return send(message)

    monkeypatch.setattr(alert_sending, "_send", meanwhile)
    send_due()

    assert len({str(mail["Message-ID"]) for mail in box.mails}) == len(box.mails) == 2
    assert states() == [Delivery.SENT] * 2


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_two_senders_at_once_send_each_message_once(box: MailBox) -> None:
    make_user()
    connection = make_connection()
    tell_what_changed()
    for _n in range(4):
        fail(connection)
    tell_what_changed()

    in_threads(send_due, 3)

    assert len(box.mails) == 4
    assert len({str(mail["Message-ID"]) for mail in box.mails}) == 4
    assert states() == [Delivery.SENT] * 4


# --- The webhook --------------------------------------------------------------------


def test_a_post_says_the_same_in_one_json(hook: Hook, settings: Any) -> None:
    settings.ALERTS_WEBHOOK_SECRET = "tell-nobody"
    tell(n=2, who="user")

    send_due()

    (post,) = hook.posts
    assert post["title"] == "Currency GBP has no exchange rate"
    assert (post["change"], post["who"]) == ("appeared", "user")
    assert post["counts"] == {"records": 2, "changes": {"appeared": 1}}
    assert post["url"].startswith("https://sync.example.com/problems/")
    assert post["text"].startswith("Sync Errors: Currency GBP")
    assert hook.headers[0]["Authorization"] == "Bearer tell-nobody"
    assert hook.headers[0]["Idempotency-Key"] == post["id"]
    assert answers() == ["127.0.0.1 took the message. HTTP 200"]


def test_what_a_hook_says_back_shows_nothing_of_the_way_to_it(
    hook: Hook, settings: Any
) -> None:
    settings.ALERTS_WEBHOOK_SECRET = "tell-nobody"
    hook.status = 403
    hook.words = f"tell-nobody may not post to /hooks/secret-part, nor to {hook.url}"
    tell()

    send_due()

    (answer,) = answers()
    assert "[removed] may not post to [removed]" in answer
    assert "tell-nobody" not in answer
    assert "secret-part" not in answer


def test_a_digest_is_one_post_in_the_language_of_the_settings(
    hook: Hook, settings: Any
) -> None:
    settings.ALERTS_WEBHOOK_LANGUAGE = "fr-ch"
    connection = make_connection()
    fail(connection)
    fail(connection)
    tell_what_changed()

    send_due()

    (post,) = hook.posts
    assert post["change"] == "digest"
    assert post["title"] == "2 problèmes en cours"
    assert [one["change"] for one in post["items"]] == ["stands", "stands"]


@pytest.mark.parametrize(
    ("status", "more", "wait"),
    [(500, {}, 1), (302, {"Location": "/"}, 1), (429, {"Retry-After": "600"}, 10)],
)
def test_a_post_that_is_refused_is_tried_again(
    hook: Hook, later: Any, status: int, more: dict[str, str], wait: int
) -> None:
    tell()
    hook.status, hook.more = status, more

    send_due()

    message = AlertMessage.objects.get()
    assert (message.state, message.due_at - clock.now()) == (
        Delivery.WAITING,
        wait * MINUTE,
    )
    assert f"HTTP {status}" in message.answer
    assert "secret-part" not in message.answer
    assert len(hook.posts) == 1


def test_a_post_without_an_answer_is_not_repeated_but_one_that_met_nobody_is(
    hook: Hook, later: Any, settings: Any
) -> None:
    tell()
    hook.status = 0
    send_due()
    assert states() == [Delivery.UNKNOWN]

    settings.ALERTS_WEBHOOK_URL = f"http://127.0.0.1:{closed_port()}/"
    tell()
    send_due()

    assert states() == [Delivery.UNKNOWN, Delivery.WAITING]
    assert "cannot be reached" in answers()[1]
    later(HOUR)
    send_due()
    assert len(hook.posts) == 1


# --- A test -------------------------------------------------------------------------


def test_a_test_is_answered_at_once_and_not_tried_again(
    box: MailBox, later: Any
) -> None:
    user = make_user()

    good = send_test(Channel.MAIL, user)
    box.refusal_of_recipient = "550 No such user"
    bad = send_test(Channel.MAIL, user)
    later(HOUR)
    send_due()

    assert box.subjects == ["Sync Errors: a test of the alerts"]
    assert (good.state, bad.state) == (Delivery.SENT, Delivery.GIVEN_UP)
    assert answers()[1] == "127.0.0.1 refused the mail: 550 No such user"


def test_an_old_message_is_forgotten_after_ninety_days(
    box: MailBox, later: Any
) -> None:
    send_test(Channel.MAIL, make_user())

    later(timedelta(days=91))
    send_due()

    assert not AlertMessage.objects.exists()
