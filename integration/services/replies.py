"""What a mail server or a webhook said: whether the message went, in a sentence."""

from dataclasses import dataclass

from integration.choices import Delivery
from integration.core.texts import bounded
from integration.services.sentences import Told, sentence

_LONGEST = 300


@dataclass(frozen=True, slots=True)
class Reply:
    """``state``: sent, waiting (it certainly did not go) or not known.

    ``is_away``: nobody was reached, so the next message would fare no better.
    ``wait_seconds`` is what the other side asks for.
    """

    state: Delivery
    told: Told
    is_away: bool = False
    wait_seconds: float = 0.0


def sent(text: str, host: str, answer: object = "") -> Reply:
    return Reply(Delivery.SENT, _told(text, host, answer))


def refused(
    text: str, host: str, answer: object = "", *, wait_seconds: float = 0.0
) -> Reply:
    told = _told(text, host, answer)
    return Reply(Delivery.WAITING, told, wait_seconds=wait_seconds)


def away(text: str, host: str, answer: object = "") -> Reply:
    return Reply(Delivery.WAITING, _told(text, host, answer), is_away=True)


def unknown(text: str, host: str, answer: object = "") -> Reply:
    return Reply(Delivery.UNKNOWN, _told(text, host, answer))


def _told(text: str, host: str, answer: object) -> Told:
    """``text`` is marked by ``gettext_noop``; what was answered is cleaned, one line"""
    words = " ".join(str(answer).split())
    return sentence(text, host=host, answer=bounded(words, _LONGEST).replace("\n", " "))
