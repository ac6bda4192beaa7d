"""Posting one JSON message to an address, and what became of it."""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from http import HTTPStatus
from urllib.parse import urlsplit

import httpx2

from integration import clock
from integration.connectors.bounds import Bounds
from integration.connectors.calls import read_retry_after
from integration.connectors.errors import never_arrived
from integration.connectors.redaction import redacted
from integration.connectors.secrets import Secrets
from integration.connectors.transport import build_client, time_limits

_MOST_BYTES = 64 * 1024
_READ_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Posted:
    """``status`` 0: no answer; then ``is_lost`` says that it may have arrived all the
    same, and ``words`` why. Else ``words`` is the beginning of the answer."""

    status: int
    words: str
    is_lost: bool = False
    retry_after_seconds: float = 0.0

    @property
    def is_taken(self) -> bool:
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES


def post(url: str, content: bytes, headers: Mapping[str, str]) -> Posted:
    """Post JSON once; follows no redirect. Takes bounded time and memory.

    What comes back says nothing of the address or the token.
    """
    token = headers.get("Authorization", "").removeprefix("Bearer ")
    secrets = Secrets(url, _path(url), token)
    posted = _post(url, content, headers)
    return replace(posted, words=redacted(posted.words, secrets))


def _path(url: str) -> str:
    """All that keeps others from posting to many a hook."""
    try:
        return urlsplit(url).path
    except ValueError:
        return ""


def _post(url: str, content: bytes, headers: Mapping[str, str]) -> Posted:
    kind = {"Content-Type": "application/json; charset=utf-8"}
    bounds = Bounds(2 * _READ_SECONDS, 8 * _MOST_BYTES, clock.monotonic)
    with build_client() as client, bounds.kept():
        try:
            request = client.build_request(
                "POST",
                url,
                headers={**kind, **headers},
                content=content,
                timeout=time_limits(_READ_SECONDS),
            )
            response = client.send(request, stream=True)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            words = str(error) or type(error).__name__
            return Posted(0, words, is_lost=not never_arrived(error))
        with closing(response):
            asked = read_retry_after(response.headers)
            return Posted(
                response.status_code,
                _beginning(response),
                retry_after_seconds=asked or 0.0,
            )


def _beginning(response: httpx2.Response) -> str:
    """The status has decided already: what breaks now changes nothing."""
    body = bytearray()
    give_up = clock.monotonic() + _READ_SECONDS
    try:
        for block in response.iter_raw():
            body += block
            if len(body) > _MOST_BYTES or clock.monotonic() > give_up:
                break
    except httpx2.HTTPError:
        pass
    packed = "content-encoding" in response.headers
    return "" if packed else bytes(body[:_MOST_BYTES]).decode("utf-8", "replace")
