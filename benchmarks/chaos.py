"""Kills worker, broker or web in mid-sync, and compares how everything ends.

    uv run benchmarks/chaos.py --seed 1 --runs 60

Each run starts quickstart on a fresh copy of one prepared directory: 4,000 customers in
Business Central, 1,000 accounts in Sales, some of them alike and some that must fail.
The workers carry out the first sync and then an incremental one; in one of them the
simulators kill a process at a request that the seed chooses: in three of four runs the
worker inside a write, in the others web or the broker.
When all is at rest, both stores, the couplings and the errors must be what they are
without a kill. Prints the moments and the verdict; exits 1 on a difference.

Imports nothing of the product: it starts commands, speaks HTTP to the simulators'
controls and reads the product's database from outside. While web is killed, somebody
presses: retries what failed, deletes all entries and takes that back.
"""

import argparse
import http.client
import http.cookiejar
import json
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
CUSTOMERS, ACCOUNTS, TWINS = 4_000, 1_000, 20
DIRECTIONS = 3  # currencies to Sales, customers to both
QUICKSTART = ("quickstart", "--no-accept")
ANY_PORTS = ("--port", "0", "--sim-port", "0")
OTHERS = ("web", "broker")
OTHERS_EVERY = 4  # of so many runs one kills one of these, the others the worker
PASSWORD = "nobody-else-uses-this"
MOMENTS = ("before", "after_write", "mid_response")
PHASES = ("first", "incremental")
INTERVAL_SECONDS = 10
START_SECONDS, REST_SECONDS = 300, 600
# Not compared: what each system gives by itself, in the order things happen.
GIVEN = {"id", "_version", "_createdAt", "_modifiedAt", "_modifiedBy"}

WEB = re.compile(r"^Open  (http://\S+)$", re.M)
TOKEN = re.compile(r'name="(csrfmiddlewaretoken|token)" value="([^"]+)"')
ENTRY = re.compile(r'name="entry" value="(\d+)"')
RELEVANT = re.compile(r'for="typed">\D*(\d+)<')
UNDO = re.compile(r'action="(/operations/\d+/undo/)"')

Facts = Counter[str]


@dataclass
class Kill:
    """One kill: in which phase, at which request, whom and when."""

    phase: str
    request: int
    target: str
    when: str
    writes: bool

    def __str__(self) -> str:
        kind = "write" if self.writes else "request"
        return f"{self.phase} {kind} {self.request}, {self.target} {self.when}"


@dataclass
class End:
    """How a run ended: what is compared, and what the simulators logged of the kill."""

    facts: dict[str, Facts] = field(default_factory=dict)
    killed: list[dict[str, Any]] = field(default_factory=list)
    counts: dict[str, dict[bool, int]] = field(default_factory=dict)
    pressed: str = ""
    seconds: float = 0.0
    problem: str = ""


class Place:
    """One data directory with quickstart running on it."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.control_url = self.web_url = ""

    @contextmanager
    def running(self, ready: str, *arguments: str) -> Iterator[None]:
        """A command that stays, from the line it is ready with to the block's end."""
        log = self.data / "command.log"
        with log.open("wb") as output:
            process = start(self.data, *arguments, output=output)
        try:
            wait_until(
                lambda: ready in log.read_text() or process.poll() is not None,
                START_SECONDS,
                arguments[0],
            )
            if process.poll() is not None:
                raise RuntimeError(f"{arguments[0]} ended: {log.read_text()}")
            described = json.loads((self.data / "simulators.json").read_text())
            self.control_url = described["control_url"]
            self.web_url = "".join(WEB.findall(log.read_text())[:1])
            yield
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=60)

    def control(self, name: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.control_url}/{name}", data)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def change(self, system: str, entity: str, action: str, **how: Any) -> None:
        body = {"system": system, "entity": entity, "action": action, **how}
        self.control("records", body)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What the product's database says."""
        url = f"{(self.data / 'syncerrors.sqlite3').as_uri()}?mode=ro"
        with closing(sqlite3.connect(url, uri=True, timeout=20)) as database:
            return database.execute(query).fetchall()

    def last_request(self) -> int:
        return int(self.control("requests")["requests"][-1]["n"])

    def kills(self) -> list[dict[str, Any]]:
        log = self.control("requests")["requests"]
        return [entry for entry in log if entry["fault"].startswith("kill")]

    def last_job(self) -> int:
        return int(self.rows("SELECT coalesce(max(id), 0) FROM integration_job")[0][0])

    def is_at_rest(self, since: int) -> bool:
        """Both mappings have run since that job, the last time without a write, and
        nobody waits for what they asked for."""
        if self.rows("SELECT 1 FROM integration_operation WHERE state = 'running'"):
            return False
        jobs = self.rows(
            "SELECT mapping_id, direction, state, inserted + modified + coupled"
            f" FROM integration_job WHERE id > {since} AND operation_id IS NULL"
            " ORDER BY id"
        )
        last = {job[:2]: job[2:] for job in jobs}
        return len(last) == DIRECTIONS and set(last.values()) == {("succeeded", 0)}


class Person:
    """Somebody who is signed in and presses without a pause, until told to stop."""

    def __init__(self, base: str) -> None:
        self._base = base
        cookies = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self._browser = urllib.request.build_opener(cookies)
        self._page = ""
        self.acts: Facts = Counter()

    def sign_in(self) -> None:
        """Again, where web is killed meanwhile."""
        wait_until(partial(self._survives, self._sign_in), START_SECONDS, "sign in")

    @contextmanager
    def pressing(self) -> Iterator[None]:
        """Press beside the block. Raises RuntimeError on a page that is wrong."""
        stop = threading.Event()
        with ThreadPoolExecutor(1) as pool:
            rounds = pool.submit(self._rounds, stop)
            try:
                yield
            finally:
                stop.set()
            rounds.result()

    def _rounds(self, stop: threading.Event) -> None:
        while not stop.is_set():
            self._survives(self._round)

    def _survives(self, act: Callable[[], None]) -> bool:
        """Whether web lived through it. Raises RuntimeError on a page that is wrong."""
        try:
            act()
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{error.url} answered {error.code}") from error
        except (OSError, http.client.HTTPException):
            self.acts["cut off"] += 1  # web is killed; the next one is waited for
            return False
        return True

    def _sign_in(self) -> None:
        self._open("/login/")
        self._press("/login/", username="admin", password=PASSWORD)

    def _round(self) -> None:
        self._open("/errors/?state=open&sort=record")
        if entries := ENTRY.findall(self._page)[:5]:
            self._press("/errors/retry/", entry=entries)
            self.acts["retried"] += 1
        self._open("/errors/cleanup/?all=1")
        relevant = RELEVANT.findall(self._page)
        how = {"do": "delete-all", "typed": relevant[0]} if relevant else {}
        self._press("/errors/cleanup/delete/?all=1", **{"do": "delete", **how})
        for undo in UNDO.findall(self._page):
            self.acts["deleted"] += 1
            self._press(undo)
            self.acts["taken back"] += 1

    def undo(self, operation: int) -> None:
        self._open(f"/operations/{operation}/")
        self._press(f"/operations/{operation}/undo/")

    def _open(self, path: str, data: bytes | None = None) -> None:
        url = urllib.parse.urljoin(self._base, path)
        with self._browser.open(url, data, timeout=120) as answer:
            self._page = answer.read().decode()

    def _press(self, path: str, **fields: Any) -> None:
        """A button of a form on the page that is open."""
        given = dict(TOKEN.findall(self._page)) | fields
        self._open(path, urllib.parse.urlencode(given, doseq=True).encode())


def start(data: Path, *arguments: str, output: Any) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "manage.py", *arguments],
        cwd=REPOSITORY,
        env=environment(data),
        stdout=output,
        stderr=subprocess.STDOUT,
    )


def manage(data: Path, *arguments: str) -> str:
    """A command's output. Raises RuntimeError with it when it fails."""
    with start(data, *arguments, output=subprocess.PIPE) as process:
        words = process.communicate()[0].decode()
    if process.returncode:
        raise RuntimeError(f"{' '.join(arguments)}: {words}")
    return words


def environment(data: Path) -> dict[str, str]:
    """What a person's shell would hold, with the settings of this benchmark."""
    ours = ("DJANGO", "DATABASE", "REDIS", "SYNCERRORS")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
    return kept | {
        "SYNCERRORS_DATA_DIR": str(data),
        "SYNCERRORS_HEARTBEAT_SECONDS": "1",
        "SYNCERRORS_TAKE_UP_SECONDS": "4",
        "SYNCERRORS_ADMIN_PASSWORD": PASSWORD,
    }


def wait_until(condition: Callable[[], bool], seconds: float, name: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{name}: not within {seconds:.0f} s")
        time.sleep(0.2)


def prepare(data: Path) -> None:
    """Reviewed and accepted, nothing synchronized; some records that must fail."""
    manage(data, *QUICKSTART, *ANY_PORTS, "--check", "--records", str(CUSTOMERS))
    described = json.loads((data / "simulators.json").read_text())
    port = described["authority"].rpartition(":")[2]
    place = Place(data)
    with place.running("Simulators:", "simulate", "--data", str(data), "--port", port):
        accounts = [account(n) for n in range(ACCOUNTS)]
        place.change("sales", "accounts", "add", records=accounts)
        lost = {"currencyCode": "SEK"}
        place.change("business_central", "currencyExchangeRates", "delete", where=lost)
        for n in range(3):
            fault = {"id": "dv-string-too-long", "entity": "accounts"}
            place.control("faults", fault | {"record": str(100_011 + 400 * n)})
            fault = {"id": "bc-string-too-long", "entity": "customers"}
            place.control("faults", fault | {"record": f"Atelier {100 + 300 * n}"})
        manage(data, "review", "--accept")
    with closing(sqlite3.connect(data / "syncerrors.sqlite3")) as database, database:
        database.execute(
            f"UPDATE integration_tablemapping SET interval_seconds = {INTERVAL_SECONDS}"
        )


def account(n: int) -> dict[str, Any]:
    """Some are twins, of whom each must get a customer of its own."""
    named = n // 2 if n < TWINS else n
    return {
        "name": f"Atelier {named}",
        "address1_line1": f"Rue du Lac {named}",
        "address1_city": "Vevey",
        "customertypecode": 3,
        "statecode": 0,
    }


def edit(place: Place) -> None:
    """What people do between the two syncs, on both sides."""
    customers = by_key(place, "business_central", "customers", "number")
    accounts = by_key(place, "sales", "accounts", "name")
    for start in range(0, 600, 200):
        some = [customers[str(100_001 + 5 * n)] for n in range(start, start + 200)]
        changes = [
            {"id": key, "phoneNumber": f"+41 21 {n}"} for n, key in enumerate(some)
        ]
        place.change("business_central", "customers", "change", records=changes)
    moved = [accounts[f"Atelier {n}"] for n in range(500, 700)]
    changes = [{"id": key, "address1_city": f"Nyon {n}"} for n, key in enumerate(moved)]
    place.change("sales", "accounts", "change", records=changes)
    new = [{"number": f"N{n}", "displayName": f"Nouveau {n}"} for n in range(150)]
    new = [one | {"blocked": "", "currencyCode": ""} for one in new]
    place.change("business_central", "customers", "add", records=new)
    new = [account(n) for n in range(2_000, 2_250)]
    place.change("sales", "accounts", "add", records=new)


def by_key(place: Place, system: str, entity: str, name: str) -> dict[str, str]:
    found = stores(place)[system][entity]
    return {str(row.get(name)): row["id"] for row in found}


def stores(place: Place) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """Both stores by set; Business Central's one company."""
    found = place.control("records")
    (company,) = (v for v in found["business_central"].values() if isinstance(v, dict))
    return {"business_central": company, "sales": found["sales"]}


def carry_out(prepared: Path, data: Path, kill: Kill | None) -> End:
    """One run: from the copy to the comparable end. Never raises what a run can do."""
    started = time.monotonic()
    end = End()
    shutil.copytree(prepared, data)
    place = Place(data)
    try:
        with place.running("Ctrl-C ends everything.", *QUICKSTART, *ANY_PORTS):
            for phase in PHASES:
                if phase == "incremental":
                    edit(place)
                since, before = place.last_job(), place.last_request()
                if kill and kill.phase == phase:
                    plan_kill(place, kill)
                    if kill.target == "web":
                        end.pressed = press_until_killed(place)
                wait_until(partial(place.is_at_rest, since), REST_SECONDS, phase)
                end.counts[phase] = count(place, before)
            end.killed = place.kills()
            end.facts = observe(place)
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:
        end.problem = f"{type(error).__name__}: {error}"
    end.seconds = time.monotonic() - started
    return end


def plan_kill(place: Place, kill: Kill) -> None:
    place.control(
        "faults",
        {
            "kill_at_request": kill.request,
            "target": kill.target,
            "when": kill.when,
            "writes": kill.writes,
        },
    )


def press_until_killed(place: Place) -> str:
    """What somebody did meanwhile; what a cut-off click had deleted is taken back."""
    person = Person(place.web_url)
    person.sign_in()
    with person.pressing():
        wait_until(lambda: bool(place.kills()), REST_SECONDS, "the kill of web")
    query = "SELECT id FROM integration_operation WHERE state = 'in_force'"
    for (key,) in place.rows(query):
        person.undo(key)
    return ", ".join(f"{n} {act}" for act, n in sorted(person.acts.items()))


def count(place: Place, before: int) -> dict[bool, int]:
    """Requests of a phase up to its last write, and the writes (True) among them."""
    log = place.control(f"requests?since={before}")["requests"]
    writes = [number for number, entry in enumerate(log, 1) if is_write(entry)]
    return {False: writes[-1], True: len(writes)}


def is_write(entry: dict[str, Any]) -> bool:
    if entry["target"] not in ("business_central", "sales") or entry["method"] == "GET":
        return False
    parts = entry["parts"]
    return not parts or any(part["method"] != "GET" for part in parts)


def observe(place: Place) -> dict[str, Facts]:
    """Everything that must not depend on a kill."""
    found = stores(place)
    customers = found["business_central"]["customers"]
    accounts = found["sales"]["accounts"]
    currencies = found["sales"]["transactioncurrencies"]
    here = {row["id"]: row for row in customers}
    there = {row["id"]: row for row in accounts}
    named = here | there | {row["id"]: row for row in currencies}
    named |= {row["id"]: row for row in found["business_central"]["currencies"]}
    couplings = place.rows("SELECT bc_id, sales_id FROM integration_coupling")
    pairs = [(here[a], there[b]) for a, b in couplings if a in here and b in there]
    return {
        "customers": Counter(map(shown, customers)),
        "accounts": Counter(map(shown, accounts)),
        "currencies": Counter(map(shown, currencies)),
        "couplings": Counter(
            " = ".join(shown(named.get(key, {"name": "gone"})) for key in row)
            for row in couplings
        ),
        "coupled numbers that differ": Counter(
            f"{a['number']} = {b['accountnumber']}"
            for a, b in pairs
            if a["number"] != b["accountnumber"]
        ),
        "records with two partners": twice(row[0] for row in couplings)
        + twice(row[1] for row in couplings),
        "errors": errors(place),
        "pending": Counter(
            " ".join(map(str, row))
            for row in place.rows(
                "SELECT side, label, waits_for FROM integration_pendingrecord"
                " WHERE attempts > 0 OR intent IS NOT NULL"
            )
        ),
        "operations in mid-air": Counter(
            " ".join(row)
            for row in place.rows(
                "SELECT kind, state FROM integration_operation"
                " WHERE state NOT IN ('done', 'failed', 'undone')"
            )
        ),
        "failed runs": Counter(
            row[0]
            for row in place.rows(
                "SELECT message FROM integration_job WHERE state = 'failed'"
            )
        ),
    }


def shown(row: dict[str, Any]) -> str:
    """A record without what its system gave it: ids, versions, a number of its own."""
    name = str(row.get("displayName") or row.get("name"))
    given = {*GIVEN, "accountid"}
    if name.startswith("Atelier"):
        given |= {"number", "accountnumber"}
    kept = {key: value for key, value in row.items() if key not in given}
    return json.dumps(kept, sort_keys=True, ensure_ascii=False)


def twice(ids: Iterable[str]) -> Facts:
    return Counter({key: n for key, n in Counter(ids).items() if n > 1})


def errors(place: Place) -> Facts:
    """Every error, whatever its state, by the words of the product."""
    found = json.loads(
        manage(place.data, "errors", "state=all", "size=10000", "--json")
    )
    names = ("title", "mapping", "direction", "state", "waits_for", "settled")
    return Counter(
        json.dumps([error[name] for name in names] + sorted(labels(error)))
        for error in found["errors"]
    )


def labels(error: dict[str, Any]) -> list[str]:
    return [str(error[side]["name"]) for side in ("business_central", "sales")]


def choose(seed: int, run: int, reference: End) -> Kill:
    """Always the same for this seed and run, as far as the counts are the same."""
    chance = random.Random(f"{seed} {run}")
    turn, place = divmod(run, OTHERS_EVERY)
    phase, target, writes = PHASES[place % len(PHASES)], "worker", True
    if place == OTHERS_EVERY - 1:
        # Each of them in each phase, at any request as often as inside a write.
        phase, target = PHASES[turn // 2 % 2], OTHERS[turn % 2]
        writes = chance.random() < 0.5
    request = chance.randint(1, reference.counts[phase][writes])
    return Kill(phase, request, target, chance.choice(MOMENTS), writes)


def differences(reference: End, end: End) -> list[str]:
    """One line for each kind of fact that is not the same; [] is the right end."""
    lines = [end.problem] if end.problem else []
    for name, wanted in reference.facts.items() if not end.problem else ():
        lost, more = wanted - end.facts[name], end.facts[name] - wanted
        if lost or more:
            lines.append(f"{name}: {lost.total()} lost, {more.total()} too many")
            lines += [f"  - {fact}" for fact in list(lost)[:3]]
            lines += [f"  + {fact}" for fact in list(more)[:3]]
    return lines


def tell(run: int, kill: Kill, end: End, wrong: list[str]) -> None:
    where = "did not fire"
    for hit in end.killed:
        parts = f", {len(hit['parts'])} parts" if hit["parts"] else ""
        path = hit["path"].partition("?")[0].rpartition("/")[2]
        where = f"{hit['at']} {hit['target']} {hit['method']} {path}{parts}"
    verdict = "DIFFERENT" if wrong else "same"
    pressed = f" ({end.pressed})" if end.pressed else ""
    print(
        f"run {run:3} {end.seconds:5.0f} s  {kill}: {where}{pressed}: {verdict}",
        flush=True,
    )
    for line in wrong:
        print(f"      {line}", flush=True)


def at_least(least: int) -> Callable[[str], int]:
    """A whole number of that size, for the command line."""

    def number(text: str) -> int:
        if int(text) < least:
            raise argparse.ArgumentTypeError(f"{text} is less than {least}")
        return int(text)

    return number


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--runs", type=at_least(1), default=60)
    only = "this run of the seed"
    parser.add_argument("--only", type=at_least(0), metavar="RUN", help=only)
    together = "runs at the same time"
    parser.add_argument("--jobs", type=at_least(1), default=4, help=together)
    parser.add_argument("--keep", action="store_true", help="the directories, too")
    options = parser.parse_args(arguments)
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    try:
        return run_all(folder, options)
    finally:
        if options.keep:
            print(f"kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


def run_all(folder: Path, options: argparse.Namespace) -> int:
    started = time.monotonic()
    prepared = folder / "prepared"
    prepared.mkdir()
    prepare(prepared)
    reference = carry_out(prepared, folder / "reference", None)
    if reference.problem:
        print(f"the run without a kill: {reference.problem}")
        return 1
    totals = ", ".join(f"{n.total()} {name}" for name, n in reference.facts.items())
    print(f"without a kill {reference.seconds:.0f} s: {totals}; {reference.counts}")
    runs = [options.only] if options.only is not None else range(options.runs)

    def one(run: int) -> tuple[bool, bool]:
        data = folder / f"run-{run}"
        kill = choose(options.seed, run, reference)
        end = carry_out(prepared, data, kill)
        wrong = differences(reference, end)
        tell(run, kill, end, wrong)
        if not wrong:
            shutil.rmtree(data)
        # Only who writes can be torn in a write.
        inside = kill.target == "worker" and any(map(is_write, end.killed))
        return not wrong and bool(end.killed), inside

    with ThreadPoolExecutor(options.jobs) as pool:
        results = list(pool.map(one, runs))
    right, inside = (sum(column) for column in zip(*results, strict=True))
    seconds = time.monotonic() - started
    print(
        f"seed {options.seed}: {right} of {len(results)} runs end as without a kill, "
        f"{inside} kills of the worker inside a write, {seconds:.0f} s"
    )
    # Of one run alone, where its kill falls is its own business.
    few = options.only is None and inside * 3 < len(results) * 2
    return 0 if right == len(results) and not few else 1


if __name__ == "__main__":
    sys.exit(main())
