"""The list of errors, one error, and what may be done to them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import quote

from django.contrib.messages import get_messages
from django.http import Http404, HttpResponse
from django.middleware.csrf import get_token
from django.shortcuts import render
from django.template.loader import get_template, render_to_string
from django.urls import reverse
from django.utils.functional import SimpleLazyObject
from django.utils.html import escape
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe
from django_htmx.http import reselect, retarget

from integration.choices import Chip, Role
from integration.filters.errors import chosen_labels, filter_form
from integration.forms.handling import CommentForm, IgnoreForm
from integration.http import SignedInRequest, is_fragment, role_required, theme_of
from integration.markup.error_row import Frame
from integration.markup.kept import Part, blank, kept
from integration.markup.looks import failing_words, look_words, pace
from integration.markup.parts import Moments
from integration.markup.records import source_and_destination
from integration.models import Operation, SyncError, TableMapping
from integration.models.operations import cuts_statement
from integration.models.statements import Statement, ahead
from integration.services import cleanup
from integration.services.answers import answering_errors
from integration.services.causes import count_of
from integration.services.error_filters import ALL, RELEVANT
from integration.services.error_list import ErrorPage, neighbours, read_page
from integration.services.error_reading import likely_statements
from integration.services.error_sort import Sort
from integration.services.looks import deletion_of, seen_of, watch
from integration.services.places import Places, place_of, places_statement, read_places
from integration.services.retry_results import replacement_of
from integration.services.status import read_engine, read_shell, shell_statements
from integration.services.storm_status import halts_of, read_halts, stopped_statement
from integration.tables.errors import ErrorTable, error_rows
from integration.views.addresses import found_or_404, say_dropped
from integration.views.candidates import others_of
from integration.views.details import (
    became,
    choices_for,
    ended,
    field_rows,
    history,
    is_compared_with_last,
)
from integration.views.handling import act_on_selected, take_done
from integration.views.listings import Listing, chips, read_listing, sort_words
from integration.views.problems import told, told_context
from integration.views.targets import Case
from integration.views.titles import problem_titles, titles_of, titles_statement
from integration.views.wording import filter_words


@role_required(Role.VIEWER)
@require_safe
def errors(request: SignedInRequest) -> HttpResponse:
    """The page, or for htmx the list alone."""
    listing = read_listing(request.GET)
    is_part = is_fragment(request, "list")
    with ahead(_asked_ahead(listing, is_part=is_part)):
        return _list_of(request, listing, is_part=is_part)


def _asked_ahead(listing: Listing, *, is_part: bool) -> Iterator[Statement]:
    """What is asked whatever the rows are: the list's, then the whole page's."""
    yield cuts_statement()
    yield places_statement()
    yield from likely_statements(
        listing.filters,
        listing.sort,
        after=listing.after,
        before=listing.before,
        size=listing.size,
    )
    if not is_part:
        yield titles_statement()
        yield stopped_statement()
        yield from shell_statements(has_counts=not listing.is_filtered)


def _list_of(
    request: SignedInRequest, listing: Listing, *, is_part: bool
) -> HttpResponse:
    page = read_page(
        listing.filters,
        listing.sort,
        after=listing.after,
        before=listing.before,
        size=listing.size,
    )
    places = read_places()
    if any(row["connection_id"] not in places.connections for row in page.rows):
        places = read_places()  # one was made since it was asked ahead
    listed = partial(_listed, request, listing, page, places)
    if is_part:
        response = HttpResponse(listed("integration/errors/_fragment.html"))
        response["HX-Push-Url"] = f"{request.path}{question(request.GET.urlencode())}"
        return response
    say_dropped(request, listing.dropped)
    frame = _framed(request, listing, page, places)
    part = listed("integration/errors/_list.html")
    return HttpResponse(frame.filled(list=part, csrf=get_token(request).encode()))


def _framed(
    request: SignedInRequest, listing: Listing, page: ErrorPage, places: Places
) -> Part:
    """The page around the list: kept, unless it has something to tell once."""
    counted = None if listing.is_filtered else page.chips.chips
    shell, halts, done = read_shell(counted), read_halts(), take_done(request)
    offered = _offered(places)

    def around() -> Part:
        context = list_context(request, listing, page)
        context |= form_context(listing, places, offered)
        context |= {"shell": shell, "halts": halts, "done": done}
        context |= {"list": blank("list"), "csrf_token": blank("csrf")}
        return Part(render_to_string("integration/errors/list.html", context, request))

    if halts or done or len(get_messages(request)):
        return around()
    user, moments = request.user, Moments()
    return kept(
        (
            *(request.get_full_path(), theme_of(request), moments.locale, shell),
            *(moments.ago(one.at) for one in shell.systems if one.at),
            *(user.get_full_name(), user.get_username(), user.role, user.is_superuser),
            *(page.sort, page.chips, bool(page.after), bool(page.before)),
            *map(tuple, offered.values()),
        ),
        around,
    )


def _offered(places: Places) -> dict[str, Sequence[tuple[str, str]]]:
    """What the filter form offers, by its fields."""
    return {
        "mapping": [(name, name) for name in places.mapping_names],
        "problem": problem_titles(get_language() or "en"),
        "connection": [(str(key), name) for key, name in places.connections.items()],
    }


def _listed(
    request: SignedInRequest,
    listing: Listing,
    page: ErrorPage,
    places: Places,
    template: str,
) -> bytes:
    """The list as it is sent: its rows, and around them what is kept.

    As a part of the template's text the rows would be copied at every level, and
    written as UTF-8 anew. Counts change with every error, most of the rest never does.
    """
    rows, user, language = page.rows, request.user, get_language() or "en"
    titles = titles_of(rows, language)
    frame = Frame.of(listing.query(), may_retry=user.is_operator)
    words = filter_words(
        listing.filters, language, names=_names(listing, titles, places)
    )
    context = partial(list_context, request, listing, page)
    beside = {
        "next_href": page.after and f"?{listing.query(after=page.after)}",
        "previous_href": page.before and f"?{listing.query(before=page.before)}",
        "pace": pace(row["seen"] for row in rows),
        "live_query": live_query(
            (row["id"] for row in rows),
            listing,
            listing.asked_at,
            first=not page.before,
        ),
    }

    def around() -> Part:
        table = ErrorTable(str(page.sort), lambda sort: f"?{listing.query(sort=sort)}")
        blanks = {
            name: blank(name) for name in (*_COUNTED, *filter(beside.get, beside))
        }
        there = context() | blanks | {"table": table, "filter_words": words}
        return Part(render_to_string(template, there, request))

    made_of = (
        *(template, request.get_full_path(), frame, user.is_administrator),
        *(page.sort, bool(page.after), bool(page.before), page.by_beginning, *words),
        bool(rows),
    )
    counts = (
        frame,
        page.sort,
        page.chips,
        len(rows),
        not page.before,
        bool(page.after),
    )
    # Where nothing at all is wrong, it is told when the engine ran last.
    part = kept(made_of, around) if rows or words else around()
    return part.filled(
        **kept(counts, lambda: _counted(context())),
        **{name: escape(value).encode() for name, value in beside.items()},
        rows=error_rows(rows, places, titles, frame),
    )


_COUNTED = {"summary": False, "range": False, "chips": True, "retry_all": True}
"""What tells how many there are, and whether it takes the place of one on the page."""


def _counted(context: dict[str, Any]) -> dict[str, bytes]:
    return {
        name: get_template(f"integration/errors/_{name}.html")
        .render(context | {"oob": oob})
        .encode()
        for name, oob in _COUNTED.items()
    }


def question(query: str) -> str:
    return f"?{query}" if query else ""


def list_context(
    request: SignedInRequest, listing: Listing, page: ErrorPage
) -> dict[str, Any]:
    """What is told around the rows: no query beyond the page's own.

    What is drawn from a few words and counts is kept by those, in the templates, so it
    is made only when they ask for it.
    """
    return {
        "listing": listing,
        "query": listing.query(),
        "page": page,
        "total": page.chips.of(listing.filters.state),
        "can_retry_all": request.user.is_operator and can_retry_all(listing, page),
        "counts": page.chips,
        "chips": partial(chips, listing, page.chips),
        "sorts": partial(sorts, listing, page.sort),
        "list_words": partial(listing.title, page.sort),
        "hidden": partial(hidden_words, listing),
        "shown": len(page.rows),
        "first": not page.before,
        "unsolved": page.chips.of(RELEVANT),
        "everywhere_href": listing.filters.state != ALL
        and f"?{listing.query(state=ALL)}",
        "engine": SimpleLazyObject(read_engine),
    }


def _names(
    listing: Listing, titles: Mapping[int, str], places: Places
) -> dict[str, str]:
    """Of the chosen connection and problem, as the page has read them already."""
    names = {}
    chosen = listing.filters.connection
    if chosen is not None and chosen in places.connections:
        names["connection"] = places.connections[chosen]
    problem = listing.filters.problem
    if problem is not None and problem in titles:
        names["problem"] = titles[problem]
    return names


def live_query(
    ids: Iterable[int],
    listing: Listing,
    since: datetime,
    told: int = 0,
    *,
    first: bool,
) -> str:
    """What to ask for news: about these rows, and beside them.

    ``told`` is how many new ones the page tells of already; ``first``: its rows are the
    first ones of the list.
    """
    rows = "&entry=".join(["", *map(str, ids)])
    asked = f"since={quote(since.isoformat(), '')}&told={told}&first={'1' * first}"
    words = f"&{query}" if (query := listing.query()) else ""
    return f"{asked}{words}{rows}"


def can_retry_all(listing: Listing, page: ErrorPage) -> bool:
    """Whether the list goes on beyond this page, and is not of what is settled."""
    more = page.after or page.before
    return bool(more) and listing.filters.state != Chip.RESOLVED


def sorts(listing: Listing, chosen: Sort) -> list[tuple[str, str, bool]]:
    """The offered orders as links."""
    offered = ("-last_seen", "-first_seen", "-occurrences", "record")
    return [
        (
            sort_words(Sort(name.removeprefix("-"), name[0] == "-")),
            f"?{listing.query(sort='' if name == '-last_seen' else name)}",
            name == str(chosen),
        )
        for name in offered
    ]


FORM_FIELDS = {
    *("q", "mapping", "who", "problem", "connection", "direction", "category"),
    *("from", "to"),
}


def hidden_words(listing: Listing) -> list[tuple[str, str]]:
    """What the filter form carries along unseen."""
    return [
        (name, value)
        for name, value in listing.words.items()
        if name not in FORM_FIELDS
    ]


def form_context(
    listing: Listing,
    places: Places,
    offered: Mapping[str, Sequence[tuple[str, str]]],
) -> dict[str, Any]:
    """What only the whole page needs: the filter form."""
    form = SimpleLazyObject(partial(filter_form, listing.filters, offered))
    return {
        "section": "errors",
        "offered": offered,
        "form": form,
        "chosen": partial(chosen_labels, form),
        "has_connections": len(places.connections) > 1,
        "ignore_form": SimpleLazyObject(IgnoreForm),
    }


def find(error_id: int) -> SyncError:
    """An error in sight, or 404 in words."""
    rows = SyncError.objects.visible(Operation.objects.cuts()).select_related(
        *("problem__assignee", "job"),
        *("connection__business_central", "connection__sales"),
    )
    gone = _("There is no such entry; it may have been deleted.")
    return found_or_404(rows, error_id, gone)


@role_required(Role.VIEWER)
@require_safe
def error(request: SignedInRequest, error_id: int) -> HttpResponse:
    """What is wrong, what to do, both records, history, technical details."""
    found = find(error_id)
    listing = read_listing(request.GET)
    mapping = mapping_of(found)
    if request.method == "GET" and request.user.is_operator:
        watch(found)
    context = {
        "section": "errors",
        **list_place(found, listing),
        **case_context(found, mapping),
        **state_context(found, mapping),
        **(choices_for(found, mapping) if request.user.is_operator else {}),
        "payloads": found.payloads.order_by("latest")
        if request.user.is_operator
        else None,
        "can_retry": request.user.is_operator and found.settled_at is None,
        "halts": halts_of(found.problem) if mapping and mapping.paused_at else (),
        "done": take_done(request),
        "ignore_form": IgnoreForm(),
        "comment_form": CommentForm(),
    }
    page = render(request, "integration/errors/detail.html", context)
    if context["is_retrying"] and request.htmx.trigger == "again":
        # Nothing has ended: what a person has opened stays, and the page asks again.
        return retarget(reselect(page, "#again"), "#again")
    return page


@role_required(Role.VIEWER)
@require_safe
def error_live(request: SignedInRequest, error_id: int) -> HttpResponse:
    """What may have changed on the page of an error while somebody has it open."""
    try:
        found = find(error_id)
    except Http404:
        if not (deletion := deletion_of(error_id)):
            raise
        there = {"error_id": error_id, "deletion": deletion}
        return render(request, "integration/errors/_deleted.html", there)
    if request.GET.get("only") == "open":
        return render(request, "integration/_open.html")
    was_settled = request.GET.get("settled") == "1"
    mapping = mapping_of(found)
    has_ended = found.settled_at is not None and not was_settled
    context = {
        **state_context(found, mapping),
        **(case_context(found, mapping) if has_ended else share_context(found)),
        "has_ended": has_ended,
        # The open page has no button for what is open again: it is read anew.
        "came_back": (was_settled and found.settled_at is None)
        or "deleted" in request.GET,
        "page": _page_of(request, found),
    }
    return render(request, "integration/errors/_live.html", context)


def _page_of(request: SignedInRequest, found: SyncError) -> str:
    """The page that asks, with the list it came from in its address."""
    page = reverse("error", args=[found.pk])
    try:
        here = request.htmx.current_url_abs_path
    except ValueError:  # no address at all; htmx sends none like it
        return page
    return here if here and here.partition("?")[0] == page else page


def mapping_of(found: SyncError) -> TableMapping | None:
    mapping = TableMapping.objects.filter(
        connection=found.connection_id, name=found.mapping_key
    ).first()
    if mapping is not None:
        mapping.connection = found.connection
    return mapping


def state_context(found: SyncError, mapping: TableMapping | None) -> dict[str, Any]:
    """State, what the latest look found, both records' links and the history."""
    seen = seen_of([found.pk])[found.pk]
    place = place_of(mapping) if mapping else None
    row = vars(found) | seen.presences()
    source, destination = source_and_destination(row, place)
    return {
        "error": found,
        "source": source,
        "destination": destination,
        "events": history(found, mapping),
        "ended": ended(found.settled_reason) if found.settled_at else "",
        "is_retrying": seen.retrying or found.pk in answering_errors(),
        "look": _fails_now(found) or look_words(seen, Moments()),
        "pace": pace([seen]),
        "is_live": found.settled_at is None or seen.is_lively,
    }


def _fails_now(found: SyncError) -> str:
    """In place of a look: what the record of a replaced error fails for now."""
    now = replacement_of(found)
    in_sight = SyncError.objects.visible(Operation.objects.cuts())
    if now is None or not in_sight.filter(pk=now.pk).exists():
        return ""
    title = told(now.problem, Case(found.connection)).title
    return failing_words(title, reverse("error", args=[now.pk]))


def list_place(found: SyncError, listing: Listing) -> dict[str, Any]:
    """Where it stands in the list the person came from."""
    around = neighbours(found, listing.filters, listing.sort)
    return {
        "query": listing.query(),
        "list_words": listing.title(around.sort),
        "position": around.position,
        "total": around.total,
        "previous": around.previous,
        "next": around.next,
    }


def case_context(found: SyncError, mapping: TableMapping | None) -> dict[str, Any]:
    """Article and the fields of both records."""
    article = told(found.problem, Case(found.connection, mapping, found))
    rows = field_rows(found, mapping, get_language() or "en")
    return {
        **told_context(article),
        "assignee": found.problem.assignee,
        "differing": [row for row in rows if row.differs or row.is_cause],
        "others": others_of(found, mapping),
        "equal": [row for row in rows if not (row.differs or row.is_cause)],
        "is_half": is_compared_with_last(found),
        "became": became(found, mapping) if found.settled_at else "",
        **share_context(found),
    }


def share_context(found: SyncError) -> dict[str, Any]:
    """How many its cause has; ``is_set_up``: none of them is a record."""
    count = count_of(found.problem)
    return {"affected": count.relevant, "is_set_up": count.is_set_up}


@role_required(Role.ADMINISTRATOR)
@require_POST
def delete(request: SignedInRequest) -> HttpResponse:
    """Take the selected rows out of the list, with Undo."""
    return act_on_selected(
        request, lambda keys: cleanup.delete_selected(keys, request.user)
    )
