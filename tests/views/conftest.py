"""Signed-in clients for the tests of pages."""

import pytest
from django.test import Client

from integration.choices import Role
from tests.factories import make_user


def signed_in(role: Role, **values: str) -> Client:
    client = Client()
    client.force_login(make_user(role, **values))
    return client


@pytest.fixture
def viewer(db: None) -> Client:
    return signed_in(Role.VIEWER)


@pytest.fixture
def operator(db: None) -> Client:
    return signed_in(Role.OPERATOR)


@pytest.fixture
def administrator(db: None) -> Client:
    return signed_in(Role.ADMINISTRATOR)
