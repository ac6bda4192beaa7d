"""What a message comes down to: the same cause has the same fingerprint (design §5).

A fingerprint never depends on mapping, direction, record or language, and carries a
version: a change of what is written here changes every fingerprint on purpose.
"""

import hashlib
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence

VERSION = "1"
READ = 2_048
"""Characters of a message that are read: as many as Business Central keeps."""
TITLE = 120

_TRAILERS = {
    "lation": r"\s*(?:CorrelationId|ID de corrélation)\s*:\s*[0-9a-f-]{36}\.?",
    "trace": r"\s*(?:Trace ID|ID de trace)\s*: .*",
}
"""By what a message must hold, in small letters."""
_WRAPPERS = re.compile(
    r"\A.{0,200}?(?:because of the following error"
    r"|due to the following error|en raison de l['’]erreur suivante)\s*: ",
    re.I,
)
_MONTH = (
    r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
    r"|janv|févr|mars|avr|mai|juin|juil|août|sept|déc)[a-zéû]{0,8}\.?"
)


def _either(this: str, that: str) -> Callable[[str], bool]:
    return lambda message: this in message or that in message


_MASKS: Sequence[tuple[Callable[[str], object], re.Pattern[str]]] = tuple(
    (
        re.compile(needed).search if isinstance(needed, str) else needed,
        re.compile(pattern, flags),
    )
    for needed, pattern, flags in (
        ("-", r"\{?\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b\}?", re.I),
        ("://", r"https?://[^\s'\"<>]{1,400}", re.I),
        ("@", r"[\w.+-]{1,64}@[\w-]{1,64}\.[\w.-]{1,64}", re.I),
        ('"', r"(?<!\w)\"[^\"]{0,400}\"", 0),
        (_either("«", "“"), r"[«“][^»”]{0,400}[»”]", 0),
        (
            _either("'", "‘"),
            r"(?<!\w)['‘](?:[^'’]|(?<=\w)['’](?=\w)){0,400}['’](?!\w)",
            0,
        ),
        (r"\d", rf"\d(?<!\w\d)\d?\.? {_MONTH} \d{{2,4}}\b", re.I),
        (r" \d{1,2},? \d\d", rf"\b{_MONTH} \d{{1,2}},? \d{{2,4}}\b", re.I),
        (r":\d\d", r"\d{1,2}:\d{2}(?::\d{2})?(?:\.\d{1,9})? ?[ap]\.?m\b", re.I),
        ("0[xX]", r"\b0x[0-9a-f]{1,16}\b", re.I),
        ("-", r"\b\d{4}-\d\d-\d\d(?:T[\d:.]{5,20}(?:Z|[+-]\d\d:\d\d)?)?", 0),
        # A number of ours or theirs: C00010, CV-2411, but not telephone1.
        (
            r"\d(?:-*[A-Z]|(?<=[A-Z-]\d))",
            r"(?<![\w-])(?=[A-Z-]{0,20}\d)(?=[\d-]{0,20}[A-Z])[A-Z\d-]{2,40}(?!\w)",
            0,
        ),
        # Any other number, with its sign.
        (
            r"\d",
            r"[-\d](?<![A-Za-z_\d][-\d])(?:(?<=\d)|\d)"
            r"[\d.,:/'’T ]{0,40}(?<=[\d])(?:Z\b)?",
            0,
        ),
    )
)
"""Each after what a message must hold to be worth trying it: most hold little.

A pattern that begins with a digit is tried at digits only; one that begins by looking
around, at every character.
"""


def cleaned(text: str) -> str:
    """One line that every database can keep: no NUL, no lone surrogate."""
    text = text.replace("\x00", " ").encode("utf-8", "replace").decode("utf-8")
    return " ".join(unicodedata.normalize("NFC", text).split())


def normalized(message: str) -> str:
    """One line, without correlation ids and without the wrapper of Business Central."""
    text = cleaned(message[: 4 * READ].replace("\\\\", " "))
    small = text.casefold()
    for needed, trailer in _TRAILERS.items():
        if needed in small:
            text = re.sub(trailer, "", text, flags=re.I)
    if "following error" in small or "erreur suivante" in small:
        text = _WRAPPERS.sub("", text[:READ], count=1)
    return text[:READ].strip()


def masked(message: str) -> str:
    """A normalized message with every id, number, date and quoted value as ``#``."""
    message = _with_marks(message, "#")
    return re.sub(r"#(?:[ ,.]{0,2}#)+", "#", message).casefold().rstrip(".! ")


def with_places(message: str, place: str) -> str:
    """A normalized message as a person reads it, with a place for each such value."""
    # What is no letter, digit or quote is in no mask's way.
    message = _with_marks(message.replace("\x1a", " "), "\x1a")
    return re.sub("\x1a(?:[ ,.]{0,2}\x1a)*", place, message)


def _with_marks(message: str, mark: str) -> str:
    for may_apply, mask in _MASKS:
        if may_apply(message):
            message = mask.sub(mark, message)
    return message


def normal_code(code: str) -> str:
    """Hex and decimal, upper and lower case are one: ``-2147220960``, 0x80040220."""
    text = code.strip().casefold()
    if re.fullmatch(r"-\d{9,10}|[2-4]\d{9}", text):
        return f"0x{int(text) & 0xFFFFFFFF:08x}"
    return text


def first_sentence(message: str) -> str:
    """The first sentence of a normalized message, at most 120 characters."""
    # "No. 10000" and "e.g. x" do not end a sentence: what follows must be a capital.
    end = re.search(r"[.!?](?<!\bNo.)(?<!\bNos.)(?= [A-ZÀ-Ý\"'«(])", message)
    sentence = (message[: end.start() + 1] if end else message).rstrip(". ")
    if len(sentence) <= TITLE:
        return sentence
    return f"{sentence[: TITLE - 1].rsplit(' ', 1)[0]}…"


def fingerprint_of_article(article: str, culprits: Mapping[str, str]) -> str:
    """A known cause: its article and what it names (currency EUR, privilege prv…)."""
    named = (
        f"{name}={' '.join(value.split()).casefold()}"
        for name, value in sorted(culprits.items())
    )
    return _hash("article", article, *named)


def fingerprint_of_message(system: str, code: str, message: str) -> str:
    """An unknown cause: its normalized message but for ids, numbers, dates, quotes."""
    return _hash("message", system, normal_code(code), masked(message))


def _hash(*parts: str) -> str:
    return hashlib.sha256("\x1f".join((VERSION, *parts)).encode()).hexdigest()
