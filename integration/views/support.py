"""Texts to hand on: an error to support, impersonal; a cause to whoever mends it."""

from datetime import UTC, datetime
from itertools import repeat

from django.http import HttpResponse
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from django.views.decorators.http import require_safe

from integration.choices import Direction, Role, System
from integration.core.concealing import concealed
from integration.http import SignedInRequest, role_required
from integration.markup.parts import number
from integration.markup.records import source_and_destination
from integration.models import Operation, SyncError, TableMapping
from integration.services.articles import title_of
from integration.services.impersonal import impersonal
from integration.services.places import Places, read_places
from integration.views.details import field_rows, instead
from integration.views.errors import find
from integration.views.health import PLAIN
from integration.views.problems import find as find_problem
from integration.views.problems import told
from integration.views.targets import Case

LANGUAGES = ("en", "fr-ch")
RECORDS_TOLD = 50
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


@role_required(Role.VIEWER)
@require_safe
def for_user(request: SignedInRequest, problem_id: int) -> HttpResponse:
    """Plain text for whoever mends the records of a cause, in the reader's language.

    What it means, the steps, and each record with its link: who gets it reads them in
    their own system.
    """
    found = find_problem(problem_id)
    article = told(found, Case(found.connection))
    steps = ("".join(part.text for part in step) for step in article.steps)
    rows = SyncError.objects.visible(Operation.objects.cuts()).relevant()
    errors = rows.filter(problem=found).order_by("-last_seen", "-id")
    more = errors.count() - RECORDS_TOLD
    lines = [
        *(article.title, "", article.meaning, ""),
        *(f"{n}. {step}" for n, step in enumerate(steps, 1)),
        "",
        *map(record_line, errors[:RECORDS_TOLD], repeat(read_places())),
        *([_("and %(n)s more") % {"n": number(more)}] if more > 0 else ()),
    ]
    return HttpResponse("\n".join(lines).strip() + "\n", content_type=PLAIN)


def record_line(error: SyncError, places: Places) -> str:
    """12310 Horlogerie Frossard GmbH: where it opens in its own system."""
    source, _destination = source_and_destination(vars(error), places.of(vars(error)))
    name = source.text or source.why
    words = _("%(word)s: %(value)s") if source.href else "%(word)s"
    return f"– {words % {'word': name, 'value': source.href}}"


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
