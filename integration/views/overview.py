"""The first page: how things stand, who fixes what, and each mapping in a line."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from integration.choices import Role, Who
from integration.core.texts import read_number
from integration.http import SignedInRequest, role_required
from integration.markup.charts import meter, strip
from integration.markup.looks import look_words, pace_now
from integration.markup.parts import Moments
from integration.models import Connection, Problem
from integration.services.alert_status import read_state
from integration.services.causes import relevant_problems
from integration.services.endpoints import budgets_of
from integration.services.looks import seen_of_cause
from integration.services.overview import read_mapping_lines, running_endpoints
from integration.services.pauses import reason_of
from integration.services.status import read_engine
from integration.services.visits import read_news
from integration.views.news import news_context
from integration.views.problems import cause_rows, told
from integration.views.targets import Case

CAUSES_SHOWN = 10
MOST_WATCHED = 40


@role_required(Role.VIEWER)
@require_safe
def overview(request: SignedInRequest) -> HttpResponse:
    """The verdict in one sentence, and what makes it."""
    rows = cause_rows(relevant_problems())
    lines = read_mapping_lines()
    groups: dict[str, list[dict[str, Any]]] = {who: [] for who in Who}
    for row in rows:
        groups[row["article"].who].append(row)
    mine = needing(groups[Who.ADMINISTRATOR]) if request.user.is_administrator else []
    over = causes_over(request, {row["problem"].pk for row in rows})
    sections = [
        cause_section(
            who, groups[who], [row for row in over if row["article"].who == who]
        )
        for who in (Who.ADMINISTRATOR, Who.USER)
    ]
    # A storm is told where its cause stands, not once more in the verdict.
    told_already = {
        halt.mapping.pk
        for one in sections
        for row in one["rows"]
        for halt in row["halts"]
    }
    context: dict[str, Any] = {
        "section": "overview",
        "engine": read_engine(),
        "is_new": not lines and not Connection.objects.exists(),
        "pace": pace_now(),
        "live_href": live_href(sections),
        "alerts": read_state(),
        "causes": len(rows),
        "mine": len(mine),
        "set_up": records_of([row for row in rows if row["count"].is_set_up]),
        "sections": sections,
        "by_itself": records_of(groups[Who.ITSELF]),
        "lines": [
            (line, meter(line.in_step, line.total), strip(line.hours)) for line in lines
        ],
        "paused": [
            {"mapping": line.mapping, "reason": reason_of(line.mapping)}
            for line in lines
            if line.mapping.paused_at and line.mapping.pk not in told_already
        ],
        "in_step": sum(line.in_step for line in lines),
        "total": sum(line.total for line in lines),
        "unlisted": sum(line.unlisted for line in lines),
        "budgets": [
            (system.label, standing)
            for system, standing in budgets_of(running_endpoints()).items()
        ],
        "several_connections": len({line.mapping.connection_id for line in lines}) > 1,
    }
    context |= news_context(read_news(request.user))
    return render(request, "integration/overview.html", context)


def live_href(sections: Sequence[dict[str, Any]]) -> str:
    """Where the open page asks how it is now: with the causes that it shows."""
    shown = [
        ("cause", row["problem"].pk)
        for one in sections
        for row in (*one["rows"], *one["over"])
    ]
    return f"{reverse('overview')}?{urlencode(shown[:MOST_WATCHED])}"


def causes_over(request: SignedInRequest, relevant: set[int]) -> list[dict[str, Any]]:
    """The causes of an open page that have healed there, with what mended them."""
    asked = map(read_number, request.GET.getlist("cause")[:MOST_WATCHED])
    keys = {key for key in asked if key is not None} - relevant
    if not keys:
        return []
    problems = Problem.objects.select_related(
        "connection__business_central", "connection__sales"
    ).filter(pk__in=keys, moved_to=None)
    moments = Moments()
    return [
        {"problem": one, "article": article, "look": look}
        for one in problems.order_by("title", "pk")
        for article in [told(one, Case(one.connection))]
        if (look := look_words(seen_of_cause(one), moments))
    ]


def cause_section(
    who: Who, rows: Sequence[dict[str, Any]], over: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """One group of causes: the first few, and how much there is in all.

    What is wholly ignored is among all, as it is in the list that they lead to.
    """
    shown = needing(rows)[:CAUSES_SHOWN]
    return {
        "who": who.value,
        "rows": shown,
        "over": over,
        "causes": len(rows),
        "more": len(rows) - len(shown),
        "records": records_of(rows),
        "set_up": any(row["count"].is_set_up for row in rows),
    }


def needing(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The causes that somebody is to mend: not all of them is ignored."""
    return [row for row in rows if row["count"].needs_someone]


def records_of(rows: Sequence[dict[str, Any]]) -> int:
    return sum(row["count"].relevant for row in rows)
