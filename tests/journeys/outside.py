"""An outside client: starts the commands, speaks raw HTTP, imports no product code.

What the journeys prove is recomputed here from the simulators' own stores and logs.
"""

import contextlib
import http.cookiejar
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
SHARED = REPOSITORY.parent / "shared"
IN_CI = os.environ.get("CI") == "true"
PASSWORD = "journey-of-a-record"
_chance = random.SystemRandom()
MAPPED = {
    "business_central": {"customers", "currencies"},
    "sales": {"accounts", "transactioncurrencies"},
}


def free_port() -> int:
    """A port nothing listens on, none of those that connections get by themselves."""
    while True:
        port = _chance.randrange(10_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def environment(data: Path) -> dict[str, str]:
    """What a person's shell would hold, with a data directory of the test's own.

    Whichever pair the tests run on: a start without settings takes the embedded one.
    """
    ours = ("DJANGO", "REDIS", "DATABASE")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
    return kept | {
        "SYNCERRORS_DATA_DIR": str(data),
        "SYNCERRORS_ADMIN_PASSWORD": PASSWORD,
        "SYNCERRORS_HTTPS": "0",
    }


@dataclass
class Finished:
    """A command that ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The JSON document that closes the output."""
        return json.loads(self.out[self.out.index("{") :])


def manage(data: Path, *arguments: str, more: dict[str, str] | None = None) -> Finished:
    """Run ``manage.py`` to its end, with ``more`` in its environment."""
    done = subprocess.run(  # noqa: S603  # our own command
        [sys.executable, "manage.py", *arguments],
        cwd=REPOSITORY,
        env=environment(data) | (more or {}),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return Finished(done.returncode, done.stdout, done.stderr)


def quickstart(
    data: Path,
    *arguments: str,
    sim_port: int = 0,
    more: dict[str, str] | None = None,
) -> Finished:
    """``quickstart --check --json`` on any free ports."""
    return manage(
        data,
        "quickstart",
        "--data",
        str(data),
        "--port",
        "0",
        "--sim-port",
        str(sim_port),
        "--check",
        "--json",
        *arguments,
        more=more,
    )


@dataclass
class Systems:
    """Running simulators, seen from outside."""

    description: dict[str, Any]
    process: subprocess.Popen[str] | None = None
    tokens: dict[str, str] = field(default_factory=dict)

    def control(self, path: str, body: Any = None) -> Any:
        """Ask or tell a control address."""
        url = f"{self.description['control_url'].rstrip('/')}/{path}"
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(url, data, headers)  # noqa: S310
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            return json.load(answer)

    def requests(self) -> list[dict[str, Any]]:
        """The log of everything that was asked."""
        log = self.control("requests")["requests"]
        assert isinstance(log, list)
        return log

    def token(self, scope: str) -> str:
        """Sign in with the client secret."""
        if scope not in self.tokens:
            form = {
                "grant_type": "client_credentials",
                "client_id": self.description["client_id"],
                "client_secret": self.description["client_secret"],
                "scope": scope,
            }
            body = urllib.parse.urlencode(form).encode()
            with urllib.request.urlopen(  # noqa: S310
                self.description["token_url"], body, timeout=60
            ) as answer:
                self.tokens[scope] = json.load(answer)["access_token"]
        return self.tokens[scope]

    def get(self, url: str, scope: str) -> Any:
        """One raw GET."""
        headers = {"Authorization": f"Bearer {self.token(scope)}"}
        request = urllib.request.Request(url, headers=headers)  # noqa: S310
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            return json.load(answer)

    def rows(self, url: str, scope: str) -> list[dict[str, Any]]:
        """Every row of a list, over all its pages."""
        found: list[dict[str, Any]] = []
        while url:
            body = self.get(url, scope)
            found += body["value"]
            url = body.get("@odata.nextLink", "")
        return found

    def business_central(self, entity: str) -> list[dict[str, Any]]:
        """All rows of an entity, read through the API."""
        d = self.description
        url = (
            f"{d['bc_url'].rstrip('/')}/v2.0/{d['tenant']}/{d['environment']}/api/v2.0"
            f"/companies({d['company_id']})/{entity}"
        )
        return self.rows(url, "https://api.businesscentral.dynamics.com/.default")

    def sales(self, table: str) -> list[dict[str, Any]]:
        """All rows of a table, read through the API."""
        base = self.description["sales_url"].rstrip("/")
        return self.rows(f"{base}/api/data/v9.2/{table}", f"{base}/.default")


@contextlib.contextmanager
def simulators(data: Path, *arguments: str, port: int = 0) -> Iterator[Systems]:
    """``manage.py simulate`` for as long as the block lasts."""
    described = data / "simulators.json"
    described.unlink(missing_ok=True)
    process = subprocess.Popen(  # noqa: S603  # our own command
        [
            *(sys.executable, "manage.py", "simulate", "--data", str(data)),
            *("--port", str(port), *arguments),
        ],
        cwd=REPOSITORY,
        env=environment(data) | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline(), "the simulators did not start"
        yield Systems(json.loads(described.read_text()), process)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=20)
        if process.stdout is not None:
            process.stdout.close()


@contextlib.contextmanager
def demonstration(data: Path) -> Iterator[tuple[str, Systems]]:
    """``quickstart`` on ports of its own: the link that signs in, and its systems."""
    process = subprocess.Popen(  # noqa: S603  # our own command
        [
            *(sys.executable, "manage.py", "quickstart", "--data", str(data)),
            *("--port", "0", "--sim-port", "0"),
        ],
        cwd=REPOSITORY,
        env=environment(data) | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        told = next((line for line in process.stdout if "/sign-in/" in line), "")
        assert told, "quickstart did not start"
        described = json.loads((data / "simulators.json").read_text())
        yield told.split()[-1], Systems(described)
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)


def is_list_read(entry: dict[str, Any]) -> bool:
    """A successful list or delta GET of a mapped entity."""
    known = MAPPED.get(entry["target"], set())
    path = urllib.parse.urlsplit(entry["path"]).path.rstrip("/")
    return (
        entry["method"] == "GET"
        and entry["status"] == 200
        and path.rsplit("/", 1)[-1] in known
    )


def records_read(log: list[dict[str, Any]]) -> int:
    """Records in successful answers to list and delta GETs of mapped entities."""
    return sum(entry["records"] for entry in log if is_list_read(entry))


def writes(log: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every record write that was done: alone, in a batch or in a bulk action."""
    done: list[dict[str, Any]] = []
    for entry in writing_calls(log):
        done += [
            part | {"target": entry["target"]}
            for part in entry["parts"] or [entry]
            if part["method"] in {"POST", "PATCH"} and 200 <= part["status"] < 300
        ]
    return done


def writing_calls(log: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Calls to the two systems other than GET; signing in is not one."""
    return [
        entry for entry in log if entry["target"] in MAPPED and entry["method"] != "GET"
    ]


class Browserless:
    """A person without JavaScript: signs in, reads pages, presses buttons."""

    def __init__(self, base: str) -> None:
        self.base = base.rstrip("/")
        self.cookies = http.cookiejar.CookieJar()
        self.opener = urllib.request.build_opener(
            urllib.request.HTTPCookieProcessor(self.cookies)
        )

    def get(self, path: str) -> str:
        """The page's HTML."""
        with self.opener.open(self.base + path, timeout=60) as answer:
            return str(answer.read().decode())

    def post(self, path: str, **form: str) -> str:
        """Send a form; the page it leads to."""
        page = self.get(path)
        found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
        assert found, f"no form on {path}"
        body = urllib.parse.urlencode({"csrfmiddlewaretoken": found[1], **form})
        headers = {"Referer": self.base + path}
        request = urllib.request.Request(  # noqa: S310
            self.base + path, body.encode(), headers
        )
        with self.opener.open(request, timeout=60) as answer:
            return str(answer.read().decode())

    def sign_in(self, user: str = "admin", password: str = PASSWORD) -> None:
        """Through the form."""
        self.post("/login/", username=user, password=password)


def remove_rates(systems: Systems, code: str) -> list[dict[str, Any]]:
    """Delete a currency's exchange rates behind the API; the rows that went."""
    rows = [
        row
        for row in systems.business_central("currencyExchangeRates")
        if row["currencyCode"] == code
    ]
    body = {
        "system": "business_central",
        "entity": "currencyExchangeRates",
        "action": "delete",
        "where": {"currencyCode": code},
    }
    systems.control("records", body)
    return rows


def add_records(
    systems: Systems, entity: str, rows: list[dict[str, Any]], system: str = ""
) -> None:
    """Put rows into a store behind the API."""
    kept = [{k: v for k, v in row.items() if "@" not in k} for row in rows]
    body = {
        "system": system or "business_central",
        "entity": entity,
        "action": "add",
        "records": kept,
    }
    systems.control("records", body)


@dataclass
class Running:
    """A data directory and the simulators that serve it."""

    data: Path
    systems: Systems
