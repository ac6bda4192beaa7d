"""The set-up check on a page: what the last one found, and check again."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from integration.choices import CheckState, CheckStep, Role
from integration.http import SignedInRequest, role_required
from integration.models import Connection
from integration.services.check_lines import CheckLine, CheckRow, in_rows
from integration.services.connections import CheckResult, check_connection
from integration.services.doctor import check_installation
from integration.services.error_counts import relevant_of
from integration.views.targets import Case, address

PLACES: dict[CheckStep, tuple[str, ...]] = {
    CheckStep.SIGN_IN: ("entra:account", "entra:app"),
    CheckStep.ENVIRONMENT: ("sales:environment",),
    CheckStep.USER: ("sales:user",),
    CheckStep.NO_ADMINISTRATOR: ("sales:user",),
    CheckStep.PRIVILEGES: ("sales:role",),
    CheckStep.CURRENCIES: ("bc:ledger-setup",),
    CheckStep.RATES: ("sales:currency:",),
    CheckStep.SECOND_ENGINE: ("bc:job-queue",),
}
"""Where a question is answered; without such a page, that of the connection."""


@dataclass(frozen=True, slots=True)
class ShownRow:
    """A row with the page to open and the open errors of its causes: link and count."""

    row: CheckRow
    page: str
    errors: tuple[tuple[str, int], ...]

    @property
    def leads_out(self) -> bool:
        """Whether the page is one of another system."""
        return not self.page.startswith("/")


@dataclass(frozen=True, slots=True)
class Examined:
    """One connection with the rows of its last check."""

    connection: Connection
    rows: tuple[ShownRow, ...]

    @property
    def summary(self) -> str:
        """How many of the twelve need the administrator who reads it."""
        return self._told(
            lambda n: ngettext(
                "%(n)s of %(all)s needs you.", "%(n)s of %(all)s need you.", n
            )
        )

    @property
    def summary_for_others(self) -> str:
        """The same to whoever can do nothing about it."""
        return self._told(
            lambda n: ngettext(
                "%(n)s of %(all)s needs an administrator.",
                "%(n)s of %(all)s need an administrator.",
                n,
            )
        )

    def _told(self, needs: Callable[[int], str]) -> str:
        if not self.connection.check_lines:
            return _("Not checked yet.")
        states = [one.row.state for one in self.rows]
        wrong, open_ = states.count(CheckState.FAIL), states.count(CheckState.UNCHECKED)
        told = needs(wrong) % {"n": wrong, "all": len(states)}
        if not open_:
            return told
        more = ngettext(
            "%(n)s could not be checked.", "%(n)s could not be checked.", open_
        )
        return f"{told} {more % {'n': open_}}"


def examined(connection: Connection, lines: Iterable[CheckLine]) -> Examined:
    """The twelve rows of these lines."""
    rows = in_rows(lines)
    wrong = {line.fingerprint for row in rows for line in row.worst} - {""}
    known = relevant_of(connection, wrong) if wrong else {}
    return Examined(connection, tuple(_shown(connection, row, known) for row in rows))


def last_examined(connection: Connection) -> Examined:
    """What the last check found."""
    return examined(connection, map(CheckLine.from_stored, connection.check_lines))


def tell(request: SignedInRequest, *results: CheckResult) -> None:
    """How a check ended, on the page that follows."""
    if any(result.resumed for result in results):
        messages.success(request, _("The check passed and the connection goes on."))
    elif all(result.passed for result in results):
        messages.success(request, _("The check passed."))
    else:
        messages.error(request, _("The check found something to fix."))


@role_required(Role.VIEWER)
@require_safe
def check(request: SignedInRequest) -> HttpResponse:
    """Every connection with its last check, and our own parts as they are now."""
    context = {
        "section": "setup",
        "side": "check",
        "all": [last_examined(connection) for connection in every()],
        "own": list(check_installation()),
    }
    return render(request, "integration/setup/check.html", context)


@role_required(Role.ADMINISTRATOR)
@require_POST
def check_all(request: SignedInRequest) -> HttpResponse:
    """Ask both systems of every connection now."""
    tell(request, *(check_connection(one, request.user) for one in every()))
    return redirect("check")


def every() -> "QuerySet[Connection]":
    """With both endpoints, by name."""
    return Connection.objects.select_related("business_central", "sales")


def _shown(
    connection: Connection, row: CheckRow, known: dict[str, tuple[int, int]]
) -> ShownRow:
    errors = [known[one.fingerprint] for one in row.worst if one.fingerprint in known]
    links = ((f"/errors/?problem={key}&state=relevant", n) for key, n in errors)
    return ShownRow(row, _page(connection, row), tuple(links))


def _page(connection: Connection, row: CheckRow) -> str:
    targets = (*PLACES.get(row.step, ()), "page:connection")
    case = Case(connection)
    for line in row.worst:
        if line.state == CheckState.FAIL and not line.article:
            # A refusal of ours: nothing is to be done in another system.
            targets = ("page:connection",)
        elif cure := line.rendered().cure_target:
            # Where it has no page, that of another system would be a wrong one.
            targets = (cure, "page:connection")
            case = Case(connection, params=line.told.key["params"])
    return next(found for target in targets if (found := address(case, target)))
