"""Which mappings a command means by the names a person typed."""

from collections.abc import Collection

from integration.models import Connection, TableMapping


class UnknownName(Exception):  # noqa: N818  (a sentence for a person)
    """No mapping or connection has this name; the message names those there are."""


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
    if wanted - known:
        raise UnknownName(_no_mapping(sorted(wanted - known), sorted(known)))
    return [mapping for mapping in found if mapping.name.upper() in wanted]


def _no_mapping(unknown: list[str], known: list[str]) -> str:
    there = ", ".join(known) or "none yet"
    return f"There is no mapping {', '.join(unknown)}; there are: {there}."


def _no_connection(name: str) -> str:
    names = Connection.objects.values_list("name", flat=True)
    there = ", ".join(f"“{known}”" for known in names) or "none yet"
    return f"There is no connection “{name}”; there are: {there}."
