"""Kills at a chosen request: before its work, after its write, amid its answer.

Who is killed and how is the business of whoever starts the simulators; here is when.
"""

import re
import select
import socket
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from werkzeug.wrappers import Request

TARGETS = ("worker", "broker", "web")
MOMENTS = BEFORE, AFTER_WRITE, MID_RESPONSE = ("before", "after_write", "mid_response")
_HANG_UP_SECONDS = 1.0
WRITES = frozenset({"POST", "PATCH", "PUT", "DELETE"})
_WRITING_PART = re.compile(rb'(?:^|"method"\s*:\s*")(?:POST|PATCH|PUT|DELETE)\b', re.M)

End = Callable[[str], object]
"""Ends the process with this name at once."""


class Kill:
    """What happens to one request; without a target nothing does."""

    def __init__(self, end: End, target: str = "", moment: str = "") -> None:
        self._end = end
        self._target = target
        self._moment = moment

    def __str__(self) -> str:
        return f"kill {self._target} {self._moment}" if self._target else ""

    def at(self, moment: str) -> bool:
        """Whether this is its moment; the process is gone then."""
        if self._moment == moment:
            self._end(self._target)
        return self._moment == moment

    def amid(self, pieces: Iterable[bytes]) -> Iterable[bytes]:
        """The answer, in two halves if the process is to end between them."""
        return self._halves(pieces) if self._moment == MID_RESPONSE else pieces

    def _halves(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        content = b"".join(pieces)
        middle = len(content) // 2
        yield content[:middle]
        self.at(MID_RESPONSE)
        yield content[middle:]


def asks_to_write(request: Request) -> bool:
    """By its method; a batch by those of its parts."""
    if not request.path.endswith("$batch"):
        return request.method in WRITES
    return bool(_WRITING_PART.search(request.get_data()))


def has_hung_up(environ: dict[str, Any]) -> bool:
    """Whether who asked is gone: a process that died has closed its sockets."""
    wire: socket.socket | None = environ.get("werkzeug.socket")
    if wire is None:
        return False
    try:
        ready, _, _ = select.select([wire], [], [], _HANG_UP_SECONDS)
        return bool(ready) and not wire.recv(1, socket.MSG_PEEK)
    except ConnectionError:
        return True
