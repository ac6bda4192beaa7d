"""Settings are read once, typed, and fail in one sentence."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.journeys.outside import REPOSITORY, environment

OURS = {"DJANGO_SETTINGS_MODULE": "syncerrors.settings"}
GOOD_KEY = "iT4ES1Nz6rJ5l7mJbbL4zRr0xkM2PzXKc3M8vV0W5ls="


def check(data: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """What ``manage.py check`` says with these variables set."""
    return subprocess.run(  # our own command
        [sys.executable, "manage.py", "check"],
        cwd=REPOSITORY,
        env=environment(data) | more,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def shell(data: Path, code: str, **more: str) -> subprocess.CompletedProcess[str]:
    """What this code prints with these variables set; it needs no more of Django."""
    return subprocess.run(  # noqa: S603  # our own command
        [sys.executable, "-c", code],
        cwd=REPOSITORY,
        env=environment(data) | OURS | more,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_value_from_a_file_ends_before_its_line_break(tmp_path: Path) -> None:
    file = tmp_path / "hosts"
    file.write_text("errors.example.com\n")
    show = "from django.conf import settings; print(settings.ALLOWED_HOSTS)"

    done = shell(tmp_path, show, ALLOWED_HOSTS_FILE=str(file))

    assert done.stdout.strip() == "['errors.example.com']"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SYNCERRORS_HTTPS", "maybe"),
        ("SYNCERRORS_HEARTBEAT_SECONDS", "soon"),
        ("SYNCERRORS_HEARTBEAT_SECONDS", "²"),
        ("DATABASE_URL", "nonsense"),
        ("DATABASE_URL", "mysql://host/name"),
        ("DATABASE_URL", "postgres://host:port/name"),
        ("DATABASE_URL", "postgres://host:5432"),
        ("DATABASE_URL", "sqlite://syncerrors.db"),
        ("DATABASE_URL", "sqlite:///:memory:"),
        ("REDIS_URL", "nonsense"),
        ("REDIS_URL", "redis://host/notanumber"),
        ("REDIS_URL", "redis://host:port/0"),
        ("REDIS_URL", "redis://[::1"),
        ("REDIS_URL", "sentinel://host:26379"),
        ("TIME_ZONE", "Mars/Phobos"),
        ("TIME_ZONE", "../UTC"),
        ("LOG_LEVEL", "loud"),
    ],
)
def test_a_misspelt_value_stops_the_start_in_one_sentence(
    name: str, value: str, tmp_path: Path
) -> None:
    done = check(tmp_path, **{name: value})

    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert f"{name} is “{value}”" in done.stderr


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("EMAIL_URL", "smtp://anna:very-secret@", "EMAIL_URL names no mail server"),
        ("EMAIL_URL", "mail.example.com", "EMAIL_URL names no mail server"),
        ("PUBLIC_URL", "sync.example.com", "PUBLIC_URL must start with"),
        ("ALERTS_WEBHOOK_URL", "http://example.com/very-secret", "must start with"),
        ("ALERTS_WEBHOOK_LANGUAGE", "de", "is en or fr-ch"),
    ],
)
def test_alerts_that_cannot_work_stop_the_start_without_telling_a_secret(
    name: str, value: str, said: str, tmp_path: Path
) -> None:
    done = check(tmp_path, **{name: value})

    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert said in done.stderr
    assert "very-secret" not in done.stderr


@pytest.mark.parametrize("keys", ["very-secret", f"{GOOD_KEY},very-secret"])
def test_a_key_that_is_none_stops_the_start_in_one_sentence(
    keys: str, tmp_path: Path
) -> None:
    done = check(tmp_path, CREDENTIAL_KEYS=keys)

    assert done.returncode != 0
    assert done.stderr.splitlines() == [
        "Sync Errors cannot start: CREDENTIAL_KEYS holds something that is no Fernet "
        "key; one or more of them belong there, separated by commas."
    ]


def test_a_key_too_short_to_sign_with_stops_the_start_in_one_sentence(
    tmp_path: Path,
) -> None:
    done = check(tmp_path, SECRET_KEY="very-secret")

    assert done.returncode != 0
    assert done.stderr.splitlines() == [
        "Sync Errors cannot start: SECRET_KEY is too short to sign sessions safely; "
        "set it to 32 random characters or more."
    ]


def test_a_file_with_a_key_too_short_to_sign_with_is_named(tmp_path: Path) -> None:
    file = tmp_path / "secret_key"
    file.write_text("very-secret")

    done = check(tmp_path)

    assert done.returncode != 0
    assert done.stderr.splitlines() == [
        f"Sync Errors cannot start: {file} is too short to sign sessions safely; "
        "write 32 random characters or more into it, or delete it to get a new one."
    ]


def test_a_damaged_file_of_keys_is_named(tmp_path: Path) -> None:
    file = tmp_path / "credential_keys"
    file.write_text("very-secret")

    done = check(tmp_path)

    assert done.returncode != 0
    assert done.stderr.count("\n") == 1
    assert str(file) in done.stderr
    assert "very-secret" not in done.stderr


@pytest.mark.parametrize(("pooled", "threshold"), [("0", "2"), ("1", "None")])
def test_behind_a_pooler_of_transactions_nothing_is_prepared(
    tmp_path: Path, pooled: str, threshold: str
) -> None:
    show = (
        "from django.db import connection; "
        "print(connection.get_connection_params()['prepare_threshold'])"
    )

    place = {"DATABASE_URL": "postgres://a@127.0.0.1/b", "DATABASE_POOLED": pooled}
    done = shell(tmp_path, show, **place)

    assert done.stdout.strip() == threshold


def test_a_database_that_is_silent_is_given_up(tmp_path: Path) -> None:
    """It takes the connection, and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        place = f"postgres://a@127.0.0.1:{port}/b?connect_timeout=2"
        ask = "from django.db import connection; connection.cursor()"
        done = shell(tmp_path, ask, DATABASE_URL=place)
    show = "from django.conf import settings; print(settings.DATABASES)"
    usual = shell(tmp_path, show, DATABASE_URL="postgres://a@127.0.0.1/b")

    assert "timeout expired" in done.stderr
    assert "'connect_timeout': 10" in usual.stdout


def test_whatever_the_data_directory_is_called_everything_lies_in_it(
    tmp_path: Path,
) -> None:
    data = tmp_path / "we#i?r%d+ é%41"
    show = (
        "from django.db import connection; connection.ensure_connection(); "
        "from integration.services.shared_memory import shared_memory; "
        "print(shared_memory()._redis.connection_pool.connection_kwargs['path'])"
    )

    done = shell(data, show)

    assert done.stdout.strip() == str(data / "no-broker.sock")
    assert (data / "syncerrors.sqlite3").exists()
    assert list(tmp_path.iterdir()) == [data]


@pytest.mark.parametrize(
    ("options", "verified"),
    [("", "required"), ("?ssl_cert_reqs=CERT_NONE&ssl_ca_certs=/etc/ca", "none")],
)
def test_an_encrypted_broker_is_verified_alike_by_all_who_talk_to_it(
    tmp_path: Path, options: str, verified: str
) -> None:
    show = (
        "from celery import current_app; "
        "from integration.services.shared_memory import shared_memory; "
        "ours = shared_memory()._redis.connection_pool.connection_kwargs; "
        "theirs = current_app.connection_for_write().ssl; "
        "print(ours['ssl_cert_reqs'], theirs['ssl_cert_reqs'].name); "
        "print(ours.get('ssl_ca_certs') == theirs.get('ssl_ca_certs'))"
    )

    done = shell(tmp_path, show, REDIS_URL=f"rediss://:s%40t@broker:6380/2{options}")

    assert done.stdout.split() == [verified, f"CERT_{verified.upper()}", "True"]


def test_a_verification_of_the_broker_that_nobody_knows_stops_the_start(
    tmp_path: Path,
) -> None:
    done = check(tmp_path, REDIS_URL="rediss://:secret@broker?ssl_cert_reqs=perhaps")

    assert done.returncode != 0
    assert "ssl_cert_reqs of REDIS_URL is “perhaps”" in done.stderr
    assert "secret" not in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["SECRET_KEY", "DATABASE_URL"])
def test_a_file_that_cannot_be_read_is_said(name: str, tmp_path: Path) -> None:
    done = check(tmp_path, **{f"{name}_FILE": str(tmp_path / "none")})

    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert f"The file that {name}_FILE names cannot be read" in done.stderr


@pytest.mark.parametrize("name", ["secret_key", "credential_keys"])
def test_a_key_that_is_no_text_is_said(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"\xff" * 60)

    done = check(tmp_path)

    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert f"{tmp_path / name} holds something that is no key" in done.stderr


def test_an_empty_data_directory_is_the_usual_one(tmp_path: Path) -> None:
    show = "from django.conf import settings; print(settings.DATA_DIR)"
    kept = {"SECRET_KEY": "k" * 50, "CREDENTIAL_KEYS": GOOD_KEY}

    done = shell(tmp_path, show, SYNCERRORS_DATA_DIR="", **kept)

    assert done.stdout.strip() == str(REPOSITORY / "data")


def test_the_mail_server_is_read_from_its_address(tmp_path: Path) -> None:
    show = (
        "from django.conf import settings as s; "
        "print(s.ALERTS_BY_MAIL, s.EMAIL_HOST, s.EMAIL_PORT, s.EMAIL_USE_TLS, "
        "s.EMAIL_HOST_PASSWORD, s.DEFAULT_FROM_EMAIL)"
    )
    url = "smtp+tls://anna:p%40ss@mail.example.com:587"
    more = {"EMAIL_URL": url, "PUBLIC_URL": "https://sync.example.com/"}

    done = shell(tmp_path, show, **more)

    assert done.stdout.strip() == (
        "True mail.example.com 587 True p@ss Sync Errors <sync-errors@sync.example.com>"
    )


def test_a_data_directory_that_is_a_file_is_said(tmp_path: Path) -> None:
    place = tmp_path / "file"
    place.write_text("")

    done = check(place)

    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert "data directory" in done.stderr


def test_who_starts_second_reads_the_whole_key_of_the_first(tmp_path: Path) -> None:
    show = "from django.conf import settings; print(settings.SECRET_KEY)"
    both = [
        subprocess.Popen(  # noqa: S603  # our own command
            [sys.executable, "-c", show],
            cwd=REPOSITORY,
            env=environment(tmp_path / "new") | OURS,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]

    one, other = (process.communicate(timeout=60)[0].strip() for process in both)

    assert one == other == (tmp_path / "new" / "secret_key").read_text()
    assert sorted(file.name for file in (tmp_path / "new").iterdir()) == [
        "credential_keys",
        "secret_key",
    ]


def test_a_data_directory_whose_name_is_no_text_is_said(tmp_path: Path) -> None:
    done = check(tmp_path, SYNCERRORS_DATA_DIR=f"{tmp_path}/\udcff")

    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert "a folder whose name is UTF-8" in done.stderr


def test_a_data_directory_is_its_owners_also_with_keys_from_elsewhere(
    tmp_path: Path,
) -> None:
    """The first start with both keys in the environment writes none."""
    data = tmp_path / "new"
    keys = {"SECRET_KEY": "x" * 50, "CREDENTIAL_KEYS": GOOD_KEY}

    done = shell(data, "import syncerrors.wsgi", **keys)

    assert done.returncode == 0, done.stderr
    assert data.stat().st_mode & 0o777 == 0o700
