"""Dataverse's ``$batch``: multipart/mixed, lines ended by CRLF (protocols §3.6)."""

import re
import uuid
from collections.abc import Mapping, Sequence

from integration.connectors.batch import Part
from integration.connectors.calls import Answer

_CRLF = b"\r\n"
_BOUNDARY = re.compile(r'boundary="?([^";,]+)"?', re.I)
_STATUS = re.compile(rb"HTTP/\d(?:\.\d)? (\d{3})")
_BLANK_LINE = re.compile(rb"\r?\n\r?\n")
_LONGEST_HEAD = 64 * 1024
"""As the head of any answer: a line of three bytes makes a header of some hundred."""


def encode(parts: Sequence[Part], root_path: str) -> tuple[str, bytes]:
    """Content type and body. ``root_path`` stands before the path of each part."""
    boundary = f"batch_{uuid.uuid4()}"
    lines: list[bytes] = []
    for part in parts:
        lines += [f"--{boundary}".encode(), *_lines(part, root_path)]
    lines += [f"--{boundary}--".encode(), b""]
    return f'multipart/mixed; boundary="{boundary}"', _CRLF.join(lines)


def _lines(part: Part, root_path: str) -> list[bytes]:
    own = (f"{name}: {value}".encode() for name, value in part.headers.items())
    return [
        b"Content-Type: application/http",
        b"Content-Transfer-Encoding: binary",
        b"",
        f"{part.method} {root_path}{part.path} HTTP/1.1".encode(),
        b"Content-Type: application/json; charset=utf-8",
        *own,
        b"",
        part.content,
    ]


def decode(answer: Answer, count: int) -> list[Answer | None]:
    """One answer per part in the order sent; ``None`` where the body ends too early."""
    found = _BOUNDARY.search(answer.headers.get("content-type", ""))
    if found is None:
        return [None] * count
    mark = f"\n--{found[1].strip()}".encode()
    pieces = (b"\n" + answer.body).split(mark, count + 1)
    # What follows the last delimiter is the end, or a part that was cut, or too many.
    answers = [_answer(piece.removesuffix(b"\r")) for piece in pieces[1:-1]]
    return answers + [None] * (count - len(answers))


def _answer(piece: bytes) -> Answer | None:
    status = _STATUS.search(piece)
    if status is None:
        return None
    head, body = _split(piece[status.start() :])
    return Answer(int(status[1]), _headers(head[:_LONGEST_HEAD]), body)


def _split(text: bytes) -> tuple[bytes, bytes]:
    blank = _BLANK_LINE.search(text)
    if blank is None:
        return text, b""
    return text[: blank.start()], text[blank.end() :]


def _headers(head: bytes) -> Mapping[str, str]:
    lines = head.decode("utf-8", "replace").splitlines()[1:]
    pairs = (line.partition(":") for line in lines)
    return {name.strip().lower(): value.strip() for name, _, value in pairs}
