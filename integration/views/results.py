"""What became of each record of an operation, as a file to keep."""

from collections.abc import Iterator
from itertools import chain

from django.http import Http404, HttpResponseBase
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from integration import clock
from integration.choices import Role
from integration.http import SignedInRequest, role_required
from integration.models import Connection, Operation
from integration.services.error_chunks import Row
from integration.services.export import harmless
from integration.views.export import csv_answer, csv_writer, iso, language
from integration.views.retries import ItemRow, item_rows

_CHUNK = 1_000


@role_required(Role.VIEWER)
@require_safe
def csv_file(request: SignedInRequest, operation_id: int) -> HttpResponseBase:
    """Streamed, in the order of the choice. The head's last cell says of what and when.

    Of an operation that goes on it tells how far it is.
    """
    operation = Operation.objects.filter(pk=operation_id).first()
    if operation is None or not operation.items.exists():
        raise Http404(_("There is no such operation."))
    said = _("Exported %(moment)s: operation %(id)s, %(name)s") % {
        "moment": iso(clock.now()),
        "id": operation.pk,
        "name": operation.by_name,
    }
    head = [
        *(_("Record"), _("Mapping"), _("Direction"), _("Result"), _("Why")),
        *(_("Connection"), _("Address")),
        harmless(said),
    ]
    address = request.build_absolute_uri(reverse("errors"))
    lines = read_results(operation, language(), address)
    write = csv_writer(request)
    pieces = chain([write([head])], map(write, lines))
    return csv_answer(pieces, f"operation-{operation.pk}")


def read_results(
    operation: Operation, language_code: str, address: str
) -> Iterator[list[Row]]:
    """Chunks of rows under the head, and one cell more; memory holds one chunk."""
    last = 0
    names = dict(Connection.objects.values_list("pk", "name"))
    items_of = operation.items.select_related("held_by").order_by("pk")
    while items := list(items_of.filter(pk__gt=last)[:_CHUNK]):
        last = items[-1].pk
        # The stream goes on when the request's language is over.
        with translation.override(language_code):
            rows = item_rows(items, language_code)
            told = [_cells(row, names, address) for row in rows]
        yield told


def _cells(row: ItemRow, names: dict[int, str], address: str) -> Row:
    item = row.item
    why = row.now
    if item.held_by:
        why = _("Being tried already, for %(name)s") % {"name": item.held_by.by_name}
    texts = (
        item.label or item.record_key,
        row.what,
        item.get_direction_display(),
        item.get_outcome_display(),
        why,
        names.get(item.connection_id or 0, ""),
    )
    link = f"{address}{item.error_id}/" if row.has_page else ""
    return (*(harmless(str(text)) for text in texts), link, "")
