"""Whatever a server answers: no hang, no flood, only our exceptions, no token lost."""

import gzip
import json
import logging
import traceback
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from integration.connectors import batch_multipart, business_central
from integration.connectors.base import Connector, Create, Delete, Update
from integration.connectors.business_central import BusinessCentral
from integration.connectors.calls import Answer
from integration.connectors.errors import CursorExpired, Refused, RemoteError
from integration.connectors.sales import Sales
from integration.connectors.transport import MAX_ANSWER_BYTES
from tests.connectors.wire import BASE, SECRET, Seconds, Wire, guid, refusal, reply

KEYS = st.sampled_from(
    [
        *("value", "error", "code", "message", "responses", "requests", "id", "status"),
        *("headers", "body", "UserId", "accountid", "reason", "@odata.nextLink"),
        *("@odata.deltaLink", "@odata.etag", "modifiedon", "RolePrivileges", "name"),
        *("systemuserroles_association", "accessmode", "Ids", "lastModifiedDateTime"),
    ]
)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(
        [
            *("deleted", guid(1), "9999-12-31T23:59:59-14:00", "https://evil.example/"),
            *("http://[::1", "//evil.example/next", "1" * 5000, "²", 'W/"1"'),
        ]
    )
)
BODIES = st.recursive(
    LEAVES,
    lambda one: st.lists(one, max_size=4) | st.dictionaries(KEYS, one, max_size=5),
    max_leaves=12,
)
RAW = st.sampled_from(
    [
        b"",
        b"{",
        b"[" * 5_000,
        b'{"value": [{"accountid": 1E+999999999}]}',
        b'{"value": NaN}',
        b"\xff\xfe\x00",
        b"<html>" + b"x" * 5_000,
        gzip.compress(b"0" * 1_000_000),
        b"--b\r\n\r\nHTTP/1.1 200 OK\r\n\r\n{\r\n--b",
    ]
)
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "content-type": st.sampled_from(
            ["application/json", "text/html", 'multipart/mixed; boundary="b"', "x"]
        ),
        "content-encoding": st.sampled_from(["gzip", "deflate", "gzip, gzip", "br"]),
        "retry-after": st.sampled_from(
            ["0", "1" * 400, "-1", "x", "Mon, 01 Jan 0001 00:00:00 +9999", "²"]
        ),
        "date": st.sampled_from(["x", "Mon, 32 Foo 2026", "Mon, 01 Jan 0001 00:00:00"]),
        "location": st.just("https://evil.example/"),
    },
)
STATUSES = st.sampled_from(
    [
        *(200, 200, 200, 201, 204, 206, 302, 307, 400, 401, 403, 404, 409, 412),
        *(418, 429, 500, 503, 599, 999),
    ]
)


class Hostile(Wire):
    """Answers everything, also sign-ins, with one answer; remembers who was asked."""

    def __init__(self, answer: Callable[[], httpx2.Response], tokens: bool) -> None:
        super().__init__()
        self.answer = answer
        self.tokens = tokens
        self.hosts: set[str] = set()

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.hosts.add(request.url.host)
        if self.tokens and request.url.path.endswith("/token"):
            return super().__call__(request)
        return self.answer()


def actions(one: Connector) -> Iterator[Callable[[], Any]]:
    """Everything that is asked of both systems, then what only one of them knows."""
    create = [Create(guid(n), {"name": "x"}) for n in (1, 2)]
    update = [Update(guid(n), {"name": "x"}, 'W/"1"') for n in (1, 2)]
    yield one.identity
    yield lambda: list(one.read_all("accounts", ("name",)))
    yield lambda: list(one.read_changes("accounts", ("name",), ""))
    yield lambda: one.read_one("accounts", ("name",), guid(1))
    yield lambda: one.create_many("accounts", ("name",), create)
    yield lambda: one.update_many("accounts", ("name",), update)
    yield lambda: one.read_many("accounts", ("name",), [guid(1), guid(2)])
    yield lambda: one.read_each("accounts", ("name",), [guid(1), guid(2)])
    yield lambda: one.delete_many("accounts", [Delete(guid(1), 'W/"1"')])
    yield one.server_time
    if isinstance(one, BusinessCentral):
        yield from (one.companies, one.ledger_setup, one.job_queue_entries)
        yield lambda: one.peek("customers")
    if isinstance(one, Sales):
        yield one.base_currency
        yield lambda: one.privileges(guid(1))


def try_everything(wire: Hostile) -> str:
    """What was raised, whole; only ours may be."""
    seen = []
    for one in (wire.bc(), wire.sales()):
        for act in actions(one):
            try:
                seen.append(repr(act()))
            except RemoteError as error:
                seen += [*traceback.format_exception(error), repr(error.failure)]
    return "\n".join(seen)


@settings(
    max_examples=60,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
@given(
    body=BODIES.map(lambda value: json.dumps(value).encode()) | RAW,
    status=STATUSES,
    headers=HEADERS,
    tokens=st.booleans(),
)
def test_every_answer_is_read_or_refused_in_our_own_words(
    body: bytes, status: int, headers: dict[str, str], tokens: bool
) -> None:
    stream = headers.get("content-encoding") is not None

    def answer() -> httpx2.Response:
        content: Any = iter([body]) if stream else body
        named = [(k.encode(), v.encode()) for k, v in headers.items()]
        return httpx2.Response(status, headers=named, content=content)

    wire = Hostile(answer, tokens)

    told = try_everything(wire)

    assert wire.hosts == {"remote.example", "login.microsoftonline.com"} or not tokens
    assert "evil.example" not in wire.hosts
    assert SECRET not in told
    assert "token-1" not in told
    assert sum(wire.slept) < 1_000


LONG = [
    {"error": {"code": "x", "message": "a" + " " * 99_000 + "b"}},
    {"error": {"code": "-eyJ" * 90_000, "message": "-eyJ" * 40_000}},
    {"error": "x", "error_description": "a" + " " * 400_000 + "b"},
]
NUMBERS = ["1e9999999999999999999", "1E-99999999999999999999", "0E+999999999999999999"]
BEYOND = "Fri, 31 Dec 9999 23:59:59 -2359"


@pytest.mark.parametrize("status", [200, 400])
@pytest.mark.parametrize(
    "body",
    [
        *(json.dumps(long) for long in LONG),
        *(f'{{"value": [{{"accountid": {number}}}]}}' for number in NUMBERS),
        *(f'{{"error": {{"code": 1, "message": {number}}}}}' for number in NUMBERS),
        *(f'{{"access_token": "x", "expires_in": {number}}}' for number in NUMBERS),
        '{"value": []}',
    ],
    ids=lambda body: body[:60],
)
@pytest.mark.parametrize("tokens", [True, False])
def test_nothing_in_an_answer_takes_hours_or_is_beyond_all_numbers(
    body: str, status: int, tokens: bool
) -> None:
    """Where a pattern went through a text once for each of its signs this would not
    end while anybody waits."""

    def answer() -> httpx2.Response:
        return httpx2.Response(status, headers={"date": BEYOND}, content=body.encode())

    assert SECRET not in try_everything(Hostile(answer, tokens))


@pytest.mark.parametrize(
    "token",
    [
        {"access_token": "tö", "expires_in": 9},
        {"access_token": "a\nb"},
        {"access_token": "x", "expires_in": 1e300},
        {"access_token": "x", "expires_in": -5},
        {"access_token": "x", "expires_in": []},
        {"access_token": "x", "expires_in": 10**400},
        {"access_token": "~." * 4_001},
    ],
)
def test_a_token_no_header_can_carry_is_refused(token: dict[str, Any]) -> None:
    wire = Hostile(lambda: reply({"expires_in": 3600, **token}), tokens=False)

    assert "token-missing" in try_everything(wire)


def test_a_body_that_drips_ends_after_twice_the_time_out() -> None:
    wire = Wire()
    clock = Seconds()

    def drip() -> Iterator[bytes]:
        while True:
            clock.sleep(100)
            yield b" "

    wire.clock = clock
    wire.replies = [httpx2.Response(200, content=drip()) for _ in range(3)]

    with pytest.raises(RemoteError, match="net-timeout"):
        wire.bc().ledger_setup()

    assert clock.now < 3 * 500 + 1_000


def test_layers_of_compression_are_not_unpacked() -> None:
    bomb = gzip.compress(gzip.compress(b"0" * 10_000_000))
    packed = {"content-encoding": "gzip, gzip"}
    wire = Wire(
        *(httpx2.Response(200, headers=packed, content=iter([bomb])) for _ in range(3))
    )

    with pytest.raises(RemoteError, match="net-answer-unreadable"):
        wire.bc().ledger_setup()


def test_a_refused_token_is_renewed_without_reading_the_refusal() -> None:
    def flood() -> Iterator[bytes]:
        yield b"x"
        raise AssertionError("nobody needs to read this")

    wire = Wire(httpx2.Response(401, content=flood()), reply({"value": [{"a": 1}]}))

    assert wire.bc().ledger_setup() == {"a": 1}
    assert wire.bearers == ["Bearer token-1", "Bearer token-2"]


def test_links_that_lead_round_in_a_circle_end() -> None:
    pages = [f"{BASE}/api/data/v9.2/accounts?page={n}" for n in (1, 2)]
    wire = Wire(
        *(
            reply({"value": [{"accountid": guid(n)}], "@odata.nextLink": pages[n % 2]})
            for n in range(9)
        )
    )

    with pytest.raises(RemoteError, match="next-link-endless"):
        list(wire.sales().read_all("accounts", ("name",)))

    assert len(wire.calls) <= 4


def test_ever_new_links_to_nothing_end() -> None:
    def nothing(request: httpx2.Request) -> httpx2.Response:
        wire.replies.append(nothing)
        link = f"{BASE}/api/data/v9.2/accounts?page={len(wire.calls)}"
        return reply({"value": [], "@odata.nextLink": link})

    wire = Wire(nothing)

    with pytest.raises(RemoteError, match="next-link-endless"):
        list(wire.sales().read_changes("accounts", ("name",), ""))


@pytest.mark.parametrize("role", [{}, {"roleid": "x" * 5_000}, {"roleid": None}])
def test_a_role_whose_id_is_none_has_none(role: object) -> None:
    """It is kept for links, where there is no room for any other."""
    user = {"fullname": "x", "systemuserroles_association": [role]}
    wire = Wire(reply({"UserId": guid(1)}), reply(user))

    assert wire.sales().identity().role_ids == ("",)


def test_who_we_are_is_told_in_bounds() -> None:
    role = {"roleid": guid(2).upper(), "name": "r" * 5_000}
    user = {"fullname": "x" * 5_000, "systemuserroles_association": [role] * 5_000}
    wire = Wire(reply({"UserId": guid(1)}), reply(user), reply({"name": "c" * 5_000}))

    found, company = wire.sales().identity(), wire.bc().identity()

    assert (len(found.name), len(company.name)) == (250, 250)
    assert {len(name) for name in found.role_names} == {250}
    assert set(found.role_ids) == {guid(2)}
    assert len(found.role_ids) == len(found.role_names) == 200


def test_ever_new_links_to_the_same_rows_end() -> None:
    """As of who does not understand the mark in a link, and begins anew each time."""

    def same(request: httpx2.Request) -> httpx2.Response:
        wire.replies.append(same)
        link = f"{BASE}/api/data/v9.2/accounts?page={len(wire.calls)}"
        rows = [{"accountid": guid(n), "name": "x"} for n in (1, 2, 3)]
        return reply({"value": rows, "@odata.nextLink": link})

    wire = Wire(same)

    with pytest.raises(RemoteError, match="next-link-endless"):
        list(wire.sales().read_all("accounts", ("name",)))

    assert len(wire.calls) == 2


KEPT: dict[str, Callable[[Wire], Any]] = {
    "entries": lambda wire: wire.bc().job_queue_entries(),
    "companies": lambda wire: wire.bc().companies(),
    "some of theirs": lambda wire: wire.bc().read_many("items", (), [guid(1)]),
    "some of ours": lambda wire: wire.sales().read_many("accounts", (), [guid(1)]),
    "base currency": lambda wire: wire.sales().base_currency(),
    "at most": lambda wire: list(wire.sales().read_all("accounts", (), most=100)),
}


@pytest.mark.parametrize("size", [10, 20_000_000])
@pytest.mark.parametrize("name", KEPT)
def test_ever_new_rows_end_where_all_of_them_are_kept(
    name: str, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is another one, so that nothing tells that they would never end."""
    monkeypatch.setattr(business_central, "MOST_LISTED", 100)

    def another(request: httpx2.Request) -> httpx2.Response:
        wire.replies.append(another)
        key, count = guid(len(wire.calls)), len(wire.calls)
        row = {"id": key, "accountid": key, "organizationid": key, "name": "NAME"}
        link = f"{request.url.copy_set_param('page', count)}"
        body = json.dumps({"value": [row], "@odata.nextLink": link})
        return httpx2.Response(200, content=body.replace("NAME", "x" * size).encode())

    wire = Wire(another)

    with pytest.raises(RemoteError, match="next-link-endless"):
        KEPT[name](wire)


@pytest.mark.parametrize(
    "link",
    ["http://[::1", f"{BASE}/x\x01", f"{BASE}/{'x' * 70_000}", "https://evil.example/"],
    ids=lambda link: link[:30],
)
def test_a_stored_link_that_cannot_be_asked_has_expired(link: str) -> None:
    """Else it would be in the way of every run to come."""
    wire = Wire()

    with pytest.raises(CursorExpired):
        list(wire.sales().read_changes("accounts", ("name",), link))

    assert wire.calls == []


@pytest.mark.parametrize("link", [f"{BASE}/\x1b[31m", f"{BASE}/{'x' * 70_000}"])
def test_a_link_that_cannot_be_asked_stops_one_read_only(link: str) -> None:
    wire = Wire(reply({"value": [], "@odata.nextLink": link}))

    with pytest.raises(Refused, match="next-link-elsewhere"):
        list(wire.bc().read_all("customers", ("name",)))


def test_an_address_of_theirs_is_logged_without_our_token_and_short(
    caplog: pytest.LogCaptureFixture,
) -> None:
    link = f"{BASE}/token-1/{'x' * 9_000}"
    wire = Wire(reply({"value": [], "@odata.nextLink": link}), reply({"value": []}))

    with caplog.at_level(logging.INFO, logger="integration.connectors"):
        list(wire.sales().read_all("accounts", ("name",)))

    logged = repr([vars(record) for record in caplog.records])
    assert "/[removed]/xxx" in logged
    assert "token-1" not in logged
    assert "x" * 600 not in logged


@pytest.mark.parametrize("status", [-1, 99, 1_000, 10**6, True, "200", 2.5, None])
def test_a_part_with_a_status_that_is_none_has_no_answer(status: object) -> None:
    body = {"id": guid(1), "name": "x"}
    parts = [{"id": "1", "status": status, "headers": {}, "body": body}]
    wire = Wire(reply({"responses": parts}))

    [result] = wire.bc().create_many("customers", ("name",), [Create("", {})])

    assert "batch-answer-missing" in repr(result)


def test_an_answer_about_another_record_is_none() -> None:
    """What was read or written there is not what was asked for."""
    parts = [
        {"id": str(n), "status": 200, "headers": {}, "body": {"id": guid(n + 1)}}
        for n in (1, 2)
    ]
    updates = [Update(guid(n), {"name": "x"}, 'W/"1"') for n in (1, 2)]
    wire = Wire(reply({"responses": parts}), reply({"responses": parts}))

    written = wire.bc().update_many("customers", ("name",), updates)
    read = wire.bc().read_each("customers", ("name",), [guid(1), guid(2)])

    assert repr([*written, *read]).count("batch-answer-missing") == 4


def test_a_record_made_under_another_key_than_ours_is_not_taken_for_it() -> None:
    body = json.dumps({"accountid": guid(2)})
    part = f"--b\r\n\r\nHTTP/1.1 201 Created\r\n\r\n{body}\r\n--b--"
    kind = {"content-type": "multipart/mixed; boundary=b"}
    wire = Wire(httpx2.Response(200, headers=kind, content=part.encode()))

    [result] = wire.sales().create_many("accounts", ("name",), [Create(guid(1), {})])

    assert "batch-answer-missing" in repr(result)


@pytest.mark.parametrize("body", [b"1.5", b"1", b'"x"', b"null", b"true"])
def test_an_answer_that_is_one_value_is_none(body: bytes) -> None:
    wire = Wire(httpx2.Response(200, content=body))

    with pytest.raises(RemoteError, match="net-answer-unreadable"):
        wire.bc().ledger_setup()


DEEP = "[" * 60 + "]" * 60
MANY = "[" + "1.5," * 4_100_000 + "1]"


@pytest.mark.parametrize("value", [DEEP, MANY], ids=["deep", "many"])
def test_what_is_nested_or_counts_beyond_any_answer_is_refused(value: str) -> None:
    """Before a list of numbers fills the memory, or somebody goes through it."""
    body = f'{{"value": [{{"id": "{guid(1)}", "name": {value}}}]}}'
    wire = Wire(*(httpx2.Response(200, content=body.encode()) for _ in range(3)))

    with pytest.raises(RemoteError, match="net-answer-unreadable"):
        list(wire.bc().read_all("customers", ("name",)))


FLOODS: dict[str, Callable[[], bytes]] = {
    "headers": lambda: (
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"%d:\n" % n for n in range(500_000))
    ),
    "parts": lambda: b"xx\n--b" * 500_000,
}
"""Made where it is sent, not by each process that collects the tests."""


@pytest.mark.parametrize("flood", FLOODS)
def test_a_batch_of_nothing_but_headers_or_parts_takes_no_memory(flood: str) -> None:
    body = b"--b\r\n\r\n" + FLOODS[flood]() + b"\r\n--b--"
    kind = {"content-type": "multipart/mixed; boundary=b"}
    answer = Answer(200, kind, body)

    tracemalloc.start()
    answers = batch_multipart.decode(answer, 1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert len(answers) == 1
    assert peak < 5 * len(body)


@pytest.mark.parametrize("etag", ['W/"1"\r\nX-Evil: 1', "\ud800", "ä", "x" * 300, "\0"])
def test_a_version_that_no_header_can_carry_is_none(etag: str) -> None:
    row = {"accountid": guid(1), "@odata.etag": etag}
    body = json.dumps({"value": [row]}).encode()
    wire = Wire(httpx2.Response(200, content=body))

    [page] = wire.sales().read_all("accounts", ("name",))
    update = Update(guid(1), {"name": "x"}, page.records[0].etag)
    [result] = wire.sales().update_many("accounts", ("name",), [update])

    assert "etag-unknown" in repr(result)
    assert len(wire.calls) == 1


@pytest.mark.parametrize("key", ["", "1", guid(1) + "'", "x" * 5_000, None, {}])
def test_a_record_whose_id_is_none_is_refused(key: object) -> None:
    wire = Wire(reply({"value": [{"accountid": key}]}))

    with pytest.raises(RemoteError, match="net-answer-unreadable"):
        list(wire.sales().read_all("accounts", ("name",)))


@pytest.mark.parametrize("seconds", ["1000000", "-5", "Mon, 01 Jan 1990 00:00:00 GMT"])
def test_no_wait_is_longer_than_a_day_or_before_now(seconds: str) -> None:
    replies = [refusal(429, "429", "slow down", retry_after=seconds) for _ in range(3)]
    wire = Wire(*replies)

    with pytest.raises(RemoteError) as caught:
        wire.bc().ledger_setup()

    asked = caught.value.failure.retry_after_seconds
    assert asked is None or 0 <= asked <= 86_400
    assert sum(wire.slept) < 60


def test_one_layer_of_compression_stops_at_the_bound() -> None:
    bomb = gzip.compress(b" " * 200_000_000, 1)
    packed = {"content-encoding": "gzip"}
    wire = Wire(httpx2.Response(200, headers=packed, content=iter([bomb])))

    tracemalloc.start()
    with pytest.raises(RemoteError, match="net-answer-too-large"):
        wire.bc().ledger_setup()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 4 * MAX_ANSWER_BYTES


def test_a_body_without_end_stops_at_the_bound() -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield b" " * 1_000_000

    wire = Wire(httpx2.Response(200, content=endless()))

    with pytest.raises(RemoteError, match="net-answer-too-large"):
        wire.bc().ledger_setup()
