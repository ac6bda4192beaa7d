"""Marked secrets are in no row, log line, page, export or crash."""

import json
import threading
import traceback
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db.models import QuerySet
from django.test import Client

from integration.choices import Role
from integration.connectors.errors import RemoteError
from integration.models import Connection, Endpoint, SyncError
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
    check_connection(Connection.objects.get(), user, is_try=True)
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


class Echo(BaseHTTPRequestHandler):
    """A token endpoint that says our secret back, as Entra is known to."""

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
        words = f"AADSTS7000215: Invalid client secret: '{form['client_secret'][0]}'."
        told = {"error": "invalid_client", "error_description": words, "got": form}
        self.send_response(401)
        self.send_header("content-type", "application/json")
        self.send_header("request-id", form["client_secret"][0])
        self.end_headers()
        self.wfile.write(json.dumps(told).encode())

    def log_message(self, *args: object) -> None:
        """The connection to us is what the test is about."""


@pytest.fixture
def echo() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_secret_that_a_system_says_back_shows_nowhere(
    systems: Systems, echo: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    user, viewer = make_user(), make_user(Role.VIEWER, username="vera")
    (connection,) = systems.connect(user)
    for endpoint in (connection.business_central, connection.sales):
        save_secret(endpoint, MARK, user, "rotated")
    Endpoint.objects.update(authority=echo)

    check_connection(Connection.objects.get(), user, is_try=True)

    error = SyncError.objects.latest("pk")
    browser = Client()
    browser.force_login(viewer)
    told = [everything_stored(), *(str(vars(record)) for record in caplog.records)]
    for page in (*PAGES, f"/errors/{error.pk}/", f"/problems/{error.problem_id}/"):
        response = browser.get(page)
        told.append(response.getvalue().decode("utf-8", "replace"))
        response.close()
    assert "Invalid client secret: '[removed]'" in error.message
    for text in told:
        assert MARK not in text
