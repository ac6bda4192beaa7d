"""Opens the product's pages over HTTP, as a browser would without its eyes."""

import re
from dataclasses import dataclass

import httpx2

from integration import clock

TIMEOUT_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class OpenedPage:
    """What one address answered; ``bytes`` are those of the body, not compressed."""

    url: str
    status: int
    ms: int
    bytes: int
    text: str


class Browser:
    """Keeps cookies, follows redirects; ``close`` at the end."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self._client = httpx2.Client(
            base_url=base_url, follow_redirects=True, timeout=TIMEOUT_SECONDS
        )

    def open(self, path: str) -> OpenedPage:
        """Status 0 when nothing answered."""
        started = clock.monotonic()
        try:
            answer = self._client.get(path)
        except httpx2.HTTPError as error:
            return OpenedPage(path, 0, _since(started), 0, str(error))
        return OpenedPage(
            url=path,
            status=answer.status_code,
            ms=_since(started),
            bytes=len(answer.content),
            text=answer.text,
        )

    def follow(self, page: OpenedPage, pattern: str) -> str:
        """The first link of a page whose path matches; "" when there is none."""
        found = re.search(rf'href="({pattern})', page.text)
        return found[1] if found else ""

    def close(self) -> None:
        self._client.close()


def _since(started: float) -> int:
    return round((clock.monotonic() - started) * 1000)
