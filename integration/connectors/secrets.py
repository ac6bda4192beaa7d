"""Values of our own that nobody may read, however a system spells them back to us."""

import re
from base64 import b64encode
from functools import lru_cache
from html.entities import codepoint2name
from typing import NamedTuple

REMOVED = "[removed]"

_SHORTEST = 6
"""A shorter value might be a part of ordinary words."""
_TOKENS = 8
"""Kept at once: the newest, and those before it which answers may still name."""
_WORD = re.compile(r"[A-Za-z0-9]+")
_SIGNS = re.compile(r"\s+|\\+|.", re.S)
_BLANK = r"(?:\s|\+|%(?:25)*(?:20|0[9ad])|\\++[nrt]|&(?:amp;)*(?:#32|#x20|nbsp);)++"


class Secrets:
    """What one sign-in must not show: its own secrets, and the tokens in force.

    Several threads may use it.
    """

    def __init__(self, *lasting: str) -> None:
        self._lasting = tuple(value.strip() for value in lasting)
        self._tokens: tuple[str, ...] = ()

    def learn(self, token: str) -> None:
        if token not in self._tokens:
            self._tokens = (*self._tokens, token)[-_TOKENS:]

    def removed_from(self, text: str) -> str:
        small = text.lower()
        for value in (*self._lasting, *self._tokens):
            # The search for any spelling is slow, and there is hardly ever one.
            if len(value) < _SHORTEST:
                continue
            if _longest_word(value) in small:
                text = _spellings(value).sub(REMOVED, text)
            encoded = _encoded(value)
            if any(hint in text for hint in encoded.hints):
                text = encoded.digits.sub(REMOVED, text)
            if encoded.octets in small:
                text = re.sub(encoded.octets, REMOVED, text, flags=re.I)
        return text


NO_SECRETS = Secrets()


@lru_cache(maxsize=256)
def _longest_word(value: str) -> str:
    return max(_WORD.findall(value), key=len, default="").lower()


@lru_cache(maxsize=256)
def _spellings(value: str) -> re.Pattern[str]:
    """Plain, and escaped for an address, JSON, Python or HTML, also more than once."""
    # From within a run of backslashes nothing begins: each would be looked at again.
    start = "" if value[0].isalnum() else r"(?<!\\)"
    return re.compile(start + "".join(map(_spelled, _SIGNS.findall(value))), re.I)


class _Encoded(NamedTuple):
    """A value in Base64 of either alphabet, whatever is before it, and in hexadecimal.

    ``hints`` are of what either alphabet spells alike: without one, there is nothing.
    """

    hints: tuple[str, ...]
    digits: re.Pattern[str]
    octets: str


@lru_cache(maxsize=256)
def _encoded(value: str) -> _Encoded:
    octets = value.encode("utf-8", "replace")
    # The digits that are the value's alone: those beside them hold a part of it, too.
    inner = [
        b64encode(b"\0" * before + octets).decode()[
            first : (before + len(octets)) * 8 // 6
        ]
        for before, first in ((0, 0), (1, 2), (2, 3))
    ]
    either = "|".join(inner).replace("+", "[+-]").replace("/", "[/_]")
    return _Encoded(
        tuple(max(_WORD.findall(digits), key=len, default="") for digits in inner),
        re.compile(rf"[\w+/-]{{0,3}}(?:{either})[\w+/-]*=*"),
        octets.hex(),
    )


def _spelled(sign: str) -> str:
    if sign.isspace():
        return _BLANK
    sign = sign[0]
    if sign.isascii() and sign.isalnum():
        return sign
    code = ord(sign)
    units = re.findall("....", sign.encode("utf-16-be", "surrogatepass").hex())
    name = codepoint2name.get(code, "apos" if sign == "'" else "#")
    octets = sign.encode("utf-8", "replace")
    forms = (
        # A backslash before it in the value has taken all of them already.
        "".join(rf"\\*+u{unit}" for unit in units),
        "".join(rf"\\*+x{octet:02x}" for octet in octets),
        "".join(f"%(?:25)*{octet:02x}" for octet in octets),
        f"&(?:amp;)*(?:#0*{code}|#x0*{code:x}|{name});",
        r"\\++" if sign == "\\" else rf"\\*+{re.escape(sign)}",
    )
    return f"(?:{'|'.join(forms)})" + ("++" if sign == "\\" else "")
