"""Secrets at rest."""

import pytest
from cryptography.fernet import Fernet
from pytest_django import Settings

from integration.models import Endpoint
from integration.services.credentials import (
    CredentialUnreadable,
    keep_secret,
    read_secret,
)


def test_a_kept_secret_is_not_in_the_row_and_can_be_read_back() -> None:
    endpoint = Endpoint(name="Sales")

    keep_secret(endpoint, "très-secret")

    assert "très-secret" not in endpoint.secret
    assert read_secret(endpoint) == "très-secret"


def test_a_secret_survives_the_change_of_the_first_key(
    settings: Settings,
) -> None:
    endpoint = Endpoint(name="Sales")
    keep_secret(endpoint, "secret")

    settings.CREDENTIAL_KEYS = [
        Fernet.generate_key().decode(),
        *settings.CREDENTIAL_KEYS,
    ]

    assert read_secret(endpoint) == "secret"


def test_a_lost_key_is_said_in_a_sentence_that_names_the_endpoint(
    settings: Settings,
) -> None:
    endpoint = Endpoint(name="Sales")
    keep_secret(endpoint, "secret")
    settings.CREDENTIAL_KEYS = [Fernet.generate_key().decode()]

    with pytest.raises(CredentialUnreadable, match="“Sales” cannot be read"):
        read_secret(endpoint)


def test_an_empty_secret_is_forgotten() -> None:
    endpoint = Endpoint(name="Sales", secret="x")

    keep_secret(endpoint, "")

    assert (endpoint.secret, read_secret(endpoint)) == ("", "")
