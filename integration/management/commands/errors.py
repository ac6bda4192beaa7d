"""``manage.py errors``: the error list, for scripts."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, unquote

from django.core.management.base import CommandParser

from integration.choices import Chip
from integration.core.texts import on_one_line, read_number
from integration.management.answering import AnsweringCommand
from integration.management.words import as_json, could_not_run
from integration.services.error_filters import CHOICES, FILTER_NAMES, parse_filter
from integration.services.error_list import PAGE_SIZE, ErrorPage, read_page
from integration.services.error_sort import Sort, parse_sort, read_token
from integration.services.listed_rows import Row
from integration.services.selection import (
    chosen_errors,
    no_connection_number,
)

_PAGING = ("sort", "after", "before", "size")
_MOST_ROWS = 10_000


class Command(AnsweringCommand):
    help = (
        "List errors. Filters are those of the page's address, one or more words: "
        "state=resolved mapping=CUSTOMER 'q=Müller & Co', or the whole query string."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("filters", nargs="*", metavar="NAME=VALUE")

    def handle(self, *args: Any, **options: Any) -> None:
        query = _read(options["filters"])
        page, sort = _page(query)
        if page.sort != sort:
            self.stderr.write(
                f"These are too many to be sorted by {sort.name}; they come by "
                f"{page.sort.name}."
            )
        if not page.rows and not options["json"]:
            self.stderr.write("No entries.")
        if options["json"]:
            self.stdout.write(as_json(_as_value(page)))
            return
        for row in page.rows:
            self.stdout.write(_line(row))
        if page.after:
            self.stdout.write(f"There are more: add after={page.after}")


def _read(words: list[str]) -> dict[str, str]:
    query: dict[str, str] = {}
    for word in words:
        if _is_query_string(word):
            query |= parse_qsl(word.removeprefix("?"), keep_blank_values=True)
            continue
        name, equals, value = word.partition("=")
        if not equals:
            raise could_not_run(f"“{word}” is no filter; write it as name=value.")
        query[name] = value
    for name in query:
        if name not in {*FILTER_NAMES, *_PAGING}:
            known = ", ".join((*FILTER_NAMES, *_PAGING))
            raise could_not_run(f"There is no filter “{name}”; there are {known}.")
    return query


def _is_query_string(word: str) -> bool:
    """One NAME=VALUE may hold an ampersand; a whole query string holds further "=".

    Of an address is also what has its signs; a person types blanks, and hardly signs.
    """
    parts = word.split("&")
    named = [part for part in parts if "=" in part]
    if word.startswith("?") or (len(named) > 1 and len(named) == len(parts)):
        return True
    try:
        signs = unquote(word, errors="strict")
    except UnicodeDecodeError:
        return False
    return signs != word and not {" ", "&"} & set(word)


def _page(query: dict[str, str]) -> tuple[ErrorPage, Sort]:
    """The page, and the sort that was asked for."""
    filters, dropped = parse_filter(query)
    sort = parse_sort(query["sort"]) if query.get("sort") else Sort()
    size = read_number(query.get("size") or str(PAGE_SIZE), _MOST_ROWS)
    if sort is None:
        dropped.append("sort")
    if not size:
        dropped.append("size")
    if dropped or not sort or not size:
        raise could_not_run(_senseless(query, dropped))
    filters = chosen_errors(filters)
    after, before = query.get("after", ""), query.get("before", "")
    page = read_page(filters, sort, after=after, before=before, size=size)
    # Of a list that is too long for its sort, the token is one of another sort.
    dropped = [
        name
        for name in ("after", "before")
        if query.get(name) and read_token(query[name], page.sort) is None
    ]
    if dropped:
        raise could_not_run(_senseless(query, dropped))
    return page, sort


def _senseless(query: dict[str, str], dropped: list[str]) -> str:
    if "connection" in dropped:
        return no_connection_number(query["connection"])
    said = ", ".join(f"{name}={query[name]}" for name in dropped)
    known = [
        f" {name} is one of {', '.join(CHOICES[name])}."
        for name in dropped
        if name in CHOICES
    ]
    return "".join([f"This makes no sense as a filter: {said}.", *known])


def _line(row: Row) -> str:
    source, destination = ("bc", "sales")
    if row["direction"] == "to_business_central":
        source, destination = destination, source
    records = [
        f"{row[f'{side}_number']} {row[f'{side}_name']}".strip() or "–"
        for side in (source, destination)
    ]
    seen = row["last_seen"].isoformat(timespec="seconds")
    parts = (row["id"], seen, row["mapping_key"] or "–", *records)
    cells = (*map(str, parts), row["problem__title"])
    return "\t".join(map(on_one_line, cells))


def _as_value(page: ErrorPage) -> dict[str, Any]:
    return {
        "errors": [_error(row) for row in page.rows],
        "counts": {chip: page.chips.chips.get(chip, 0) for chip in Chip.values},
        "exact": page.chips.exact,
        "after": page.after,
        "before": page.before,
    }


def _error(row: Mapping[str, Any]) -> dict[str, Any]:
    """One error by the words of the pages; nobody depends on a column's name."""
    return {
        "id": row["id"],
        "title": row["problem__title"],
        "article": row["problem__article"],
        "category": row["problem__category"],
        "who": row["problem__who"],
        "params": row["problem__params"],
        "problem": row["problem_id"],
        "connection": row["connection_id"],
        "mapping": row["mapping_key"],
        "direction": row["direction"],
        "record": row["record_key"],
        "business_central": _side(row, "bc"),
        "sales": _side(row, "sales"),
        "state": row["chip"],
        "waits_for": row["waits_for"],
        "settled": row["settled_reason"],
        "first_seen": _moment(row["first_seen"]),
        "last_seen": _moment(row["last_seen"]),
        "settled_at": _moment(row["settled_at"]),
        "came_back_at": _moment(row["reopened_at"]),
        "ignored_until": _moment(row["ignored_until"]),
        "times": row["occurrences"],
    }


def _side(row: Mapping[str, Any], side: str) -> dict[str, Any]:
    return {
        "id": row[f"{side}_id"],
        "number": row[f"{side}_number"],
        "name": row[f"{side}_name"],
        "presence": row[f"{side}_presence"],
        "deleted_at": _moment(row[f"{side}_deleted_at"]),
    }


def _moment(value: datetime | None) -> str | None:
    """ISO 8601 to the second, with its offset."""
    return value.isoformat(timespec="seconds") if value else None
