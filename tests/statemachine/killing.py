"""Wires that tests own: both systems over WSGI, calls that fail, workers that die.

A kill is an exception that nothing of the product catches; until the driver buries the
worker, every further call and statement of it dies, too. So what a real kill leaves
undone is left undone here. Nothing of the product is patched: calls pass through a
transport, statements through Django's own wrapper, and a commit is the release of the
outermost savepoint, since each sequence runs in a transaction of its own.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
from django.db import connection as database

from integration.simulators.store import Store
from tests.connectors.simulated import Simulated

CALL, WRITE, UPDATE, CREATION, COMMIT = "call", "write", "update", "creation", "commit"
"""Where troubles strike. A creation is one in Business Central, which takes no id."""


class Killed(BaseException):
    """The worker's process is gone."""


@dataclass
class Trouble:
    """What goes wrong the ``countdown``-th time from now that its point is reached.

    A fault lasts for ``times`` calls: one that may be repeated is sent three times.
    """

    kind: str
    point: str
    when: str
    countdown: int
    times: int = 1


class Wire(Simulated):
    """Both systems, and the troubles on the way to them."""

    def __init__(self, store: Store) -> None:
        super().__init__(store=store)
        self.troubles: list[Trouble] = []
        self.fired: Counter[str] = Counter()
        self.meanwhile: Callable[[], object] | None = None
        """What a person does after a run has read, before it writes anything."""
        self._dead = False
        self._depth = 0

    @contextmanager
    def worker(self) -> Iterator[None]:
        """A process that may die; the driver lives on."""
        self._dead, self._depth = False, len(database.savepoint_ids)
        try:
            with database.execute_wrapper(self._statement):
                yield
        except Killed:
            self._dead = False

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        if self._dead:
            raise Killed
        if "/oauth2/" in request.url.path:
            return super().handle_request(request)
        points = _points(request)
        if self.meanwhile and WRITE in points:
            edit, self.meanwhile = self.meanwhile, None
            edit()
        due = self._due(points)
        refused = self._strike(due, "before")
        if refused:
            return refused
        response = super().handle_request(request)
        self._strike(due, "after")
        return response

    def _due(self, points: set[str]) -> list[Trouble]:
        due = []
        for trouble in self.troubles:
            if trouble.point in points:
                trouble.countdown -= 1
                if trouble.countdown <= 0:
                    due.append(trouble)
        return due

    def _strike(self, due: list[Trouble], when: str) -> httpx2.Response | None:
        for trouble in due:
            if trouble.when != when:
                continue
            trouble.times -= 1
            if trouble.times <= 0:
                self.troubles.remove(trouble)
            struck = "killed" if trouble.kind == "kill" else "failed"
            self.fired[f"{struck} {when} a {trouble.point}"] += 1
            self.fired[f"{struck} {when}"] += 1
            if trouble.kind == "kill":
                self._die()
            if trouble.kind == "busy":
                return httpx2.Response(503, request=None)
            raise httpx2.ReadTimeout("no answer came")
        return None

    def _die(self) -> None:
        self._dead = True
        raise Killed

    def _statement(
        self,
        execute: Callable[..., Any],
        sql: str,
        params: Any,
        many: bool,
        context: dict[str, Any],
    ) -> Any:
        if self._dead and not sql.startswith(("ROLLBACK TO", "RELEASE")):
            raise Killed
        outermost = len(database.savepoint_ids) == self._depth
        if self._dead or not sql.startswith("RELEASE") or not outermost:
            return execute(sql, params, many, context)
        due = self._due({COMMIT})
        try:
            self._strike(due, "before")
        except Killed:
            # What is not committed is lost, as the database would lose it.
            execute(sql.replace("RELEASE", "ROLLBACK TO"), params, many, context)
            raise
        done = execute(sql, params, many, context)
        self._strike(due, "after")
        return done


def _points(request: httpx2.Request) -> set[str]:
    if request.method == "GET":
        return {CALL}
    if b"PATCH" in request.content:
        return {CALL, WRITE, UPDATE}
    is_there = request.url.path.startswith("/bc/") and b"POST" in request.content
    return {CALL, WRITE, CREATION} if is_there else {CALL, WRITE}
