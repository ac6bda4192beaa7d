"""A first synchronization, against a bare client that makes the same calls again.

    uv run --group dev python -m benchmarks.whole_sync [--records 5000] [--rounds 9]

The product creates an account for each customer; then every customer changes, and it
carries that over. What it sends and gets is recorded, and sent again by a plain client
to systems that start afresh. To reach: 1.5 times the bare calls, in the middle of the
rounds, at most one writing call per 500 records, pages of 5,000. Then the other way: at
most one per 100.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil
from statistics import median
from typing import Any
from urllib.parse import quote, urlsplit

import httpx2

from benchmarks.scene import accepted, ask, carry_over, change_all, product, systems
from integration import clock

FIRST, CHANGED, BACK = "whole synchronization", "all changed", "the other way"
Exchange = tuple[httpx2.Request, httpx2.Response]
CHANGE = {
    "system": "sales",
    "entity": "accounts",
    "action": "change",
    "where": {},
    "values": {"telephone1": "+41 21 312 00 00"},
}


@contextmanager
def recorded() -> Iterator[list[Exchange]]:
    """Every request that the product sends meanwhile, with its answer."""
    kept: list[Exchange] = []
    usual = httpx2.HTTPTransport.handle_request

    def handle(self: httpx2.HTTPTransport, request: httpx2.Request) -> httpx2.Response:
        request.read()
        response = usual(self, request)
        response.read()
        kept.append((request, response))
        return response

    httpx2.HTTPTransport.handle_request = handle  # type: ignore[method-assign]  # only here
    try:
        yield kept
    finally:
        httpx2.HTTPTransport.handle_request = usual  # type: ignore[method-assign]  # as it was


class Bare:
    """A client that knows nothing but what to send where."""

    def __init__(self, described: dict[str, Any]) -> None:
        self.host = urlsplit(described["control_url"]).netloc
        self.tokens: dict[str, str] = {}
        self.client = httpx2.Client(timeout=60)

    def repeat(self, exchanges: Sequence[Exchange]) -> float:
        """Seconds for the same calls; each is answered as it was."""
        start = clock.monotonic()
        for request, response in exchanges:
            answer = self._send(request)
            assert answer.status_code == response.status_code, (
                # Only looked at when it is told: this is timed.
                f"{request.method} {request.url}: {response}, now {answer}",
                response.text[:300],
                answer.text[:300],
            )
            if "/oauth2/" in str(request.url):
                new = answer.json()["access_token"]
                self.tokens[response.json()["access_token"]] = new
        return clock.monotonic() - start

    def _send(self, request: httpx2.Request) -> httpx2.Response:
        was, host = request.url.netloc.decode(), self.host
        content = request.content.replace(was.encode(), host.encode())
        content = content.replace(quote(was).encode(), quote(host).encode())
        headers = {**request.headers, "host": host}
        headers.pop("content-length", None)
        old = headers.get("authorization", "").removeprefix("Bearer ")
        if old in self.tokens:
            headers["authorization"] = f"Bearer {self.tokens[old]}"
        return self.client.request(
            request.method,
            str(request.url).replace(was, host),
            content=content,
            headers=headers,
        )


def writing(exchanges: Sequence[Exchange], system: str) -> int:
    """Calls that write: each may hold many records."""
    calls = [request for request, _ in exchanges if f"/{system}/" in request.url.path]
    return sum(call.method != "GET" and b"GET " not in call.content for call in calls)


@dataclass(frozen=True)
class Taken:
    """Seconds of the product and of a bare client for the same calls, by what ran;
    and how many calls that write each needed."""

    ours: Mapping[str, float]
    bare: Mapping[str, float]
    writing: Mapping[str, int]

    def ratio(self, what: str) -> float:
        return self.ours[what] / self.bare[what]


def take(records: int, name: str) -> Taken:
    """A first synchronization, one after everything changed, one the other way.

    The bare client follows at once, with systems of its own: a machine's pace changes.
    """
    with systems(records) as described, systems(records) as same:
        client = Bare(same)
        with recorded() as before:
            mappings = accepted(described, name)
            carry_over(next(mappings))
            mapping = next(mappings)
        client.repeat(before)
        with recorded() as first:
            ours = {FIRST: carry_over(mapping)}
        bare = {FIRST: client.repeat(first)}
        for each in (described, same):
            change_all(each, city="Another city")
        with recorded() as second:
            ours[CHANGED] = carry_over(mapping)
        bare[CHANGED] = client.repeat(second)
        ask(described, "records", CHANGE)
        with recorded() as back:
            carry_over(mapping)
    calls = {FIRST: writing(first, "sales"), CHANGED: writing(second, "sales")}
    return Taken(ours, bare, {**calls, BACK: writing(back, "bc")})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=5_000)
    parser.add_argument("--rounds", type=int, default=9)
    chosen = parser.parse_args()
    taken = []
    with product():
        for number in range(chosen.rounds):
            taken.append(take(chosen.records, f"Round {number}"))
            for what, seconds in taken[-1].ours.items():
                print(f"{what}: {seconds:.2f} s, a bare client", end=" ")
                print(f"{taken[-1].bare[what]:.2f} s: {taken[-1].ratio(what):.2f} ×")
    calls, of = taken[0].writing, f"for {chosen.records:,} records"
    print(f"writing calls to Sales: {calls[FIRST]} and {calls[CHANGED]}", end=" ")
    print(f"{of} (≤ {ceil(chosen.records / 500)})")
    print(f"writing calls to Business Central: {calls[BACK]}", end=" ")
    print(f"{of} (≤ {ceil(chosen.records / 100)})")
    for what in (FIRST, CHANGED):
        middle = median(each.ratio(what) for each in taken)
        print(f"{what}: {middle:.2f} × the same calls (≤ 1.5)")


if __name__ == "__main__":
    main()
