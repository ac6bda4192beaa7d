"""Marked secrets are in no row, log line, page, export or crash."""

import traceback
from contextlib import closing

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db.models import QuerySet
from django.test import Client

from integration.connectors.errors import RemoteError
from integration.models import Connection
from integration.services.connections import check_connection, save_secret
from integration.services.endpoints import open_sales
from tests.factories import make_user
from tests.running import Systems

# A connection that broke is closed, and opened again.
pytestmark = pytest.mark.django_db(transaction=True)
MARK = "marked-secret-0123456789"
PAGES = (
    *("/", "/errors/?state=all", "/errors/export.csv?state=all", "/problems/"),
    *("/operations/", "/check/", "/jobs/", "/connections/", "/metrics"),
)


def everything_stored() -> str:
    """Every row of every table; credentials stand there encrypted."""
    rows = (list(QuerySet(model).values()) for model in apps.get_models())
    return "\n".join(str(found) for found in rows)


def test_a_marked_secret_shows_nowhere(
    systems: Systems,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG")
    user = make_user()
    (connection,) = systems.connect(user)
    apps_in_entra = systems.store.table("entra:apps")
    for row in apps_in_entra.rows():
        apps_in_entra.update(row, {"secret": MARK})
    for endpoint in (connection.business_central, connection.sales):
        save_secret(endpoint, MARK, user, "rotated")
    systems.break_something("aad-secret-expired")
    check_connection(Connection.objects.get(), user)
    sales = open_sales(connection.sales, for_check=True)
    with closing(sales), pytest.raises(RemoteError) as crash:
        sales.identity()
    with pytest.raises(SystemExit):
        call_command("doctor", "--json")
    browser = Client()
    browser.force_login(user)
    told = [everything_stored(), *traceback.format_exception(crash.value)]
    for page in PAGES:
        response = browser.get(page)
        told.append(response.getvalue().decode("utf-8", "replace"))
        response.close()
    logged = [str(vars(record)) for record in caplog.records]

    assert any("remote_call" in line for line in logged)
    for text in (*told, *logged, *capsys.readouterr()):
        assert MARK not in text
        assert "Bearer ey" not in text
        assert "client_secret=" not in text.replace("client_secret=[removed]", "")
