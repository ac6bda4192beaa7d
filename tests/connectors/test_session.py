import httpx2
import pytest

from integration.connectors.errors import (
    ConnectionRefused,
    Refused,
    Throttled,
    Transient,
)
from integration.connectors.throttle import LocalThrottle
from tests.connectors.wire import BASE, Wire, reply


def page(link: str = "", *rows: dict[str, str]) -> httpx2.Response:
    return reply({"value": list(rows), **({"@odata.nextLink": link} if link else {})})


def names(wire: Wire) -> list[str]:
    return [row["name"] for row in wire.bc().companies()]


def test_links_to_the_next_page_are_followed_to_the_last() -> None:
    wire = Wire(
        page(f"{BASE}/next?$skiptoken=a%2Cb", {"name": "A"}),
        page("/relative", {"name": "B"}),
        page("", {"name": "C"}),
    )

    assert names(wire) == ["A", "B", "C"]
    assert str(wire.calls[1].url) == f"{BASE}/next?$skiptoken=a%2Cb"
    assert str(wire.calls[2].url) == f"{BASE}/relative"
    assert {call.headers["prefer"] for call in wire.calls} == {"odata.maxpagesize=5000"}


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.example/next",
        "http://remote.example/next",
        f"{BASE}:444/next",
        f"{BASE}/v2.0/contoso/Production/api/v2.0/companies",
    ],
)
def test_a_link_elsewhere_or_to_itself_is_refused(link: str) -> None:
    wire = Wire(page(link))

    with pytest.raises(Refused, match="next-link-elsewhere"):
        names(wire)

    assert len(wire.calls) == 1


def test_a_cut_answer_of_a_read_may_be_tried_again() -> None:
    with pytest.raises(Transient, match="net-answer-unreadable"):
        names(Wire(httpx2.Response(200, content=b'{"value": [')))


def test_json_that_is_no_object_is_not_the_api() -> None:
    with pytest.raises(ConnectionRefused, match="net-answer-unreadable"):
        names(Wire(reply(["odd"])))


def test_a_list_without_rows_is_not_the_api() -> None:
    with pytest.raises(ConnectionRefused, match="net-answer-unreadable"):
        names(Wire(reply({"hello": "world"})))


@pytest.mark.parametrize(("patience", "bound"), [(0, 30), (100, 100), (1_000, 150)])
def test_a_call_waits_for_its_turn_within_bounds(patience: float, bound: float) -> None:
    for window in (bound - 1, bound + 1):
        wire = Wire(page(), page())
        monotonic = wire.clock.monotonic
        throttle = LocalThrottle(
            concurrent=1, requests=1, window_seconds=window, monotonic=monotonic
        )
        sales = wire.sales(throttle=throttle)
        sales.be_patient(patience)
        list(sales.read_all("accounts", ["name"]))

        if window < bound:
            list(sales.read_all("accounts", ["name"]))
            assert wire.slept == [window]
        else:
            with pytest.raises(Throttled):
                list(sales.read_all("accounts", ["name"]))


def test_a_connector_can_be_closed() -> None:
    bc = Wire(page()).bc()

    bc.close()

    with pytest.raises(RuntimeError, match="closed"):
        bc.companies()
