"""The multipart form of a Dataverse ``$batch`` (protocols §3.6): text in, text out.

What the requests do is not known here; ``sales`` runs them.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus

from werkzeug.datastructures import Headers

from integration.simulators.http import Answer, SimulatorError, refusal
from integration.simulators.sales_call import printed

MAX_REQUESTS = 1000
CRLF = b"\r\n"


@dataclass(frozen=True, slots=True)
class Part:
    """One request of a batch."""

    method: str
    url: str
    headers: Headers
    body: bytes
    content_id: str = ""


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """Requests that are done together or not at all."""

    parts: tuple[Part, ...]


def refused(reason: str) -> SimulatorError:
    return refusal("dv-batch", reason=reason)


def parse(content_type: str, body: bytes) -> list[Part | ChangeSet]:
    """The requests of a batch in order. Raises ``SimulatorError`` (400)."""
    entries = [read_entry(chunk) for chunk in chunks(content_type, body)]
    count = sum(len(e.parts) if isinstance(e, ChangeSet) else 1 for e in entries)
    if count > MAX_REQUESTS:
        raise refused(
            f"The maximum number of operations in a batch is {MAX_REQUESTS}; "
            f"this batch holds {count}."
        )
    return entries


def chunks(content_type: str, body: bytes) -> list[bytes]:
    """What stands between the delimiters, without them."""
    delimiter = b"--" + boundary_of(content_type)
    if not body.startswith(delimiter + CRLF) and CRLF + delimiter + CRLF not in body:
        raise refused(
            "Error identified in Payload provided by the user. InnerException : "
            "System.ArgumentException: Stream was not readable."
        )
    # The look-ahead keeps a boundary apart from a longer one that begins like it.
    mark = rb"\r\n" + re.escape(delimiter) + rb"(?=\r\n|--)"
    pieces = re.split(mark, CRLF + body)
    if not pieces[-1].startswith(b"--"):
        raise refused("The multipart body ends before its closing boundary.")
    return [piece.removeprefix(CRLF) for piece in pieces[1:-1]]


def boundary_of(content_type: str) -> bytes:
    found = re.search(r'boundary="?([^";,\s]+)"?', content_type)
    if not content_type.lower().startswith("multipart/mixed") or found is None:
        raise refused("A batch needs the content type multipart/mixed with a boundary.")
    return found[1].encode()


def read_entry(chunk: bytes) -> Part | ChangeSet:
    headers, rest = split_headers(chunk)
    kind = headers.get("Content-Type", "")
    if not kind.lower().startswith("multipart/mixed"):
        return read_part(headers, rest)
    parts = []
    for inner in chunks(kind, rest):
        part = read_part(*split_headers(inner))
        if part.method == "GET":
            raise refused("GET requests are not allowed in a change set.")
        parts.append(part)
    return ChangeSet(tuple(parts))


def read_part(outer: Headers, text: bytes) -> Part:
    if not outer.get("Content-Type", "").lower().startswith("application/http"):
        raise refused("Each part of a batch must have the type application/http.")
    line, _, rest = text.partition(CRLF)
    words = line.decode("utf-8", "replace").split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/"):
        raise refused(f"Invalid request line in the batch: '{' '.join(words)[:200]}'.")
    if words[1].split("?")[0].endswith("$batch"):
        raise refused("A batch must not contain another batch.")
    headers, body = split_headers(rest)
    content_id = outer.get("Content-ID") or headers.get("Content-ID", "")
    body = body.removesuffix(CRLF)
    return Part(words[0].upper(), words[1], headers, body, content_id)


def split_headers(text: bytes) -> tuple[Headers, bytes]:
    """Header lines up to the first blank line, and what follows it."""
    headers = Headers()
    if text.startswith(CRLF):
        return headers, text[len(CRLF) :]
    head, _, rest = text.partition(CRLF + CRLF)
    for line in head.split(CRLF):
        name, colon, value = line.decode("utf-8", "replace").partition(":")
        if colon:
            headers[name.strip()] = " ".join(value.split())
    return headers, rest


def render(answers: Iterable[Answer | list[Answer]], unique: str) -> tuple[str, bytes]:
    """Content type and body of the reply; a list is the reply to a change set."""
    boundary = f"batchresponse_{unique}"
    pieces = []
    for number, answer in enumerate(answers, start=1):
        if isinstance(answer, list):
            inner = f"changesetresponse_{unique}_{number}"
            head = f'Content-Type: multipart/mixed; boundary="{inner}"\r\n\r\n'
            pieces.append(head.encode() + joined(map(render_part, answer), inner))
        else:
            pieces.append(render_part(answer))
    return f'multipart/mixed; boundary="{boundary}"', joined(pieces, boundary)


def joined(pieces: Iterable[bytes], boundary: str) -> bytes:
    delimiter = b"--" + boundary.encode()
    lines = []
    for piece in pieces:
        lines += [delimiter, piece]
    return CRLF.join([*lines, delimiter + b"--", b""])


def render_part(answer: Answer) -> bytes:
    headers, body = printed(answer)
    lines = ["Content-Type: application/http", "Content-Transfer-Encoding: binary"]
    if answer.content_id:
        lines.append(f"Content-ID: {answer.content_id}")
    lines += ["", f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body
