"""Alerts in words: the fact first, who fixes it, the cure, and where to look.

Everything is said in the active language; moments are in the active zone.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db.models import Q
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import formats, timezone
from django.utils.formats import localize
from django.utils.translation import get_language, ngettext, ngettext_lazy
from django.utils.translation import gettext as _

from integration.choices import AlertChange, Who
from integration.models import Alert, AlertMessage, Problem, TableMapping
from integration.services.alert_recipients import Listener
from integration.services.articles import render, title_of
from integration.services.causes import CauseCount, cause_counts

ON_THIS_MACHINE = "http://127.0.0.1:8000"
"""Where the pages are as long as PUBLIC_URL does not say."""
_HEAD_COUNT = 900
"""Characters of a subject: a mail server folds it, but not without end."""
_OVER = {AlertChange.HEALED, AlertChange.RESOLVED}
_GONE_WELL = {*_OVER, AlertChange.RUNS_AGAIN}


@dataclass(frozen=True, slots=True)
class Item:
    """One subject as a letter tells it; ``times`` it changed since the last letter."""

    fact: str
    title: str
    change: str
    who: str
    place: str
    records: int
    path: str
    times: int = 1
    meaning: str = ""
    steps: tuple[str, ...] = ()
    cure: str = ""

    @property
    def url(self) -> str:
        """Where its page is."""
        return public_url(self.path)

    @property
    def is_good(self) -> bool:
        """Nobody has to do anything."""
        return self.change in _GONE_WELL

    @property
    def who_fixes_it(self) -> str:
        """A sentence; "" where there is nothing to fix."""
        if self.is_good:
            return ""
        return _("Who fixes it: %(who)s.") % {"who": Who(self.who).label}

    @property
    def changed(self) -> str:
        """How often it changed, if more than once."""
        if self.times == 1:
            return ""
        return _("It changed %(n)s times since the last mail.") % {
            "n": localize(self.times)
        }

    @property
    def cure_words(self) -> str:
        return _("The cure: %(cure)s.") % {"cure": self.cure} if self.cure else ""

    @property
    def link_words(self) -> str:
        return _("Open it: %(url)s") % {"url": self.url}

    def lines(self, *, whole: bool) -> list[str]:
        """As plain text; ``whole``: with what it means and what to do."""
        told = [self.place, self.changed, self.who_fixes_it, self.cure_words]
        if whole:
            told.insert(2, self.meaning)
            told += [f"{n}. {step}" for n, step in enumerate(self.steps, 1)]
        return [line for line in told if line] + [self.link_words]


@dataclass(frozen=True, slots=True)
class Letter:
    """A message in one language."""

    fact: str
    items: tuple[Item, ...]
    why: str
    note: str = ""

    @property
    def subject(self) -> str:
        """On one line."""
        whole = _("Sync Errors: %(fact)s") % {"fact": self.fact}
        return " ".join(whole.splitlines())[:_HEAD_COUNT]

    @property
    def is_single(self) -> bool:
        return len(self.items) == 1

    @property
    def account_words(self) -> str:
        return _("Choose what you are told: %(url)s") % {"url": account_url()}

    def text(self) -> str:
        """The part without markup."""
        blocks = [self.fact, self.note]
        for item in self.items:
            head = [] if self.is_single else [item.fact]
            blocks.append("\n".join([*head, *item.lines(whole=self.is_single)]))
        if self.why:
            blocks.append(f"-- \n{self.why}\n{self.account_words}")
        return "\n\n".join(block for block in blocks if block) + "\n"

    def html(self) -> str:
        context = {
            "letter": self,
            "language": get_language(),
            "account_url": account_url(),
        }
        return render_to_string("integration/alerts/mail.html", context)

    def payload(self) -> dict[str, Any]:
        """What is posted: the one item, or all of them in a list."""
        first = self.items[0] if self.is_single else None
        changes = Counter(item.change for item in self.items)
        return {
            "title": first.title if first else self.fact,
            "change": first.change if first else ("digest" if self.items else "test"),
            "who": first.who if first else "",
            "counts": {
                "records": sum(item.records for item in self.items),
                "changes": dict(changes),
            },
            "url": first.url if first else public_url(reverse("problems")),
            "text": self.subject + "\n" + self.text(),
            "items": [
                {
                    "title": item.title,
                    "change": item.change,
                    "who": item.who,
                    "counts": {"records": item.records},
                    "url": item.url,
                }
                for item in self.items
            ],
        }


def public_url(path: str) -> str:
    """An address of ours as people open it."""
    return (settings.PUBLIC_URL or ON_THIS_MACHINE) + path


def account_url() -> str:
    return public_url(reverse("account"))


def letter_of(message: AlertMessage, listener: Listener) -> Letter:
    """The message for its recipient, with the numbers as they are now."""
    if message.is_test:
        note = _("This is a test. Alerts come like this, with what is to be done.")
        return Letter(_("a test of the alerts"), (), "", note)
    alerts = read_alerts(message)
    keys = {alert.subject.problem_id for alert in alerts} - {None}
    counts = cause_counts(Q(problem__in=keys)) if keys else {}
    items = items_of(alerts, counts)
    return Letter(fact_of(items), tuple(items), _why(items, listener))


def read_alerts(message: AlertMessage) -> list[Alert]:
    """With all that is said of them."""
    return list(
        message.alerts.select_related(
            "subject__problem__connection", "subject__mapping__connection"
        ).order_by("id")
    )


def items_of(
    alerts: Sequence[Alert], counts: Mapping[int, CauseCount] | None = None
) -> list[Item]:
    """One per subject, by its last change; what is to be done before what went well."""
    times = Counter(alert.subject_id for alert in alerts)
    last = {alert.subject_id: alert for alert in alerts}
    items = [
        _item(alert, times[subject], counts or {}) for subject, alert in last.items()
    ]
    return sorted(items, key=lambda item: item.is_good)


def fact_of(items: Sequence[Item]) -> str:
    """What the subject says: the one thing, or how many of each kind."""
    if len(items) == 1:
        return items[0].fact
    changes = Counter(item.change for item in items)
    return ", ".join(
        words % {"count": changes[change], "n": localize(changes[change])}
        for change, words in _COUNTED.items()
        if changes[change]
    )


_COUNTED = {
    AlertChange.STANDS: ngettext_lazy(
        "%(n)s problem stands", "%(n)s problems stand", "count"
    ),
    AlertChange.APPEARED: ngettext_lazy(
        "%(n)s new problem", "%(n)s new problems", "count"
    ),
    AlertChange.CAME_BACK: ngettext_lazy(
        "%(n)s problem came back", "%(n)s problems came back", "count"
    ),
    AlertChange.SILENT: ngettext_lazy(
        "%(n)s mapping is silent", "%(n)s mappings are silent", "count"
    ),
    AlertChange.HEALED: ngettext_lazy(
        "%(n)s problem healed", "%(n)s problems healed", "count"
    ),
    AlertChange.RESOLVED: ngettext_lazy(
        "%(n)s problem resolved by hand", "%(n)s problems resolved by hand", "count"
    ),
    AlertChange.RUNS_AGAIN: ngettext_lazy(
        "%(n)s mapping runs again", "%(n)s mappings run again", "count"
    ),
}


def _item(alert: Alert, times: int, counts: Mapping[int, CauseCount]) -> Item:
    subject = alert.subject
    if subject.problem:
        return _item_of_problem(alert, subject.problem, times, counts)
    if subject.mapping is None:
        raise ValueError("an alert is about a problem or a mapping")
    return _item_of_mapping(alert, subject.mapping, times)


def _item_of_problem(
    alert: Alert, problem: Problem, times: int, counts: Mapping[int, CauseCount]
) -> Item:
    count = counts.get(problem.pk, CauseCount())
    is_over = alert.change in _OVER
    records = 0 if is_over else count.relevant or alert.records
    language = get_language() or "en"
    title = title_of(problem.article, problem.params, language, problem.title)
    article = render(problem.article, problem.params, language, title=title)
    return Item(
        fact=_fact_of_problem(alert.change, title, records, is_set_up=count.is_set_up),
        title=title,
        change=alert.change,
        who=problem.who,
        place=", ".join([problem.connection.name, *count.mappings]),
        records=records,
        path=reverse("problem", args=[problem.pk]),
        times=times,
        meaning="" if is_over else article.meaning,
        steps=()
        if is_over
        else tuple("".join(part.text for part in step) for step in article.steps),
        cure="" if is_over else article.cure_label,
    )


def _fact_of_problem(change: str, title: str, records: int, *, is_set_up: bool) -> str:
    if change == AlertChange.RESOLVED:
        return _("resolved by hand: %(title)s") % {"title": title}
    if change == AlertChange.HEALED:
        return _("healed: %(title)s") % {"title": title}
    words = ngettext("%(title)s, %(n)s record", "%(title)s, %(n)s records", records)
    if is_set_up:
        words = ngettext("%(title)s, %(n)s entry", "%(title)s, %(n)s entries", records)
    fact = words % {"title": title, "n": localize(records)}
    if change == AlertChange.CAME_BACK:
        return _("came back: %(fact)s") % {"fact": fact}
    return fact


def _item_of_mapping(alert: Alert, mapping: TableMapping, times: int) -> Item:
    is_over = alert.change == AlertChange.RUNS_AGAIN
    steps = (
        _("Look whether a worker and beat are running."),
        _("Read on the mapping's page what its last jobs say."),
    )
    return Item(
        fact=_fact_of_mapping(alert, mapping),
        title=_fact_of_mapping(alert, mapping),
        change=alert.change,
        who=Who.ADMINISTRATOR,
        place=mapping.connection.name,
        records=0,
        path=reverse("mapping", args=[mapping.pk]),
        times=times,
        meaning="" if is_over else _("Until it runs again, errors may be missing."),
        steps=() if is_over else steps,
    )


def _fact_of_mapping(alert: Alert, mapping: TableMapping) -> str:
    if alert.change == AlertChange.RUNS_AGAIN:
        return _("%(mapping)s runs again") % {"mapping": mapping.name}
    if alert.last_success is None:
        return _("%(mapping)s has had no successful run yet") % {
            "mapping": mapping.name
        }
    moment = timezone.localtime(alert.last_success)
    return _("%(mapping)s has had no successful run since %(moment)s") % {
        "mapping": mapping.name,
        "moment": formats.date_format(moment, "DATETIME_FORMAT"),
    }


def _why(items: Sequence[Item], listener: Listener) -> str:
    """Why this person gets it."""
    user = listener.user
    if user is None:
        return ""
    if user.is_administrator and any(one.who == Who.ADMINISTRATOR for one in items):
        return _("You get this because you are an administrator.")
    return _("You get this because you follow a mapping it concerns.")
