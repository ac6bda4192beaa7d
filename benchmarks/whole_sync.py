"""A first synchronization, against a bare client that makes the same calls again.

    uv run --group dev python -m benchmarks.whole_sync [--records 5000]

The product creates an account for each customer; then every customer changes, and it
carries that over. What it sends and gets is recorded, and sent again by a plain client
to systems that start afresh. To reach: 1.5 times the bare calls, at most one writing
call per 500 records, pages of 5,000. Then the other way: at most one per 100.
"""

import argparse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import ceil
from typing import Any
from urllib.parse import quote, urlsplit

import httpx2

from benchmarks.scene import accepted, ask, carry_over, change_all, product, systems
from integration import clock

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
            assert answer.status_code == response.status_code, answer.text
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=5_000)
    records = parser.parse_args().records
    with systems(records) as described, product():
        with recorded() as before:
            mappings = accepted(described)
            carry_over(next(mappings))
            mapping = next(mappings)
        with recorded() as first:
            ours = carry_over(mapping)
        change_all(described, city="Another city")
        with recorded() as second:
            update = carry_over(mapping)
        ask(described, "records", CHANGE)
        with recorded() as back:
            carry_over(mapping)
    with systems(records) as described:
        bare = Bare(described)
        bare.repeat(before)
        floor = bare.repeat(first)
        change_all(described, city="Another city")
        floor_of_update = bare.repeat(second)
    creating, changing = writing(first, "sales"), writing(second, "sales")
    print(f"first: {len(first)} calls, {ours:.1f} s, a bare client {floor:.1f} s")
    print(f"all changed: {len(second)} calls, {update:.1f} s", end=", ")
    print(f"a bare client {floor_of_update:.1f} s")
    print(f"writing calls to Sales: {creating} and {changing}", end=" ")
    print(f"for {records:,} records (≤ {ceil(records / 500)})")
    print(f"writing calls to Business Central: {writing(back, 'bc')}", end=" ")
    print(f"for {records:,} records (≤ {ceil(records / 100)})")
    print(f"whole synchronization: {ours / floor:.2f} × the same calls (≤ 1.5)")
    print(f"all changed: {update / floor_of_update:.2f} × the same calls")


if __name__ == "__main__":
    main()
