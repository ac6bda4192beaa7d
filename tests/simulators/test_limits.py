"""Service protection: what is counted, and how each side refuses."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from integration.simulators.http import BUSINESS_CENTRAL, SALES
from integration.simulators.limits import Limits
from tests.simulators.desk import ROOT, Desk

READ = ("GET", "customers", None)


def limit(desk: Desk, **figures: float) -> None:
    desk.control("POST", "faults", {"limits": figures})


def statuses(desk: Desk, times: int) -> list[int]:
    return [desk.call("GET", "customers").status_code for _ in range(times)]


def test_the_real_figures_let_6000_requests_pass_in_five_minutes(desk: Desk) -> None:
    limit(desk)
    hundred = {"requests": [{"id": "1", "method": "GET", "url": "x"}] * 100}

    answers = [desk.call("POST", f"{ROOT}/$batch", hundred) for _ in range(61)]

    assert [answer.status_code for answer in answers] == [200] * 60 + [429]
    error = json.loads(answers[-1].data)["error"]
    assert error["code"] == "Application_TooManyRequests"
    assert "Actual (6100). Maximum (6000)." in error["message"]
    assert "Retry-After" not in answers[-1].headers


def test_a_request_is_forgotten_when_its_window_has_passed(desk: Desk) -> None:
    limit(desk, requests=2)
    assert statuses(desk, 3) == [200, 200, 429]

    desk.control("POST", "clock", {"offset_seconds": 299})
    assert statuses(desk, 1) == [429]

    desk.control("POST", "clock", {"offset_seconds": 301})
    assert statuses(desk, 3) == [200, 200, 429]


def test_without_limits_nothing_is_counted(desk: Desk) -> None:
    limit(desk, requests=0)
    assert statuses(desk, 1) == [429]

    desk.control("DELETE", "faults")

    assert statuses(desk, 1) == [200]


def test_only_one_side_can_be_limited(desk: Desk) -> None:
    desk.control("POST", "faults", {"limits": {"requests": 0}, "side": "sales"})

    assert statuses(desk, 1) == [200]


@pytest.mark.parametrize(
    "wrong", [3, {"wishes": 1}, {"requests": -1}, {"requests": "many"}]
)
def test_other_limits_are_refused_in_words(desk: Desk, wrong: Any) -> None:
    answer = desk.ask_control("POST", "faults", {"limits": wrong})

    assert answer.status_code == 400
    assert "requests, window_seconds" in answer.text


def sales_batch(desk: Desk, parts: int) -> Any:
    part = (
        "--b\r\nContent-Type: application/http\r\n\r\nGET /sales HTTP/1.1\r\n\r\n\r\n"
    )
    token = json.loads(desk.sign_in("sales").data)["access_token"]
    return desk.http.post(
        "/sales/api/data/v9.2/$batch",
        data=(part * parts + "--b--\r\n").encode(),
        headers={
            "Authorization": f"Bearer {token}",
            "Content-Type": "multipart/mixed; boundary=b",
        },
    )


def test_sales_says_how_long_to_wait_and_longer_to_who_pushes(desk: Desk) -> None:
    limit(desk, requests=100)
    assert sales_batch(desk, 100).status_code != 429

    refused = [sales_batch(desk, 1) for _ in range(3)]

    assert {answer.status_code for answer in refused} == {429}
    assert json.loads(refused[0].data)["error"]["code"] == "0x80072322"
    waits = [int(answer.headers["Retry-After"]) for answer in refused]
    assert 295 <= waits[0] <= 300
    assert waits == sorted(waits)
    assert waits[2] > waits[0]


@pytest.fixture
def turns(desk: Desk) -> Iterator["Turns"]:
    with ExitStack() as held:
        yield Turns(desk, held)


class Turns:
    """Requests that take their time."""

    def __init__(self, desk: Desk, held: ExitStack) -> None:
        self._limits = Limits(desk.store)
        self._held = held
        self._tokens = {
            side: json.loads(desk.sign_in(side).data)["access_token"]
            for side in (BUSINESS_CENTRAL, SALES)
        }

    def begin(self, side: str, **figures: float) -> str:
        """Which fault refuses it; "" when it works on."""
        bearer = [("Authorization", f"Bearer {self._tokens[side]}")]
        request = Request(EnvironBuilder(headers=bearer).get_environ())
        turn = self._limits.turn(request, side, figures)
        refusal = self._held.enter_context(turn)
        return refusal[0] if refusal else ""

    def end(self) -> None:
        self._held.close()


def test_five_run_at_once_and_the_next_waits_for_its_turn(turns: Turns) -> None:
    assert {turns.begin(BUSINESS_CENTRAL) for _ in range(5)} == {""}

    with ThreadPoolExecutor() as pool:
        sixth = pool.submit(turns.begin, BUSINESS_CENTRAL, queue=1)
        assert turns.begin(BUSINESS_CENTRAL, queue=0) == "bc-throttle"
        assert not sixth.done()
        turns.end()
        assert sixth.result(timeout=10) == ""


def test_who_waits_too_long_or_finds_the_queue_full_is_refused(turns: Turns) -> None:
    assert turns.begin(BUSINESS_CENTRAL, concurrent=1) == ""

    one = {"concurrent": 1}
    assert turns.begin(BUSINESS_CENTRAL, **one, queue=0) == "bc-throttle"
    assert (
        turns.begin(BUSINESS_CENTRAL, **one, queue_seconds=0.01) == "bc-queue-timeout"
    )


def test_sales_refuses_the_52nd_at_once(turns: Turns) -> None:
    assert {turns.begin(SALES) for _ in range(51)} == {""}

    assert turns.begin(SALES) == "dv-throttle-concurrency"


def test_sales_counts_the_time_it_works(turns: Turns) -> None:
    assert turns.begin(SALES, execution_seconds=0) == ""
    turns.end()

    assert turns.begin(SALES, execution_seconds=0) == "dv-throttle-time"
