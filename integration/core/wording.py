"""Sentences with ``{params}`` in English and French, and the words both languages need.

A template names a parameter and, after a colon, the form it takes in the sentence:

    {field}        Name                 Nom
    {field:lower}  name                 nom
    {field:the}    the name             le nom          ({field:The} with a capital)
    {table:a}      an account           un compte       ({table:A} with a capital)
    {field:this}   this number          ce numéro
    {table:e}      (nothing)            e, s or es: the ending of a French participle
    {fields:all}   every one of a list; without it a long list is cut
    {date:date}    14 Feb 2027          14.02.2027

``[text](target)`` is a link; core.articles lists the targets.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

PARAM = re.compile(r"\{(\w+)(?::(\w+))?\}")
LINK = re.compile(r"\[([^\]]+)\]\(([^)]+)\)")
ARTICLE = re.compile(r"\A(?:le |la |les |l')")
KINDS = {"field": "field", "fields": "field", "table": "table"}
PHRASES = ("system", "right", "reason")
MONTHS = (
    *("Jan", "Feb", "Mar", "Apr", "May", "Jun"),
    *("Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
)
LISTED = 3
_NOUNS = {"field": ("field", "le champ"), "table": ("record", "l'enregistrement")}


@dataclass(frozen=True, slots=True)
class Word:
    """A field or table. ``fr`` has its article ("le nom"); ``key`` is the API name."""

    key: str
    en: str
    fr: str
    feminine: bool = False

    @property
    def fr_bare(self) -> str:
        """Without its article."""
        return ARTICLE.sub("", self.fr, count=1)


@dataclass(frozen=True, slots=True)
class Words:
    """Words by kind ("field", "table", "system", "right", "reason") and any name."""

    by_name: Mapping[tuple[str, str], Word] = field(default_factory=dict)

    def find(self, kind: str, name: str) -> Word | None:
        return self.by_name.get((kind, name.strip().casefold()))

    def canonical(self, param: str, value: str) -> str:
        """One spelling for each name of a field or table: that of Business Central.

        Lists come out sorted and without repetition: order makes no difference.
        """
        kind = KINDS.get(param)
        if kind is None:
            return value
        names = (name.strip() for name in value.split(",") if name.strip())
        words = ((self.find(kind, name), name) for name in names)
        return ",".join(sorted({word.key if word else name for word, name in words}))


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of a sentence; ``url`` is "" where a target has no address."""

    text: str
    target: str = ""
    url: str = ""


def short_language(language: str) -> str:
    """ "fr" for any French, else "en"."""
    return "fr" if language.lower().startswith("fr") else "en"


def french_spaces(text: str) -> str:
    """With no-break spaces where French sets them, typed as ordinary ones."""
    return re.sub(r" (?=[:;!?»])", "\u00a0", text).replace("« ", "«\u00a0")


def params_of(template: str) -> Iterator[tuple[str, str]]:
    """Every parameter of a template with its form ("" = plain)."""
    for found in PARAM.finditer(template):
        yield found[1], found[2] or ""


def fill(
    template: str, params: Mapping[str, str], language: str, words: Words
) -> str | None:
    """The sentence, or ``None`` when a parameter it needs is not known."""
    if any(not params.get(name) for name, _ in params_of(template)):
        return None

    def value(found: re.Match[str]) -> str:
        return _shown(found[1], params[found[1]], found[2] or "", language, words)

    return PARAM.sub(value, template)


def segments(
    template: str, params: Mapping[str, str], language: str, words: Words
) -> tuple[Segment, ...] | None:
    """The sentence cut into text and links, or ``None`` when a parameter is missing.

    Links are cut out before values are filled in: a value can never make one.
    """
    pieces: list[Segment] = []
    position = 0
    for link in LINK.finditer(template):
        pieces += [
            Segment(template[position : link.start()]),
            Segment(link[1], link[2]),
        ]
        position = link.end()
    pieces.append(Segment(template[position:]))
    filled: list[Segment] = []
    for piece in pieces:
        text = fill(piece.text, params, language, words)
        target = fill(piece.target, params, "", Words())
        if text is None or target is None:
            return None
        if text:
            filled.append(Segment(text, target))
    return tuple(filled)


def _shown(param: str, value: str, form: str, language: str, words: Words) -> str:
    if form == "date":
        return _date(value, language)
    if param in PHRASES:
        word = words.find(param, value)
        return value if word is None else (word.fr if language == "fr" else word.en)
    kind = KINDS.get(param)
    if kind is None or not language:
        return value
    names = [name.strip() for name in value.split(",") if name.strip()]
    shown = [_named(kind, name, form, language, words) for name in names]
    if len(shown) <= LISTED or form == "all":
        return ", ".join(shown)
    more = "and {} more" if language == "en" else "et {} autres"
    return f"{', '.join(shown[: LISTED - 1])} {more.format(len(shown) - LISTED + 1)}"


def _named(kind: str, name: str, form: str, language: str, words: Words) -> str:
    word = words.find(kind, name) or unknown_word(kind, name, form)
    return FORMS["lower" if form == "all" else form](word, language)


def unknown_word(kind: str, name: str, form: str) -> Word:
    """A name we have no word for: with an article it becomes "the field xyz".

    A table stands for one of its records: what follows may be its number.
    """
    if form in ("", "lower", "all"):
        return Word(name, name, name)
    noun = _NOUNS[kind]
    return Word(name, f"{noun[0]} {name}", f"{noun[1]} {name}")


def _label(word: Word, language: str) -> str:
    if language == "en" or word.fr == word.key:
        return word.en
    return _capital(word.fr_bare)


def _lower(word: Word, language: str) -> str:
    return _small(word.en) if language == "en" else word.fr_bare


def _the(word: Word, language: str) -> str:
    return f"the {_small(word.en)}" if language == "en" else word.fr


def _a(word: Word, language: str) -> str:
    if language == "en":
        small = _small(word.en)
        return f"{'an' if small[0] in 'aeio' else 'a'} {small}"
    return f"{'une' if word.feminine else 'un'} {word.fr_bare}"


def _this(word: Word, language: str) -> str:
    bare = word.fr_bare
    if language == "en":
        return f"this {_small(word.en)}"
    if word.fr.startswith("les "):
        return f"ces {bare}"
    if word.feminine:
        return f"cette {bare}"
    return f"cet {bare}" if word.fr.startswith("l'") else f"ce {bare}"


def _ending(word: Word, language: str) -> str:
    if language == "en":
        return ""
    return ("e" if word.feminine else "") + ("s" if word.fr.startswith("les ") else "")


FORMS: Mapping[str, Callable[[Word, str], str]] = {
    "": _label,
    "lower": _lower,
    "all": _lower,
    "the": _the,
    "The": lambda word, language: _capital(_the(word, language)),
    "a": _a,
    "A": lambda word, language: _capital(_a(word, language)),
    "this": _this,
    "e": _ending,
}


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _small(text: str) -> str:
    """ "Name" to "name"; "VAT number" and "accountName" stay."""
    return text if text[1:2].isupper() else text[:1].lower() + text[1:]


def _date(value: str, language: str) -> str:
    """An ISO date as people write it; anything else as it is."""
    found = re.match(r"(\d{4})-(\d{2})-(\d{2})", value)
    if found is None or not 1 <= int(found[2]) <= len(MONTHS):
        return value
    year, month, day = found.groups()
    if language == "fr":
        return f"{day}.{month}.{year}"
    return f"{int(day)} {MONTHS[int(month) - 1]} {year}"
