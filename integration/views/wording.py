"""Filters and operations in words; every stored value of theirs has one here."""

from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from integration.choices import (
    Category,
    Chip,
    ConflictPolicy,
    DeletionPolicy,
    Direction,
    Moment,
    SettledReason,
    Who,
)
from integration.markup import parts
from integration.models import Connection, Operation, Problem
from integration.services.articles import label_of, title_of
from integration.services.cleanup_preview import Ignored
from integration.services.error_filters import (
    HEALED,
    RELEVANT,
    ErrorFilter,
    parse_filter,
)
from integration.services.sentences import in_words

Line = tuple[str, str]


def state_words(state: str) -> str:
    """The chip's word, also for the two states that are no chip."""
    if state == RELEVANT:
        return _("still relevant")
    if state in Chip.values:
        return str(Chip(state).label)
    return pgettext("errors", "All")


def filter_words(
    filters: ErrorFilter,
    language: str,
    *,
    only_scope: bool = False,
    names: Mapping[str, str] = MappingProxyType({}),
) -> list[str]:
    """What limits the list, without its state; only what limits a clean-up if asked.

    ``names`` are those of the chosen connection and problem, where they are known.
    """
    said = scope_words(filters.scope(), language, names)
    if not only_scope:
        said += [
            name_words(Ignored(name, value, 0), filters.moment)
            for name, value in filters.query().items()
            if name in BEYOND and name != "state"
        ]
    return said


def query_words(query: Mapping[str, str], language: str) -> list[str]:
    """A retry's filter, with its state: State: still relevant, mapping CUSTOMER."""
    filters, _dropped = parse_filter(query)
    state = BEYOND["state"](filters.state)
    return [state, *filter_words(filters, language)]


def scope_words(
    scope: Mapping[str, Any],
    language: str,
    names: Mapping[str, str] = MappingProxyType({}),
) -> list[str]:
    """A clean-up's filter: mapping CUSTOMER, connection Fabrique du Léman SA."""
    told: dict[str, Callable[[Any], str]] = {
        "connection": lambda key: (
            _("connection %(name)s")
            % {"name": names.get("connection") or name_of_connection(key)}
        ),
        "mapping": lambda key: _("mapping %(name)s") % {"name": key},
        "direction": lambda key: (
            _("direction %(name)s") % {"name": label(Direction, key)}
        ),
        "problem": lambda key: (
            _("cause “%(name)s”")
            % {"name": names.get("problem") or name_of_problem(key, language)}
        ),
        "record": lambda keys: _("one record"),
        "text": lambda key: _("search “%(text)s”") % {"text": key},
    }
    return [told[name](value) for name, value in scope.items() if name in told]


def name_of_connection(key: int) -> str:
    found = Connection.objects.filter(pk=key).values_list("name", flat=True).first()
    return found or str(key)


def name_of_problem(key: int, language: str) -> str:
    found = Problem.objects.filter(pk=key).first()
    if found is None:
        return str(key)
    return title_of(found.article, found.params, language, found.title)


def label(choices: Any, value: str) -> str:
    return parts.labels(choices).get(value, value)


def moment_words(text: str) -> str:
    return parts.exact(datetime.fromisoformat(text))


BEYOND: dict[str, Callable[[str], str]] = {
    "state": lambda value: _("state: %(word)s") % {"word": state_words(value)},
    "who": lambda value: _("who: %(word)s") % {"word": label(Who, value)},
    "category": lambda value: _("kind: %(word)s") % {"word": label(Category, value)},
    "job": lambda value: _("job: %(word)s") % {"word": value},
    "from": lambda value: _("seen from %(word)s") % {"word": moment_words(value)},
    "to": lambda value: _("seen until %(word)s") % {"word": moment_words(value)},
    "reason": lambda value: _("reason: %(word)s") % {"word": reason_words(value)},
    "settled": lambda value: _("finished by %(word)s") % {"word": moment_words(value)},
    "unsettled": lambda value: (
        _("still relevant on %(word)s") % {"word": moment_words(value)}
    ),
}


OF_MOMENT: dict[tuple[str, str], Callable[[], str]] = {
    (Moment.FIRST_SEEN, "from"): lambda: _("first seen from %(word)s"),
    (Moment.FIRST_SEEN, "to"): lambda: _("first seen until %(word)s"),
    (Moment.CAME_BACK, "from"): lambda: _("came back from %(word)s"),
    (Moment.CAME_BACK, "to"): lambda: _("came back until %(word)s"),
    (Moment.SETTLED, "from"): lambda: _("finished from %(word)s"),
    (Moment.SETTLED, "to"): lambda: _("finished by %(word)s"),
}


def reason_words(value: str) -> str:
    if value == HEALED:
        return pgettext("entries", "healed")
    return label(SettledReason, value)


def name_words(part: Ignored, moment: str = "") -> str:
    """A part of the list's filter in words; its days may be those of a ``moment``."""
    own = OF_MOMENT.get((moment, part.name))
    if own:
        return own() % {"word": moment_words(part.value)}
    return BEYOND[part.name](part.value) if part.name in BEYOND else part.name


def scope_lines(operation: Operation, language: str = "en") -> list[Line]:
    """Which rows, exactly."""
    scope = operation.scope
    lines: list[Line] = []
    if "older_than" in scope:
        days = scope["older_than"]
        what = (
            _("entries older than %(days)s days") % {"days": days}
            if days is not None
            else _("all entries")
        )
        lines.append((_("Scope"), what))
    if operation.cutoff:
        lines.append((_("Last seen until"), instant(operation.cutoff)))
    if operation.filter:
        words = ", ".join(scope_words(operation.filter, language))
        lines.append((_("Filter"), words))
    if "until" in scope:
        lines.append((_("Ignored until"), until_words(scope["until"])))
    if "query" in scope:
        lines.append((_("Filter"), ", ".join(query_words(scope["query"], language))))
    known = retold(scope, "title") | written_fields(scope, language)
    lines += [
        (word, result_words(known[name]))
        for name, word in scope_names().items()
        if known.get(name) not in (None, "", [])
    ]
    if operation.rows:
        lines.append((_("Entries"), parts.number(operation.rows)))
    return lines


def scope_summary(operation: Operation, language: str) -> SafeString:
    """The same in a line of the log: without counts and instants, which it has."""
    names = scope_names()
    left_out = {_("Entries"), _("Last seen until"), names["settled"], names["relevant"]}
    words = {
        names["selected"]: selected_words(operation.scope.get("selected", 0)),
        _("Ignored until"): ignored_words(operation.scope.get("until", "")),
    }
    lines = scope_lines(operation, language)
    said = ((words.get(word, value),) for word, value in lines if word not in left_out)
    return format_html_join(", ", "{}", said)


def selected_words(n: int) -> str:
    return ngettext("%(n)s selected entry", "%(n)s selected entries", n) % {
        "n": parts.number(n)
    }


def ignored_words(until: str) -> str:
    """The same without a caption before it."""
    if until in ("", "it grows"):
        return _("until its cause grows")
    return _("until %(until)s") % {"until": until_words(until)}


def until_words(until: str) -> str:
    """A day, or that the cause grows."""
    if until == "it grows":
        return _("another record fails for the same cause")
    return parts.day(datetime.fromisoformat(until))


def retold(stored: Mapping[str, Any], name: str) -> dict[str, Any]:
    """With the sentence (or the list of them) under ``name`` in the reader's words."""
    told = stored.get("told")
    if not told:
        return dict(stored)
    if isinstance(told, list):
        return {**stored, name: [in_words(key) for key in told]}
    return {**stored, name: in_words(told)}


def instant(moment: datetime) -> SafeString:
    """To the second, with its zone."""
    return SafeString(f"{parts.to_the_second(moment)} ({parts.zone()})")


def scope_names() -> dict[str, str]:
    """The words of what an operation's scope holds."""
    return {
        "settled": _("finished entries"),
        "relevant": _("still relevant"),
        "selected": _("selected"),
        "name": pgettext("of a connection or endpoint", "Name"),
        "mapping": _("Mapping"),
        "record": _("Record"),
        "to_business_central": _("Written in Business Central"),
        "to_sales": _("Written in Sales"),
        "title": _("Error"),
        "article": _("Article"),
        "patterns": _("Patterns"),
        "user": pgettext("account", "User"),
    }


RESULTS: dict[str, Callable[[], str]] = {
    "enabled": lambda: _("enabled"),
    "paused": lambda: _("paused"),
    "resumed": lambda: _("resumed"),
    "new_secret": lambda: _("new secret or password"),
    "new_password": lambda: _("new password"),
    "made": lambda: _("made"),
    "withdrawn": lambda: pgettext("an article", "withdrawn"),
    "changed": lambda: _("changed"),
    "True": lambda: _("yes"),
    "False": lambda: _("no"),
}


def result_names() -> dict[str, str]:
    """The words of what an operation's result holds; the rest is not for reading."""
    return {
        "change": pgettext("what was changed", "Change"),
        "sentence": _("Message"),
        "update_conflict": _("Changed on both sides"),
        "deletion_conflict": _("Deleted on one side"),
        "interval_seconds": _("Interval"),
        "passed": _("Check passed"),
        "problems": _("Found"),
        "settled": _("Settled"),
        "resumed": _("Resumed"),
        "restored": _("Entries brought back"),
        "left": _("In this state already, or settled meanwhile"),
        "changed_since": _("Changed since, left as they are"),
        "still_hidden": _("Still hidden by another deletion"),
        "purged": _("Removed for good before"),
        "coupled": _("coupled"),
        "create_in_sales": _("to create in Sales"),
        "create_in_business_central": _("to create in Business Central"),
        "ambiguous": _("ambiguous"),
        "role": _("Role"),
        "username": _("User name"),
        "first_name": _("First name"),
        "last_name": _("Last name"),
        "email": _("E-mail"),
        "is_active": _("Active"),
        "mail": _("Told by mail"),
        "mappings": _("Mappings followed"),
        "quiet": _("Quiet hours"),
    }


def written_fields(scope: Mapping[str, Any], language: str) -> dict[str, list[str]]:
    """The fields that an answer to a conflict writes on each side, by their labels."""
    return {
        name: [label_of(one, language) for one in scope[name]]
        for name in ("to_business_central", "to_sales")
        if name in scope
    }


RULES: dict[str, Any] = {
    "update_conflict": ConflictPolicy,
    "deletion_conflict": DeletionPolicy,
}


def result_lines(operation: Operation) -> list[Line]:
    """How it ended."""
    name = "problems" if "problems" in operation.result else "sentence"
    result = retold(operation.result, name)
    result |= operation.result.get("plan") or {}
    for name, rules in RULES.items():
        if name in result:
            result[name] = label(rules, result[name])
    if "interval_seconds" in result:
        result["interval_seconds"] = parts.interval(result["interval_seconds"])
    return [
        (word, result_words(result[name]))
        for name, word in result_names().items()
        if result.get(name) not in (None, "", [])
    ]


def result_words(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(str(one) for one in value)
    if isinstance(value, int) and not isinstance(value, bool):
        return parts.number(value)
    return RESULTS[str(value)]() if str(value) in RESULTS else str(value)
