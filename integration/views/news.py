"""What happened since a person's last visit, each number a link to its rows."""

from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.translation import ngettext, npgettext

from integration.markup.parts import number
from integration.services.search import MOST_HITS
from integration.services.visits import News, news_filters

Link = tuple[str, str]


def news_context(news: News | None) -> dict[str, Any]:
    """The news with their links, where there are any."""
    if news is None or not news.is_any:
        return {}
    return {"news": news, "news_links": news_links(news)}


def news_links(news: News) -> list[Link]:
    """Address and words of what is not nothing."""
    lists = [
        f"{reverse('errors')}?{urlencode(one.query())}"
        for one in news_filters(news.since)
    ]
    acts = {"by": "colleagues", "from": news.since.isoformat()}
    found = [
        (lists[0], news.new, _new),
        (lists[1], news.healed, _healed),
        (lists[2], news.came_back, _came_back),
        (f"{reverse('operations')}?{urlencode(acts)}", news.changes, _changes),
    ]
    return [
        (href, words(MOST_HITS if n is None else n) % {"n": _count(n)})
        for href, n, words in found
        if n != 0
    ]


def _count(n: int | None) -> str:
    return f"{number(MOST_HITS)}+" if n is None else number(n)


def _new(n: int) -> str:
    return ngettext("%(n)s new", "%(n)s new", n)


def _healed(n: int) -> str:
    return npgettext("entries", "%(n)s healed", "%(n)s healed", n)


def _came_back(n: int) -> str:
    return ngettext("%(n)s came back", "%(n)s came back", n)


def _changes(n: int) -> str:
    return ngettext("%(n)s change by others", "%(n)s changes by others", n)
