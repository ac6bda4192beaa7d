"""Business Central's ``$batch``: JSON in, JSON out (protocols §2.5)."""

from collections.abc import Sequence
from typing import Any

from integration.connectors.batch import Part
from integration.connectors.calls import Answer
from integration.connectors.odata import dump_json

# A part does not inherit the headers of its batch.
_HEADERS = {"Content-Type": "application/json", "Accept-Language": "en-US"}


def encode(parts: Sequence[Part]) -> bytes:
    """Parts are numbered from 1; each carries its own headers."""
    requests = [
        {
            "id": str(number),
            "method": part.method,
            "url": part.path,
            "headers": {**_HEADERS, **part.headers},
            **({} if part.body is None else {"body": part.body}),
        }
        for number, part in enumerate(parts, start=1)
    ]
    return dump_json({"requests": requests})


def decode(body: Any, count: int) -> list[Answer | None]:
    """One answer per part in the order sent; ``None`` for a part without one.

    Of two that bear its number nobody can tell which one is its own.
    """
    answers: list[Answer | None] = [None] * count
    named: set[int] = set()
    responses = body.get("responses") if isinstance(body, dict) else None
    for response in responses if isinstance(responses, list) else ():
        place = _place(response, count)
        if place is not None:
            answers[place] = None if place in named else _answer(response)
            named.add(place)
    return answers


def _place(response: Any, count: int) -> int | None:
    if not isinstance(response, dict) or not _is_status(response.get("status")):
        return None
    number = str(response.get("id"))
    short = number.isdecimal() and len(number) <= len(str(count))
    if not short or not 1 <= int(number) <= count:
        return None
    return int(number) - 1


def _is_status(value: Any) -> bool:
    return type(value) is int and 100 <= value <= 999


def _answer(response: dict[str, Any]) -> Answer:
    given = response.get("headers")
    headers = given if isinstance(given, dict) else {}
    return Answer(
        status=response["status"],
        headers={str(name).lower(): str(value) for name, value in headers.items()},
        parsed=response.get("body"),
    )
