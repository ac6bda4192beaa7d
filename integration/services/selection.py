"""What a command means by the names a person typed."""

from collections.abc import Collection
from dataclasses import replace

from integration.models import Connection, Job, Problem, SyncError, TableMapping
from integration.services.error_filters import ErrorFilter


class UnknownName(Exception):  # noqa: N818  (a sentence for a person)
    """Nothing has this name; the message names what there is, or where it stands."""


def chosen_mappings(
    names: Collection[str], connection_name: str | None
) -> list[TableMapping]:
    """In order of dependency; without names, all. Raises ``UnknownName``."""
    mappings = TableMapping.objects.in_order().select_related(
        "connection__business_central", "connection__sales"
    )
    if connection_name is not None:
        if not Connection.objects.filter(name=connection_name).exists():
            raise UnknownName(_no_connection(connection_name))
        mappings = mappings.filter(connection__name=connection_name)
    found = list(mappings)
    if not names:
        return found
    wanted = {name.upper() for name in names}
    known = {mapping.name.upper() for mapping in found}
    unknown = [name for name in names if name.upper() not in known]
    if unknown:
        raise UnknownName(_no_mapping(unknown, sorted(known)))
    return [mapping for mapping in found if mapping.name.upper() in wanted]


def chosen_errors(filters: ErrorFilter) -> ErrorFilter:
    """The same filter, its mapping written as ours. Raises ``UnknownName``.

    A page leaves an empty list for what is not there; a script that mistyped a name
    would take it for "all is well".
    """
    if filters.connection and not _is_there(Connection, filters.connection):
        raise UnknownName(no_connection_number(str(filters.connection)))
    if filters.problem and not _is_there(Problem, filters.problem):
        raise UnknownName(
            f"There is no cause {filters.problem}; the page By cause lists them."
        )
    if filters.job and not _is_there(Job, filters.job):
        raise UnknownName(f"There is no job {filters.job}; the page Jobs lists them.")
    return replace(filters, mapping=_mapping_key(filters.mapping))


def no_connection_number(text: str) -> str:
    """Lists ask for a connection by its number: those there are, with their names."""
    rows = Connection.objects.values_list("pk", "name").order_by("pk")
    there = ", ".join(f"{key} (“{name}”)" for key, name in rows) or "none yet"
    return f"There is no connection {text}; there are: {there}."


def _is_there(model: type[Connection] | type[Problem] | type[Job], number: int) -> bool:
    return model.objects.filter(pk=number).exists()


def _mapping_key(typed: str) -> str:
    """Of a mapping in any case, or of what one left behind that is gone."""
    if not typed or SyncError.objects.filter(mapping_key=typed).exists():
        return typed
    names = set(TableMapping.objects.values_list("name", flat=True))
    for name in names:
        if name.upper() == typed.upper():
            return name
    raise UnknownName(_no_mapping([typed], sorted(names)))


def _no_mapping(unknown: list[str], known: list[str]) -> str:
    there = ", ".join(known) or "none yet"
    quoted = ", ".join(f"“{name}”" for name in unknown)
    return f"There is no mapping {quoted}; there are: {there}."


def _no_connection(name: str) -> str:
    names = Connection.objects.values_list("name", flat=True)
    there = ", ".join(f"“{known}”" for known in names) or "none yet"
    return f"There is no connection “{name}”; there are: {there}."
