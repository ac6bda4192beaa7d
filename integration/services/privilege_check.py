"""Whether the integration user may do what the mappings will do (error-catalog, 1)."""

from collections.abc import Iterable, Iterator

from django.utils.translation import gettext_noop

from integration.choices import CheckStep, Direction
from integration.connectors.business_central import BusinessCentral
from integration.connectors.errors import Refused
from integration.connectors.sales import Sales, logical_name
from integration.core.outcomes import Finding
from integration.models import Connection, TableMapping
from integration.services.check_lines import CheckLine, found, passed, refused, said

_STEP = CheckStep.PRIVILEGES


def check_privileges(
    connection: Connection, bc: BusinessCentral, sales: Sales
) -> Iterator[CheckLine]:
    """One question to Sales, one for each entity to Business Central.

    Rights to write cannot be asked of Business Central without writing.
    """
    mappings = list(connection.mappings.prefetch_related("fields"))
    missing = [*_missing_in_business_central(mappings, bc)]
    user_id = connection.sales.integration_user_id
    try:
        held = sales.privileges(user_id)
    except Refused:
        text = gettext_noop("Sales does not say which privileges the user has.")
        yield said(_STEP, text)
    else:
        missing += _missing_in_sales(mappings, held)
    text = gettext_noop("Everything that the mappings read and write is allowed.")
    yield from missing or [passed(_STEP, text)]


def _missing_in_business_central(
    mappings: Iterable[TableMapping], bc: BusinessCentral
) -> Iterator[CheckLine]:
    for mapping in mappings:
        try:
            bc.peek(mapping.entity)
        except Refused as error:
            yield refused(_STEP, error)


def _missing_in_sales(
    mappings: Iterable[TableMapping], held: Iterable[str]
) -> Iterator[CheckLine]:
    known = {name.casefold(): name for name in held}
    needed = dict.fromkeys(pair for one in mappings for pair in _needed(one))
    for verb, table in needed:
        name = f"prv{verb}{table}"
        if name.casefold() not in known:
            # Other rights to this table tell how its name is spelled.
            like = next((n for n in known if n.endswith(table)), "")
            spelled = known.get(like, name)[-len(table) :]
            params = {"privilege": f"prv{verb}{spelled}", "right": verb}
            finding = Finding("dv-missing-privilege", params)
            yield found(_STEP, finding, reported=True)


def _needed(mapping: TableMapping) -> Iterator[tuple[str, str]]:
    """Verb and table of each privilege, as Sales asks for them (error-catalog, 1)."""
    table = logical_name(mapping.table)
    yield "Read", table
    if mapping.direction == Direction.TO_BUSINESS_CENTRAL:
        return
    yield "Create", table
    yield "Write", table
    lookups = {field.lookup for field in mapping.fields.all() if field.lookup}
    if lookups:
        yield "Append", table
    referred = mapping.connection.mappings.filter(name__in=lookups)
    for target in referred.values_list("table", flat=True):
        yield "AppendTo", logical_name(target)
