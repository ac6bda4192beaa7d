"""What support needs to know of one error: both languages, no personal values."""

from datetime import UTC, datetime

from django.http import HttpResponse
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from django.views.decorators.http import require_safe

from integration.choices import Direction, Role, System
from integration.core.concealing import concealed
from integration.http import SignedInRequest, role_required
from integration.models import SyncError, TableMapping
from integration.services.articles import title_of
from integration.services.impersonal import impersonal
from integration.views.details import field_rows, instead
from integration.views.errors import find
from integration.views.health import PLAIN

LANGUAGES = ("en", "fr-ch")
Line = tuple[object, object]


@role_required(Role.VIEWER)
@require_safe
def support(request: SignedInRequest, error_id: int) -> HttpResponse:
    """Plain text to hand to a partner or to Microsoft."""
    error = find(error_id)
    mapping = TableMapping.objects.filter(
        connection=error.connection_id, name=error.mapping_key
    ).first()
    texts = [text_in(language, error, mapping) for language in LANGUAGES]
    return HttpResponse("\n\n".join(texts) + "\n", content_type=PLAIN)


def text_in(language: str, error: SyncError, mapping: TableMapping | None) -> str:
    """The same facts in one language; moments are UTC."""
    problem = error.problem
    title = title_of(problem.article, problem.params, language, problem.title)
    with translation.override(language):
        lines = [
            *facts(error),
            *(records(error) if mapping else ()),
            *attempts(error),
            *fields(error, mapping, language),
        ]
        said = [
            _("%(word)s: %(value)s") % {"word": word, "value": value or "–"}
            for word, value in lines
        ]
    return "\n".join([impersonal(error, title), *said])


def facts(error: SyncError) -> list[Line]:
    """What the refusal was, and whose it is to fix."""
    problem = error.problem
    # Without code and status it is a sentence of ours, which the title says in French.
    is_told = error.code or error.http_status or translation.get_language() == "en"
    said = [(_("Message"), impersonal(error, error.message))] if is_told else []
    return [
        (pgettext("who fixes it", "Who"), problem.get_who_display()),
        (_("Cause"), f"{problem.get_category_display()} ({problem.article or '–'})"),
        (_("Code"), error.code),
        ("HTTP", error.http_status),
        (_("Request id"), error.request_id),
        *said,
    ]


def records(error: SyncError) -> list[Line]:
    """Both records by number and id; their names stay here."""
    ways = {Direction.TO_SALES: "Business Central → Sales"}
    way = ways.get(Direction(error.direction), "Sales → Business Central")
    bc = (error.bc_number, error.bc_id, error.get_bc_presence_display())
    sales = (error.sales_number, error.sales_id, error.get_sales_presence_display())
    return [
        (_("Mapping"), f"{error.mapping_key}, {way}"),
        (System.BUSINESS_CENTRAL.label, ", ".join(filter(None, bc))),
        (System.SALES.label, ", ".join(filter(None, sales))),
    ]


def attempts(error: SyncError) -> list[Line]:
    return [
        (_("Attempts"), error.occurrences),
        (_("First seen"), utc(error.first_seen)),
        (_("Last seen"), utc(error.last_seen)),
    ]


def fields(error: SyncError, mapping: TableMapping | None, language: str) -> list[Line]:
    """What differs or is the cause: Business Central, Sales, last in step."""
    ours = instead(error)
    return [
        (
            row.label,
            " | ".join(
                value if value == ours else concealed(row.field, value)
                for value in row.values
            ),
        )
        for row in field_rows(error, mapping, language)
        if row.differs or row.is_cause
    ]


def utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")
